//! The removal brake, what goes ahead of it, and what a person approves. Source: OP-07.

use std::fmt::Write as _;

use jiff::SignedDuration;
use sha2::{Digest as _, Sha256};

use crate::domain::identity::MemberKey;
use crate::domain::keys::HoldDigest;
use crate::domain::ledger_view::Spend;
use crate::plan::action::Action;
use crate::plan::client_ends::ClientEnd;
use crate::plan::draft::{Draft, is_absence, price};
use crate::plan::trust::people;
use crate::plan::{Approval, Emptied, Hold, HoldCause, Input, Rule, source};

/// How long an approval is good for after it was first seen.
const APPROVAL_LASTS: SignedDuration = SignedDuration::from_hours(1);

/// How far the clock may go back while an approval is good: further, and nobody knows its age.
const APPROVAL_AHEAD: SignedDuration = SignedDuration::from_mins(-5);

/// What the removal brake says.
pub(super) struct Brake {
    /// What became of an approval.
    pub approval: Approval,
    /// Ends of people declared absent go ahead of what is over the limit.
    pub ahead: bool,
}

/// What would be taken away.
struct Wanted {
    endings: Vec<Action>,
    /// Endings that wait for their settling time.
    unsettled: Vec<Action>,
    trims: Vec<Action>,
}

impl Wanted {
    fn all(&self) -> Vec<&Action> {
        self.endings.iter().chain(&self.unsettled).chain(&self.trims).collect()
    }

    /// Lets run what has settled.
    fn run(self, draft: &mut Draft<'_>, approved: bool) {
        for action in self.endings.into_iter().chain(self.trims) {
            draft.act(action);
        }
        for action in self.unsettled {
            if approved {
                draft.act(action);
            } else {
                draft.hold_back(action, Rule::Settling);
            }
        }
    }

    fn hold(self, draft: &mut Draft<'_>, rule: Rule) {
        for action in self.endings.into_iter().chain(self.unsettled).chain(self.trims) {
            if let Some(record) = draft.records.get_mut(action.person()) {
                record.held = true;
            }
            draft.hold_back(action, rule);
        }
    }

    /// Takes out the ends of people that are declared absent.
    fn absences(&mut self) -> Self {
        let take = |actions: &mut Vec<Action>| {
            let all = std::mem::take(actions).into_iter();
            let (absences, others) = all.partition(is_absence);
            *actions = others;
            absences
        };
        let (endings, unsettled) = (take(&mut self.endings), take(&mut self.unsettled));
        Self { endings, unsettled, trims: Vec::new() }
    }
}

/// Removal brake (OP-07): what would be taken away within the sliding window is at most
/// max(maxCount, min(maxPercent of the last trusted count, maxTotal)), or none of it runs until a
/// person approves it. A set that was held stays held when the window slides. A source that is all
/// but empty holds them too, whatever the window allows.
///
/// Ends of people that are declared absent do not wait behind such a set, as long as all of them
/// together are at most maxCount in a window of their own; else they are held with the rest.
pub(super) fn brake(draft: &mut Draft<'_>, trims: Vec<Action>) -> Brake {
    let (endings, unsettled) =
        (std::mem::take(&mut draft.endings), std::mem::take(&mut draft.unsettled));
    let mut wanted = Wanted { endings, unsettled, trims };
    forget_payments(draft, &wanted.all());
    let (allowed, spent) = budget(draft.input);
    let emptied = source::emptied(draft, &wanted.all());
    let mut over = emptied.is_some() || is_over(draft, &wanted.all(), (allowed, spent));
    let ahead = over && fits_ahead(draft.input, unpaid_absences(draft, &wanted.all()));
    if ahead {
        wanted.absences().run(draft, false);
        over = !wanted.all().is_empty() || !draft.client_ends.is_empty();
    }
    let digest = digest(draft, draft.hold_number, &wanted.all());
    let approval = approval(draft.input, over.then_some(&digest));
    let approved = matches!(approval, Approval::Used(_));
    if over && !approved {
        let number = draft.hold_number;
        let lapsed = matches!(approval, Approval::Lapsed(_));
        let digest = if lapsed { self::digest(draft, number + 1, &wanted.all()) } else { digest };
        let hold = hold(draft, digest, &wanted.all(), (allowed, spent), emptied);
        let rule = hold.rule();
        draft.hold = Some(hold);
        draft.client_ends.iter_mut().for_each(|end| end.hold(rule));
        wanted.hold(draft, rule);
        return Brake { approval, ahead };
    }
    draft.client_ends.iter_mut().for_each(|end| end.release(approved));
    wanted.run(draft, approved);
    Brake { approval, ahead }
}

/// True if the brake holds the set. What was paid for was allowed or approved then: a run that was
/// killed goes on.
fn is_over(draft: &Draft<'_>, wanted: &[&Action], (allowed, spent): (u64, u64)) -> bool {
    let unpaid = wanted.iter().filter(|action| !is_paid(draft, action)).count();
    let unpaid = (unpaid + draft.client_ends.len()) as u64;
    let exceeds = unpaid > 0 && spent.saturating_add(unpaid) > allowed;
    exceeds || stays_held(draft, wanted, allowed)
}

/// Ends of people declared absent that the brake was not spent on yet.
fn unpaid_absences(draft: &Draft<'_>, wanted: &[&Action]) -> u64 {
    let absences = wanted.iter().filter(|action| is_absence(action));
    absences.filter(|action| !is_paid(draft, action)).count() as u64
}

/// True if so many ends may go ahead of a held set.
pub(super) fn fits_ahead(input: &Input<'_>, ends: u64) -> bool {
    let Input { ledger, policy, .. } = *input;
    let spent = running(&ledger.brake_ahead, input);
    spent.saturating_add(ends) <= u64::from(policy.removals.max_count)
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
    let Input { observed, ledger, policy, .. } = *input;
    let people = ledger.baseline.map_or_else(|| people(observed), |baseline| baseline.people);
    (policy.removals.allowed(people), running(&ledger.brake_spent, input))
}

/// What was spent of the window that runs.
fn running(spends: &[Spend], input: &Input<'_>) -> u64 {
    let ends = |spend: &Spend| Draft::after(spend.at, input.policy.removals.window);
    let running = spends.iter().filter(|spend| ends(spend) > input.now);
    running.map(|spend| u64::from(spend.count)).sum()
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
pub(super) fn approval(input: &Input<'_>, held: Option<&HoldDigest>) -> Approval {
    let Some(given) = &input.policy.approval else { return Approval::None };
    let seen = input.ledger.approval_seen.as_ref().filter(|(digest, _)| digest == given);
    let age = seen.map(|(_, at)| input.now.duration_since(*at));
    let lapsed = age.is_some_and(|age| age > APPROVAL_LASTS || age < APPROVAL_AHEAD);
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
        Action::Add { person, role, .. } => format!("add {} {role}", place(person)),
        Action::Approve { request, role, .. } => format!("approve {} {role}", request.id),
        Action::Invite { person, role, .. } => format!("invite {} {role}", place(person)),
    }
}

/// The address, and the team where there are many.
pub(super) fn place(key: &MemberKey) -> String {
    let team = key.team.as_ref().map(|team| format!(" {}", team.as_str()));
    format!("{key}{}", team.unwrap_or_default())
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
    let (additions, removals, absent) = (0, all - changes, Vec::new());
    Hold { digest, additions, removals, changes, allowed, spent, why, absent }
}
