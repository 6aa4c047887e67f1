//! How many mails go to whomever somebody names: counted in the outbox, so that it holds across
//! processes.

use std::num::NonZeroU32;

use jiff::{SignedDuration, Timestamp};

use crate::server::InviteLimits;
use crate::server::change::Change;
use crate::server::error::ApiError;
use crate::server::limits::Allowance;
use crate::server::mail::Template;
use crate::server::store::outbox;

const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// A limit on invitation mails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteLimit {
    /// Mails of one account in an hour.
    Account,
    /// Mails to one address in a day.
    Address,
}

impl InviteLimit {
    /// Word of the answer.
    pub fn word(self) -> &'static str {
        match self {
            Self::Account => "invite-mail",
            Self::Address => "invite-mail-address",
        }
    }
}

/// Mails whose number is limited: those to any address. All others go to members, or to a client
/// that was asked.
const MAILS: [Template; 3] = [Template::Invitation, Template::Resend, Template::AccessRequested];

/// Refuses one mail more than an account may send in an hour, or an address get in a day. Where the
/// account stands is noted for the answer; what others sent to an address is not said.
pub(crate) async fn must_fit(change: &mut Change, address: &str) -> Result<(), ApiError> {
    let InviteLimits { per_account_hour, per_address_day } = change.invite_limits();
    let (account_id, now) = (change.account.id.clone(), change.now);
    let names = MAILS.map(Template::name);
    let left = left(change).await?;
    let (conn, most) = (change.conn(), per_account_hour);
    let wait = if left > 0 {
        None
    } else {
        outbox::nth_newest_of_account(conn, &account_id, names, now - HOUR, most).await?
    };
    let account = wait.map(|at| (at + HOUR, InviteLimit::Account, most, HOUR));
    let most = per_address_day;
    let got = outbox::nth_newest_to(change.conn(), address, names, now - DAY, most).await?;
    let full = account.into_iter().chain(got.map(|at| (at + DAY, InviteLimit::Address, most, DAY)));
    let Some((free_at, limit, quota, window)) = full.max_by_key(|(free_at, ..)| *free_at) else {
        note_left(change, left.saturating_sub(1));
        return Ok(());
    };
    let wait = free_at.duration_since(now) + SignedDuration::from_secs(1);
    let allowance = allowance(quota, window, 0, wait);
    change.invite_mail = Some(allowance);
    Err(ApiError::RateLimited { seconds: allowance.full_in, mails: Some((limit, allowance)) })
}

/// How many more mails an account may send in this hour.
pub(crate) async fn left(change: &mut Change) -> Result<u32, ApiError> {
    let most = change.invite_limits().per_account_hour.get();
    let (account_id, since) = (change.account.id.clone(), change.now - HOUR);
    let names = MAILS.map(Template::name);
    let sent = outbox::count_of_account(change.conn(), &account_id, names, since).await?;
    Ok(most.saturating_sub(sent))
}

/// Notes for the answer how many more mails an account may send in this hour.
pub(crate) fn note_left(change: &mut Change, left: u32) {
    let quota = change.invite_limits().per_account_hour;
    change.invite_mail = Some(allowance(quota, HOUR, left, HOUR));
}

/// Mails that count against what an address may get, and since when.
pub(crate) fn counted(change: &Change) -> ([&'static str; 3], Timestamp) {
    (MAILS.map(Template::name), change.now - DAY)
}

fn allowance(
    quota: NonZeroU32,
    window: SignedDuration,
    left: u32,
    full_in: SignedDuration,
) -> Allowance {
    let seconds = |time: SignedDuration| time.as_secs().unsigned_abs();
    Allowance { quota: quota.get(), window: seconds(window), left, full_in: seconds(full_in) }
}
