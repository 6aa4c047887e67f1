//! Guards: each holds actions back and says which rule. Source: OP-05, OP-06, OP-07.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::domain::identity::MemberKey;
use crate::domain::keys::RoleName;
use crate::domain::ledger_view::{Baseline, Paid, Seen};
use crate::domain::observed::{InvitationState, MemberState, Observed};
use crate::domain::policy::Mode;
use crate::plan::action::Action;
use crate::plan::claims::{Claimed, claimed};
use crate::plan::draft::Draft;
use crate::plan::pools;
use crate::plan::simulate::Count;
use crate::plan::{Distrust, Input, Rule, Stop};

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
}

/// Weighs a read: absence may be concluded only from one that agrees with itself and with the last
/// trusted one, less what the brake would allow to go (OP-07).
pub(super) fn trust(input: &Input<'_>) -> Trust {
    let Input { observed, ledger, policy, now, .. } = *input;
    if let Some(distrust) = disagreement(input) {
        // A clock is set by a person: that takes its time.
        let soon = !matches!(distrust, Distrust::ClocksDiffer { .. });
        let next_at = now.checked_add(LOOK_AGAIN).ok().filter(|_| soon);
        return Trust { distrust: Some(distrust), baseline: None, next_at };
    }
    let people = people(observed);
    let new = Baseline { people, smaller: None };
    let Some(old) = ledger.baseline else {
        return Trust { baseline: Some(new), ..Trust::default() };
    };
    let missing = old.people.saturating_sub(people).saturating_sub(explained(input));
    let empty = people == 0 && missing > 0;
    if !empty && missing <= policy.removals.allowed(old.people) {
        return Trust { baseline: (old != new).then_some(new), ..Trust::default() };
    }
    let distrust = Some(Distrust::Shrunk { before: old.people, now: people });
    match old.smaller {
        // One that was noted in the future is noted anew: the clock went back since.
        Some((count, at)) if count == people && at <= now => {
            let agreed_at = Draft::after(at, policy.removals.settle);
            if now >= agreed_at {
                Trust { baseline: Some(new), ..Trust::default() }
            } else {
                Trust { distrust, baseline: None, next_at: Some(agreed_at) }
            }
        }
        _ => Trust {
            distrust,
            baseline: Some(Baseline { people: old.people, smaller: Some((people, now)) }),
            next_at: Some(Draft::after(now, policy.removals.settle)),
        },
    }
}

/// People that are gone for a cause that we know: we ended them ourselves, or their invitation is
/// listed as over.
fn explained(input: &Input<'_>) -> u64 {
    let Input { observed, ledger, .. } = *input;
    let gone = ledger.people.iter().filter(|(person, record)| {
        let invitation = observed.invitations.get(*person);
        let open = invitation.is_some_and(|row| row.state == InvitationState::Pending);
        let ours = record.paid == Some(Paid::End) || invitation.is_some();
        record.seen != Seen::Never && !observed.members.contains_key(*person) && !open && ours
    });
    gone.count() as u64
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
    (observed.members.len() + open.count()) as u64
}

/// Why nothing at all may be written.
pub(super) fn stop(input: &Input<'_>, trust: &Trust) -> Option<Stop> {
    let policy = input.policy;
    if let Some(distrust) = &trust.distrust {
        return Some(Stop::ReadUntrusted(distrust.clone()));
    }
    if policy.mode > Mode::Observe && claimed(input) == Claimed::ByOther {
        return Some(Stop::ClaimedByOther);
    }
    policy.suspend.then_some(Stop::Suspended)
}

/// Owner guard (OP-05): never fewer confirmed holders than the profile's minimum, counted on what
/// would be left; never our own identity.
pub(super) fn owners(draft: &mut Draft<'_>) {
    let mut holders = holders(draft.input);
    for action in std::mem::take(&mut draft.endings) {
        match ends_role(draft.input.observed, &action) {
            Some(_) if is_caller(draft.input, &action) => {
                draft.hold_back(action, Rule::OwnIdentity);
            }
            Some(role) if !leaves_enough(draft.input, &mut holders, &role) => {
                draft.hold_back(action, Rule::OwnerGuard);
            }
            Some(_) | None => draft.endings.push(action),
        }
    }
    most_holders(draft);
}

/// Holds back raises to a role that already has its most holders; an ownership changes hands in
/// two confirmed steps, not by a change of role.
fn most_holders(draft: &mut Draft<'_>) {
    let mut holders = holders(draft.input);
    for action in std::mem::take(&mut draft.changes) {
        let Action::ChangeRole { to, .. } = &action else {
            draft.changes.push(action);
            continue;
        };
        let most = draft.input.profile.role(to).and_then(|role| role.max_holders);
        let count = holders.entry(to.clone()).or_insert(0);
        if most.is_some_and(|most| *count >= most) {
            draft.hold_back(action, Rule::OwnerGuard);
        } else {
            *count += 1;
            draft.changes.push(action);
        }
    }
}

/// Confirmed holders of each role.
pub(super) fn holders(input: &Input<'_>) -> BTreeMap<RoleName, u32> {
    let mut holders = BTreeMap::new();
    for member in input.observed.members.values() {
        if let (MemberState::Active, Some(role)) = (member.state, member.role.known()) {
            *holders.entry(role.clone()).or_insert(0) += 1;
        }
    }
    holders
}

/// The role that somebody who has it now would no longer have.
pub(super) fn ends_role(observed: &Observed, action: &Action) -> Option<RoleName> {
    let ends =
        matches!(action, Action::Remove { .. } | Action::Trim { .. } | Action::ChangeRole { .. });
    let member = observed.members.get(action.person()).filter(|_| ends)?;
    member.role.known().cloned()
}

fn is_caller(input: &Input<'_>, action: &Action) -> bool {
    let member = input.observed.members.get(action.person());
    member.is_some_and(|member| input.observed.account.caller.as_ref() == Some(&member.id))
}

fn leaves_enough(
    input: &Input<'_>,
    holders: &mut BTreeMap<RoleName, u32>,
    role: &RoleName,
) -> bool {
    let least = input.profile.role(role).map_or(0, |role| role.min_holders);
    let Some(count) = holders.get_mut(role) else { return true };
    if least > 0 && *count <= least {
        return false;
    }
    *count = count.saturating_sub(1);
    true
}

/// In the operator a removal waits from first sight, so that a mass deletion is seen as one plan.
/// Lower roles and trims do not wait.
pub(super) fn settle(draft: &mut Draft<'_>) {
    let Some(first_wanted) = &draft.input.ledger.first_wanted else { return };
    for action in std::mem::take(&mut draft.endings) {
        let since = first_wanted.people.get(action.person()).copied().unwrap_or(draft.input.now);
        let settled_at = Draft::after(since, draft.input.policy.removals.settle);
        if matches!(action, Action::ChangeRole { .. }) || draft.input.now >= settled_at {
            draft.endings.push(action);
        } else {
            draft.timers.insert(settled_at);
            draft.unsettled.push(action);
        }
    }
}
