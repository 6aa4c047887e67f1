//! Guards: each holds actions back and says which rule. Source: OP-05, OP-06, OP-07.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::domain::keys::{HoldDigest, RoleName};
use crate::domain::ledger_view::{Baseline, Paid, Seen};
use crate::domain::observed::{InvitationState, MemberState, Observed};
use crate::domain::policy::Mode;
use crate::plan::action::Action;
use crate::plan::claims::{Claimed, claimed};
use crate::plan::client_ends::ClientEnd;
use crate::plan::draft::{Draft, price};
use crate::plan::pools;
use crate::plan::simulate::Count;
use crate::plan::{Approval, Distrust, Emptied, Hold, HoldCause, Input, Rule, Stop, source};

/// How long an approval is good for after it was first seen.
const APPROVAL_LASTS: SignedDuration = SignedDuration::from_hours(1);
/// When to look again after counts that do not agree: a person may just have accepted.
const LOOK_AGAIN: SignedDuration = SignedDuration::from_secs(5);

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
        let next_at = now.checked_add(LOOK_AGAIN).ok();
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
        Some((count, at)) if count == people => {
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
    let Input { observed, ledger, profile, .. } = *input;
    if ledger.pinned_account.as_ref().is_some_and(|pinned| *pinned != observed.account.key) {
        return Some(Distrust::OtherAccount);
    }
    let evidence = &observed.evidence;
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
    let pools = pools::used(observed, profile);
    let pools = said.pools.iter().map(|(id, pool)| {
        let rows = pools.get(id).copied().unwrap_or(0);
        ("used seats of a subscription", rows.into(), pool.used.into(), strange)
    });
    counts
        .into_iter()
        .chain(pools)
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

/// What the removal brake says.
pub(super) struct Brake {
    /// What became of an approval.
    pub approval: Approval,
}

/// Removal brake (OP-07): what would be taken away within the sliding window is at most
/// max(maxCount, min(maxPercent of the last trusted count, maxTotal)), or none of it runs until a
/// person approves it. A set that was held stays held when the window slides. A source that is all
/// but empty holds them too, whatever the window allows.
pub(super) fn brake(draft: &mut Draft<'_>, trims: Vec<Action>) -> Brake {
    let (endings, unsettled) =
        (std::mem::take(&mut draft.endings), std::mem::take(&mut draft.unsettled));
    let wanted: Vec<&Action> = endings.iter().chain(&unsettled).chain(&trims).collect();
    forget_payments(draft, &wanted);
    let (allowed, spent) = budget(draft.input);
    let clients = &draft.client_ends;
    let unpaid = wanted.iter().filter(|action| !is_paid(draft, action)).count() + clients.len();
    let unpaid = unpaid as u64;
    // What was paid for was allowed or approved then: a run that was killed goes on.
    let exceeds = unpaid > 0 && spent.saturating_add(unpaid) > allowed;
    let emptied = source::emptied(draft, &wanted);
    let over = emptied.is_some() || exceeds || stays_held(draft, &wanted, allowed);
    let digest = digest(draft, draft.input.ledger.hold_number, &wanted);
    let approval = approval(draft.input, over.then_some(&digest));
    let approved = matches!(approval, Approval::Used(_));
    if over && !approved {
        let number = draft.input.ledger.hold_number;
        let lapsed = matches!(approval, Approval::Lapsed(_));
        let digest = if lapsed { self::digest(draft, number + 1, &wanted) } else { digest };
        let hold = hold(draft, digest, &wanted, (allowed, spent), emptied);
        let rule = hold.rule();
        draft.hold = Some(hold);
        draft.client_ends.iter_mut().for_each(|end| end.hold(rule));
        for action in endings.into_iter().chain(unsettled).chain(trims) {
            if let Some(record) = draft.records.get_mut(action.person()) {
                record.held = true;
            }
            draft.hold_back(action, rule);
        }
        return Brake { approval };
    }
    draft.client_ends.iter_mut().for_each(|end| end.release(approved));
    for action in endings.into_iter().chain(trims) {
        draft.act(action);
    }
    for action in unsettled {
        if approved {
            draft.act(action);
        } else {
            draft.hold_back(action, Rule::Settling);
        }
    }
    Brake { approval }
}

/// What was paid for somebody who is no longer to lose anything is forgotten; not while a send may
/// still turn out not to have been made: then the person is as before.
fn forget_payments(draft: &mut Draft<'_>, wanted: &[&Action]) {
    let open_sends = &draft.input.ledger.open_sends;
    let wanted: std::collections::BTreeSet<_> = wanted.iter().map(|a| a.person()).collect();
    for (person, record) in &mut draft.records {
        if !wanted.contains(person) && !open_sends.contains_key(person) {
            record.paid = None;
        }
    }
}

/// Removals allowed in a window, and those spent in the one that runs.
pub(super) fn budget(input: &Input<'_>) -> (u64, u64) {
    let Input { observed, ledger, policy, now, .. } = *input;
    let people = ledger.baseline.map_or_else(|| people(observed), |baseline| baseline.people);
    let running = ledger
        .brake_spent
        .iter()
        .filter(|spend| Draft::after(spend.at, policy.removals.window) > now);
    (policy.removals.allowed(people), running.map(|spend| u64::from(spend.count)).sum())
}

/// True if the brake was spent on this very thing before: a run that was killed pays once.
pub(super) fn is_paid(draft: &Draft<'_>, action: &Action) -> bool {
    let record = draft.records.get(action.person());
    price(action).is_some_and(|price| record.is_some_and(|record| record.paid == Some(price)))
}

fn stays_held(draft: &Draft<'_>, wanted: &[&Action], allowed: u64) -> bool {
    let ledger = draft.input.ledger;
    let hold = ledger.hold.as_ref().filter(|hold| hold.emptied_under.is_none());
    hold.is_some_and(|hold| hold.allowed >= allowed)
        && (draft.client_ends.iter().any(|end| end.was_held)
            || wanted
                .iter()
                .any(|action| ledger.people.get(action.person()).is_some_and(|record| record.held)))
}

/// What becomes of the approval that a person gave, if any; `held` is the digest it must match.
fn approval(input: &Input<'_>, held: Option<&HoldDigest>) -> Approval {
    let Some(given) = &input.policy.approval else { return Approval::None };
    let seen = input.ledger.approval_seen.as_ref().filter(|(digest, _)| digest == given);
    let lapsed = seen.is_some_and(|(_, at)| input.now.duration_since(*at) > APPROVAL_LASTS);
    match (held == Some(given), lapsed, seen) {
        (true, false, _) => Approval::Used(given.clone()),
        (true, true, _) => Approval::Lapsed(given.clone()),
        (false, _, None) => Approval::Seen(given.clone()),
        (false, _, Some(_)) => Approval::None,
    }
}

/// Digest of a set: account, number of the hold, ids and roles.
fn digest(draft: &Draft<'_>, number: u64, wanted: &[&Action]) -> HoldDigest {
    let mut lines: Vec<String> = wanted.iter().map(|action| line(action)).collect();
    lines.extend(draft.client_ends.iter().map(ClientEnd::line));
    lines.sort();
    let text = format!("{}\n{number}\n{}", draft.input.observed.account.key, lines.join("\n"));
    hex(&Sha256::digest(text))
}

/// What an action is in a digest: ids and roles.
pub(super) fn line(action: &Action) -> String {
    match action {
        Action::RevokeInvitation { invitation, .. } => format!("revoke {}", invitation.id),
        Action::Trim { member, .. } => format!("trim {}", member.id),
        Action::Remove { member, .. } => format!("remove {}", member.id),
        Action::ChangeRole { member, to, .. } => format!("change {} {to}", member.id),
        Action::ChangeInvitedRole { invitation, to, .. } => {
            format!("change {} {to}", invitation.id)
        }
        Action::CancelOwnerChange { change, .. } => format!("cancel {}", change.id),
        Action::ChangeOwner { member, role, .. } => format!("owner {member} {role}"),
        Action::Reinstate { member, .. } => format!("reinstate {}", member.id),
        Action::Resend { invitation, .. } => format!("resend {}", invitation.id),
        Action::Add { person, role, .. } => format!("add {person} {role}"),
        Action::Invite { person, role, .. } => format!("invite {person} {role}"),
    }
}

/// The first bytes of a digest, as people copy it.
pub(super) fn hex(digest: &[u8]) -> HoldDigest {
    let mut hex = String::with_capacity(16);
    for byte in digest.iter().take(8) {
        let _ = write!(hex, "{byte:02x}");
    }
    HoldDigest(hex)
}

fn hold(
    draft: &Draft<'_>,
    digest: HoldDigest,
    wanted: &[&Action],
    (allowed, spent): (u64, u64),
    emptied: Option<Emptied>,
) -> Hold {
    let lowered = |action: &&&Action| matches!(action, Action::ChangeRole { .. });
    let changes = u32::try_from(wanted.iter().filter(lowered).count()).unwrap_or(u32::MAX);
    let all = wanted.len() + draft.client_ends.len();
    let all = u32::try_from(all).unwrap_or(u32::MAX);
    let why = emptied.map_or(HoldCause::RemovalBrake, HoldCause::EmptySource);
    Hold { digest, additions: 0, removals: all - changes, changes, allowed, spent, why }
}
