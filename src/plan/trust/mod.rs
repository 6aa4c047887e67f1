//! Trusted read: absence may be concluded only from a look that agrees with itself, that is not older
//! than what we know, and that did not lose more people than the brake would allow. Source: OP-07.

mod absent;

use jiff::{SignedDuration, Timestamp};

use crate::domain::identity::MemberKey;
use crate::domain::ledger_view::{Baseline, Paid, PersonRecord, Seen};
use crate::domain::observed::{InvitationState, Observed};
use crate::domain::policy::Mode;
use crate::plan::brake;
use crate::plan::draft::Draft;
use crate::plan::pools;
use crate::plan::simulate::Count;
use crate::plan::trust::absent::Absent;
use crate::plan::{Approval, Distrust, Hold, Input};

/// When to look again after counts that do not agree: a person may just have accepted.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

/// How far the service's clock and ours may be apart. Twice this, once before and once after a clock was
/// set, is less than the hour by which no key is repeated as long as the service remembers it.
const CLOCKS_APART: SignedDuration = SignedDuration::from_mins(15);

/// What the trusted-read guard says.
#[derive(Clone, Debug, Default)]
pub(super) struct Trust {
    /// Why absence may not be concluded from this read.
    pub distrust: Option<Distrust>,
    /// Counts for the ledger, where they differ from those it has.
    pub baseline: Option<Baseline>,
    /// When to look again.
    pub next_at: Option<Timestamp>,
    /// What a person can approve: that so many are gone.
    pub hold: Option<Hold>,
    /// What became of an approval that was given for it.
    pub approval: Approval,
}

/// Weighs a read against itself and against the last trusted one.
///
/// A smaller one is believed when it is explained by what we ended and what the brake would allow to
/// go; when a second one, `settle` later, agrees; when the feed shows how each of them went; or when a
/// person approves the digest of who is absent.
pub(super) fn trust(input: &Input<'_>) -> Trust {
    if let Some(distrust) = disagreement(input) {
        // A clock is set by a person: that takes its time.
        let soon = !matches!(distrust, Distrust::ClocksDiffer { .. });
        let next_at = input.now.checked_add(LOOK_AGAIN).ok().filter(|_| soon);
        return Trust { distrust: Some(distrust), next_at, ..Trust::default() };
    }
    let Some(distrust) = older(input).or_else(|| shrunk(input)) else { return believed(input) };
    let absent = Absent::of(input);
    let number = input.ledger.hold_number;
    let digest = absent.digest(input, &distrust, number);
    let approval = match input.policy.mode {
        // Nothing that is used could be noted.
        Mode::Observe => Approval::None,
        _ => brake::approval(input, Some(&digest)),
    };
    match approval {
        Approval::Used(_) => Trust { approval, ..believed(input) },
        Approval::Lapsed(_) => {
            let digest = absent.digest(input, &distrust, number + 1);
            Trust { approval, ..doubted(input, distrust, absent.hold(input, digest)) }
        }
        Approval::None | Approval::Seen(_) => {
            Trust { approval, ..doubted(input, distrust, absent.hold(input, digest)) }
        }
    }
}

/// The read is the one to measure the next by.
fn believed(input: &Input<'_>) -> Trust {
    let Input { observed, ledger, .. } = *input;
    // An answer that does not say where it stands is no reason to forget where the last one stood.
    let before = ledger.baseline.and_then(|old| old.as_of);
    let as_of = observed.evidence.as_of.or(before);
    let new = Baseline { people: people(observed), smaller: None, as_of };
    // One that a person approved may be older than our last write: then that is forgotten.
    let written = observed.evidence.as_of.is_none_or(|as_of| ledger.written <= Some(as_of));
    let known = ledger.baseline.is_some_and(|old| {
        old.people == new.people && old.smaller.is_none() && old.as_of <= new.as_of && written
    });
    Trust { baseline: (!known).then_some(new), ..Trust::default() }
}

/// The read is noted as one that a second one may agree with.
fn doubted(input: &Input<'_>, distrust: Distrust, hold: Hold) -> Trust {
    let Input { observed, ledger, policy, now, .. } = *input;
    let trust = Trust { distrust: Some(distrust.clone()), hold: Some(hold), ..Trust::default() };
    let (Distrust::Shrunk { .. }, Some(old)) = (distrust, ledger.baseline) else {
        return Trust { next_at: now.checked_add(LOOK_AGAIN).ok(), ..trust };
    };
    let now_there = people(observed);
    let (baseline, since) = match old.smaller {
        // One that was noted in the future is noted anew: the clock went back since.
        Some((count, at)) if count == now_there && at <= now => (None, at),
        _ => (Some(Baseline { smaller: Some((now_there, now)), ..old }), now),
    };
    let next_at = Some(Draft::after(since, policy.removals.settle));
    Trust { baseline, next_at, ..trust }
}

/// A read that began before what we know of the account: before the last trusted read, or before our
/// last write. It may come from a copy that is behind.
fn older(input: &Input<'_>) -> Option<Distrust> {
    let Input { observed, ledger, .. } = *input;
    let read = ledger.baseline.and_then(|baseline| baseline.as_of);
    let (known, as_of) = (read.max(ledger.written)?, observed.evidence.as_of?);
    (as_of < known).then_some(Distrust::Older { known, as_of })
}

/// A read with fewer people than the last trusted one, and more missing than the brake allows.
fn shrunk(input: &Input<'_>) -> Option<Distrust> {
    let Input { observed, ledger, policy, now, .. } = *input;
    let old = ledger.baseline?;
    let (there, missing) = (people(observed), missing(input));
    let empty = there == 0 && missing > 0;
    let fits = !empty && missing <= policy.removals.allowed(old.people);
    let agreed = old.smaller.is_some_and(|(count, at)| {
        count == there && now >= Draft::after(at, policy.removals.settle)
    });
    let believed = fits || agreed || Absent::of(input).is_explained(input);
    (!believed).then_some(Distrust::Shrunk { before: old.people, now: there })
}

/// People that were there at the last trusted read and are not any more, but for those that we ended.
fn missing(input: &Input<'_>) -> u64 {
    let Input { observed, ledger, .. } = *input;
    let before = ledger.baseline.map_or(0, |baseline| baseline.people);
    // Whom we ended a run that came to its end has taken out of the count already.
    let counted = |person, record: &PersonRecord| match record.paid {
        Some(Paid::End) => ledger.cut_off,
        _ => observed.invitations.contains_key(person),
    };
    let ended = ledger
        .people
        .iter()
        .filter(|(person, record)| is_gone(observed, person, record) && counted(*person, record));
    let ended = ledger.ended_by_us.saturating_add(ended.count() as u64);
    before.saturating_sub(people(observed)).saturating_sub(ended)
}

/// True of a person that was there when we last looked, and has neither a place nor an invitation that
/// waits.
fn is_gone(observed: &Observed, person: &MemberKey, record: &PersonRecord) -> bool {
    record.seen != Seen::Never && !is_there(observed, person)
}

/// True of a person that has a place, or an invitation that waits.
fn is_there(observed: &Observed, person: &MemberKey) -> bool {
    let invitation = observed.invitations.get(person);
    let open = invitation.is_some_and(|row| row.state == InvitationState::Pending);
    open || observed.members.contains_key(person)
}

/// True of a person that is gone for a cause that we know: we ended it, or the invitation is listed
/// as over.
fn is_accounted_for(observed: &Observed, person: &MemberKey, record: &PersonRecord) -> bool {
    record.paid == Some(Paid::End) || observed.invitations.contains_key(person)
}

/// Where a read contradicts itself or the pinned account.
fn disagreement(input: &Input<'_>) -> Option<Distrust> {
    let Input { observed, ledger, profile, now, .. } = *input;
    if ledger.pinned_account.as_ref().is_some_and(|pinned| *pinned != observed.account.key) {
        return Some(Distrust::OtherAccount);
    }
    let evidence = &observed.evidence;
    if let Some(service) = evidence.answered_at
        && now.duration_since(service).abs() > CLOCKS_APART
    {
        return Some(Distrust::ClocksDiffer { service, ours: now });
    }
    if evidence.duplicates > 0 {
        return Some(Distrust::Duplicates(evidence.duplicates));
    }
    let (rows, said) = (Count::of(observed, profile), &observed.account.seats);
    let (members, invitations) = (rows.strange_members.into(), rows.strange_invitations.into());
    let used = rows.used(profile);
    // What the service counts, what the rows say, and by how much people whose role or state we do
    // not know can make the two differ.
    let counts: [(&'static str, u64, u64, u64); 7] = [
        ("members", evidence.member_rows, evidence.member_total, 0),
        ("invitations", evidence.invitation_rows, evidence.invitation_total, 0),
        ("owners", rows.owner.into(), said.owner.into(), members),
        ("active members", rows.active.into(), said.active.into(), members),
        ("pending invitations", rows.pending.into(), said.pending.into(), invitations),
        ("trimmed members", rows.trimmed.into(), said.trimmed.into(), members),
        ("used seats", used.into(), said.used.into(), members + invitations),
    ];
    let strange = members + invitations;
    let listed =
        |key: &&MemberKey| key.team_id().is_some_and(|id| !observed.teams.contains_key(id));
    let homeless = observed.members.keys().chain(observed.invitations.keys()).filter(listed);
    let homeless = homeless.count() as u64;
    let pools = pools::used(observed, profile);
    let pools = said.pools.iter().map(|(id, pool)| {
        let rows = pools.get(id).copied().unwrap_or(0);
        ("used seats of a subscription", rows.into(), pool.used.into(), strange)
    });
    counts
        .into_iter()
        .chain(pools)
        .chain([("people of teams that are not listed", homeless, 0, 0)])
        .find(|(_, rows, said, slack)| rows.abs_diff(*said) > *slack)
        .map(|(what, rows, said, _)| Distrust::CountsDiffer { what, rows, said })
}

/// People that absence is measured by: members, trimmed included, and open invitations.
#[must_use]
pub fn people(observed: &Observed) -> u64 {
    let open = observed.invitations.iter().filter(|(person, invitation)| {
        invitation.state == InvitationState::Pending && !observed.members.contains_key(*person)
    });
    (observed.members.len() + observed.evidence.beside.len() + open.count()) as u64
}
