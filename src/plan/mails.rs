//! Invitation mails: what each is sent for, and how many one person gets.
//!
//! The caps are on *automatic* mails. A person's decision (a new epoch, a new word to send it again)
//! passes them, three times in 90 days.

use jiff::{SignedDuration, Timestamp};

use crate::domain::capability::Capability;
use crate::domain::desired::DesiredMember;
use crate::domain::identity::MemberKey;
use crate::domain::keys::ResendMark;
use crate::domain::ledger_view::{Cause, MailRecord, PersonRecord};
use crate::domain::policy::{InvitationPolicy, Policy};
use crate::plan::{Input, Rule};

/// Time between two automatic mails to one person.
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// How long the caps count a mail.
const CAPS_LAST: SignedDuration = SignedDuration::from_hours(90 * 24);

/// True if nothing keeps a mail from going out twice: no key is remembered, and no second invitation
/// refused.
pub(super) fn are_unsafe(policy: &Policy) -> bool {
    [Capability::IdempotencyKeys, Capability::UniquePending]
        .iter()
        .all(|capability| policy.missing.contains(capability))
}

/// True while a rule counts the mails of somebody: who is declared again is not mailed more often
/// for it.
#[must_use]
pub fn remembered(mails: &MailRecord, now: Timestamp) -> bool {
    let counts = |at: Timestamp| at.saturating_add(CAPS_LAST).unwrap_or(Timestamp::MAX) > now;
    mails.last().is_some_and(counts) || limited_until(mails, now).is_some()
}

/// What moves us to send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// Nobody was asked yet.
    First,
    /// The invitation expired.
    Renewal,
    /// The invitation vanished.
    Lost,
    /// A person decided it.
    Decision,
}

/// True if a person has said anew that it is to be sent again. `open`: what a mail whose outcome is
/// not known was sent for.
pub(super) fn says_again(
    mut words: impl Iterator<Item = ResendMark>,
    mails: &MailRecord,
    open: Option<Cause>,
) -> bool {
    let sending = |word| open.is_some_and(|cause| cause.words().any(|sent| sent == word));
    words.any(|word| !mails.marks.contains(&word) && !sending(word))
}

/// True if the caps let a person's decision pass now.
pub(super) fn passes(mails: &MailRecord, now: Timestamp) -> bool {
    capped_until(&mails.decided, now).is_none()
}

/// What the next mail to a person is sent for: no two mails share it.
pub(super) fn cause(
    input: &Input<'_>,
    person: &MemberKey,
    wanted: &DesiredMember,
    record: &PersonRecord,
    why: Why,
) -> Cause {
    let open = input.ledger.open_sends.get(person).map(|send| send.cause);
    let begun = open.map_or(record.epoch, |open| open.epoch.max(record.epoch));
    let epoch = begun.max(wanted.invite_epoch);
    let known = [Some((record.epoch, record.mails.attempts)), open.map(|c| (c.epoch, c.attempt))];
    let last = known.into_iter().flatten().filter(|(of, _)| *of == epoch).map(|(_, n)| n).max();
    Cause {
        epoch,
        attempt: last.unwrap_or(0).saturating_add(1),
        renewals: match why {
            Why::First | Why::Decision => 0,
            Why::Renewal => record.mails.renewals.saturating_add(1),
            Why::Lost => record.mails.renewals,
        },
        decided: why == Why::Decision && passes(&record.mails, input.now),
        mark: wanted.resend,
        said: wanted.said,
    }
}

/// When the next mail for `cause` may go, and the rule that holds it until then; `None`: now. What
/// is repeated was counted before, so that only the service holds it.
pub(super) fn waits(
    record: &MailRecord,
    cause: Cause,
    repeats: bool,
    now: Timestamp,
) -> Option<(Timestamp, Rule)> {
    let service = limited_until(record, now);
    let caps = if repeats { None } else { capped(record, cause, now) };
    let (service, caps) =
        (service.map(|at| (at, Rule::AddressLimit)), caps.map(|at| (at, Rule::MailCap)));
    service.into_iter().chain(caps).max()
}

/// Until when the service takes no mail to somebody. It never says more than a day: a later time was
/// noted by a clock that has gone back since, and the service itself says so again.
fn limited_until(record: &MailRecord, now: Timestamp) -> Option<Timestamp> {
    let most = now.checked_add(DAY).unwrap_or(Timestamp::MAX);
    record.not_before.filter(|until| *until > now && *until <= most)
}

/// When the caps let the next mail for `cause` go; `None`: now.
fn capped(record: &MailRecord, cause: Cause, now: Timestamp) -> Option<Timestamp> {
    if cause.decided {
        return None;
    }
    let rested = record.automatic.iter().max().and_then(|last| last.checked_add(DAY).ok());
    let until = rested.max(capped_until(&record.automatic, now));
    until.filter(|until| *until > now)
}

/// Until when the last three mails of one sort are too many; `None`: they are not.
fn capped_until(times: &[Timestamp], now: Timestamp) -> Option<Timestamp> {
    let first = times.iter().rev().nth(MailRecord::KEPT - 1)?;
    first.checked_add(CAPS_LAST).ok().filter(|until| *until > now)
}

/// When an invitation that expired is sent again; `None`: its renewals are spent.
pub(super) fn renewal_at(
    policy: &InvitationPolicy,
    mails: &MailRecord,
    expired_at: Timestamp,
) -> Option<Timestamp> {
    if mails.renewals >= policy.renewals {
        return None;
    }
    let gap = SignedDuration::try_from(policy.every).unwrap_or(SignedDuration::MAX);
    let doubled = 1_i32.checked_shl(mails.renewals).filter(|factor| *factor > 0);
    let gap = doubled.and_then(|factor| gap.checked_mul(factor)).unwrap_or(SignedDuration::MAX);
    Some(expired_at.saturating_add(gap).unwrap_or(Timestamp::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::Timestamp;

    use super::{capped, renewal_at};
    use crate::domain::ledger_view::{Cause, MailRecord};
    use crate::domain::policy::{InvitationPolicy, OnLost};

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_gap_before_a_renewal_doubles_each_time() {
        let every = Duration::from_secs(7 * 86_400);
        let policy =
            InvitationPolicy { expires_in: None, renewals: 3, every, on_lost: OnLost::Hold };
        let due = |renewals| {
            let mails = MailRecord { renewals, ..MailRecord::default() };
            renewal_at(&policy, &mails, at("2026-01-01T00:00:00Z"))
        };
        assert_eq!(due(0), Some(at("2026-01-08T00:00:00Z")));
        assert_eq!(due(1), Some(at("2026-01-15T00:00:00Z")));
        assert_eq!(due(2), Some(at("2026-01-29T00:00:00Z")));
        assert_eq!(due(3), None, "spent");
        let policy = InvitationPolicy { renewals: 99, ..policy };
        let mails = MailRecord { renewals: 40, ..MailRecord::default() };
        let never = renewal_at(&policy, &mails, at("2026-01-01T00:00:00Z"));
        assert_eq!(never, Some(Timestamp::MAX), "no overflow");
    }

    #[test]
    fn one_automatic_mail_a_day_and_three_in_90_days() {
        let check = |times: &[&str], now: &str| {
            let automatic = times.iter().map(|time| at(time)).collect();
            let mails = MailRecord { automatic, ..MailRecord::default() };
            capped(&mails, Cause::default(), at(now)).map(|until| until.to_string())
        };
        let first = "2026-01-01T12:00:00Z";
        assert_eq!(check(&[], first), None);
        assert_eq!(check(&[first], "2026-01-02T11:59:59Z"), Some("2026-01-02T12:00:00Z".into()));
        assert_eq!(check(&[first], "2026-01-02T12:00:00Z"), None);
        let three = [first, "2026-01-03T12:00:00Z", "2026-01-05T12:00:00Z"];
        assert_eq!(check(&three, "2026-02-01T12:00:00Z"), Some("2026-04-01T12:00:00Z".into()));
        assert_eq!(check(&three, "2026-04-01T12:00:00Z"), None);
        let decided = Cause { decided: true, ..Cause::default() };
        let automatic = three.iter().map(|time| at(time)).collect();
        let mails = MailRecord { automatic, ..MailRecord::default() };
        assert_eq!(capped(&mails, decided, at("2026-01-05T12:00:01Z")), None);
    }
}
