//! Tokens: made and taken away. What a token may do is never more than what its maker may.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use crate::server::change::{Change, Precondition, account};
use crate::server::error::ApiError;
use crate::server::ids;
use crate::server::permission::{Actor, At, Right, Scope};
use crate::server::store::tokens::{self, TokenRow};
use crate::server::views;
use crate::wire::{MAX_TOKEN_DAYS, NewToken, TokenKind};

/// How every secret that is made here begins, so that scanners find it where it should not be.
const PREFIX: &str = "skt_";

/// Version of every token: none ever changes.
pub(crate) const VERSION: i64 = 1;

/// A token and its secret, of which only the hash is kept.
pub(crate) struct Made {
    /// The token.
    pub row: TokenRow,
    /// What its bearer sends.
    pub secret: String,
}

/// Makes a token.
pub(crate) async fn make(change: &mut Change, request: &NewToken) -> Result<Made, ApiError> {
    let NewToken { kind, name, scopes, expires_in_days: _ } = request;
    let address = match kind {
        TokenKind::Account => {
            must_be_owners(change)?;
            None
        }
        TokenKind::Personal => Some(own_address(change)?),
        TokenKind::Vendor | TokenKind::Unknown => {
            return Err(ApiError::field("/kind", "is account or personal"));
        }
    };
    change.must_be_enabled()?;
    account::must_be_name("/name", name)?;
    let scopes = known_scopes(scopes)?;
    must_not_grow(&change.actor, &scopes)?;
    let expires_in = lifetime(request)?;
    must_not_outlive(&change.actor, change.now + expires_in)?;
    put(change, name, address, &scopes, expires_in).await
}

/// Makes a token without asking who does it; one with an address is that person's own.
pub(crate) async fn put(
    change: &mut Change,
    name: &str,
    address: Option<String>,
    scopes: &BTreeSet<Scope>,
    expires_in: SignedDuration,
) -> Result<Made, ApiError> {
    let secret = new_secret();
    let words: Vec<_> = scopes.iter().map(|scope| scope.word()).collect();
    let row = TokenRow {
        hash: ids::hash(&secret),
        id: change.id("tok"),
        kind: if address.is_some() { TokenKind::Personal } else { TokenKind::Account },
        account_id: Some(change.account.id.clone()),
        name: name.to_owned(),
        scopes: words.join(" "),
        made_by: change.actor.maker(),
        address,
        created_at: change.now,
        expires_at: change.now + expires_in,
    };
    tokens::put(change.conn(), &row).await?;
    change.record("token.made", &row.id, None::<()>, Some(views::token(&row))).await?;
    Ok(Made { row, secret })
}

/// A token of the vendor, which belongs to no account and is in no account's audit log.
pub(crate) fn vendor(
    id: String,
    name: &str,
    now: Timestamp,
    expires_in: SignedDuration,
) -> Result<Made, ApiError> {
    account::must_be_name("/name", name)?;
    let secret = new_secret();
    let row = TokenRow {
        hash: ids::hash(&secret),
        id,
        kind: TokenKind::Vendor,
        account_id: None,
        name: name.to_owned(),
        scopes: "vendor".to_owned(),
        made_by: "service".to_owned(),
        address: None,
        created_at: now,
        expires_at: now + expires_in,
    };
    Ok(Made { row, secret })
}

fn new_secret() -> String {
    format!("{PREFIX}{}", ids::secret())
}

/// How long a token lasts.
pub(crate) fn lifetime(request: &NewToken) -> Result<SignedDuration, ApiError> {
    let days = request.expires_in_days;
    if !(1..=MAX_TOKEN_DAYS).contains(&days) {
        return Err(ApiError::field("/expires_in_days", "is from 1 to 366"));
    }
    Ok(SignedDuration::from_hours(24 * i64::from(days)))
}

/// Takes a token away: one's own, or any of the account.
pub(crate) async fn remove(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    let row = tokens::by_id(change.conn(), &account_id, id).await?;
    let shown = shown_to(change)?;
    let row = row.filter(|row| shown.is_none() || row.address == shown);
    let row = row.ok_or(ApiError::NotFound)?;
    precondition.check(VERSION)?;
    tokens::delete(change.conn(), &row.id).await?;
    change.record("token.removed", &row.id, Some(views::token(&row)), None::<()>).await
}

/// Whose tokens alone this actor sees; none: those of everybody.
fn shown_to(change: &Change) -> Result<Option<String>, ApiError> {
    if change.must(Right::ManageTokens, At::Account).is_ok() {
        return Ok(None);
    }
    own_address(change).map(Some)
}

/// A token of the account reaches as far as the highest role, so only who has it makes one, or a
/// token that such a person made.
fn must_be_owners(change: &Change) -> Result<(), ApiError> {
    change.must(Right::ManageTokens, At::Account)?;
    match change.actor.person() {
        Some(person) if !person.is_owner(&change.profile) => Err(ApiError::BeyondManage),
        _ => Ok(()),
    }
}

/// The person whose own token is made or taken away.
fn own_address(change: &Change) -> Result<String, ApiError> {
    change.actor.must_somewhere(Right::OwnTokens, &change.profile)?;
    let person = change.actor.person().ok_or(ApiError::Forbidden)?;
    Ok(person.address.clone())
}

/// Scopes of words.
pub(crate) fn known_scopes(words: &[String]) -> Result<BTreeSet<Scope>, ApiError> {
    let mut scopes = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        let known = Scope::ALL.map(Scope::word).join(", ");
        let scope = Scope::parse(word).ok_or_else(|| {
            ApiError::field(format!("/scopes/{at}"), format!("is not a scope; there are {known}"))
        })?;
        if !scopes.insert(scope) {
            return Err(ApiError::field(format!("/scopes/{at}"), "is named twice"));
        }
    }
    if scopes.is_empty() {
        return Err(ApiError::field("/scopes", "names at least one scope"));
    }
    Ok(scopes)
}

/// A token makes none that lasts longer than itself: only an owner prolongs.
fn must_not_outlive(actor: &Actor, until: Timestamp) -> Result<(), ApiError> {
    match actor {
        Actor::Token { expires_at, .. } if until > *expires_at => {
            let detail = "is longer than the token that asks lasts itself; an owner can make it";
            Err(ApiError::field("/expires_in_days", detail))
        }
        _ => Ok(()),
    }
}

fn must_not_grow(actor: &Actor, scopes: &BTreeSet<Scope>) -> Result<(), ApiError> {
    let Some(own) = actor.scopes() else { return Ok(()) };
    match scopes.difference(own).next() {
        Some(beyond) => Err(ApiError::ScopeMissing(beyond.word())),
        None => Ok(()),
    }
}
