//! How many invitations are mailed: counted in the outbox, so that it holds across processes.

use jiff::SignedDuration;

use crate::server::InviteLimits;
use crate::server::change::Change;
use crate::server::error::ApiError;
use crate::server::mail::Template;
use crate::server::store::outbox;

/// Mails whose number is limited.
const MAILS: [Template; 2] = [Template::Invitation, Template::Resend];

/// Refuses one mail more than an account may send in an hour, or an address get in a day.
pub(crate) async fn must_fit(change: &mut Change, address: &str) -> Result<(), ApiError> {
    let InviteLimits { per_account_hour, per_address_day } = change.invite_limits();
    let (account_id, now) = (change.account.id.clone(), change.now);
    let names = MAILS.map(Template::name);
    let (hour, day) = (SignedDuration::from_hours(1), SignedDuration::from_hours(24));
    let (conn, most) = (change.conn(), per_account_hour);
    let sent = outbox::nth_newest_of_account(conn, &account_id, names, now - hour, most).await?;
    let got = outbox::nth_newest_to(conn, address, names, now - day, per_address_day).await?;
    match sent.map(|at| at + hour).max(got.map(|at| at + day)) {
        None => Ok(()),
        Some(free_at) => {
            let seconds = free_at.duration_since(now).as_secs().unsigned_abs() + 1;
            Err(ApiError::RateLimited { seconds })
        }
    }
}
