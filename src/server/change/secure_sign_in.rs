//! Secure sign-in: from when on an account asks for more than a password (X13).

use jiff::Timestamp;
use serde_json::json;

use crate::profile::{Notice, SecureSignInBy};
use crate::server::change::Change;
use crate::server::error::ApiError;
use crate::server::mail::Template;
use crate::server::permission::{At, Right};
use crate::server::store::accounts::AccountRow;
use crate::server::store::members;
use crate::wire::SignInMethod;

/// Says whether secure sign-in is required from now on. Those without it keep access until their
/// next sign-in and are told.
pub(crate) async fn set(
    change: &mut Change,
    required: bool,
    by: SecureSignInBy,
) -> Result<(), ApiError> {
    if required == change.account.secure_sign_in_since.is_some() {
        return Ok(());
    }
    must_be_settable(change, by)?;
    change.account.secure_sign_in_since = required.then_some(change.now);
    change.account.version += 1;
    let id = change.account.id.clone();
    change.record("account.secure_sign_in", &id, Some(!required), Some(required)).await?;
    if required && change.profile.tells_person(Notice::SecureSignInRequired) {
        for (member, address) in members::without_secure_sign_in(change.conn(), &id).await? {
            let words = json!({});
            change.mail(Template::SecureSignInRequired, &member, &address, words).await?;
        }
    }
    Ok(())
}

/// Refuses to whoever may not say whether secure sign-in is required, or not by this.
pub(crate) fn must_be_settable(change: &Change, by: SecureSignInBy) -> Result<(), ApiError> {
    change.must(Right::ManageAccount, At::Account)?;
    if change.profile.secure_sign_in.contains(&by) {
        return Ok(());
    }
    Err(ApiError::NotOffered("secure sign-in required by this"))
}

/// Refuses who proved less than the account asks for, since when it asks: a session or a personal
/// token from before goes on until it ends.
pub(crate) fn must_suffice(
    account: &AccountRow,
    method: SignInMethod,
    proved_at: Timestamp,
) -> Result<(), ApiError> {
    match account.secure_sign_in_since {
        Some(since) if proved_at >= since && !method.is_secure() => {
            Err(ApiError::SecureSignInRequired)
        }
        _ => Ok(()),
    }
}
