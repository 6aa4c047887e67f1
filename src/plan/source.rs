//! Empty source: more than half of the declared people gone at once is a lost file, a wrong folder or
//! a failed checkout more often than it is meant (OP-07).

use crate::domain::desired::DeletionPolicy;
use crate::domain::ledger_view::{Paid, PersonRecord};
use crate::plan::action::{Action, EndCause};
use crate::plan::brake::is_paid;
use crate::plan::draft::Draft;
use crate::plan::names::Names;
use crate::plan::{Emptied, Input};

/// People that were declared last time, and how many of them are not any more. Who was left behind on
/// purpose and whose end was allowed before count as neither.
pub(super) fn gone(input: &Input<'_>, names: &Names) -> Emptied {
    let Input { desired, ledger, .. } = *input;
    let counts = |record: &PersonRecord| {
        let known = record.owned && !record.opted_out && !record.lost;
        let revoked = record.deletion_policy == DeletionPolicy::Revoke;
        known && revoked && record.paid != Some(Paid::End)
    };
    let known = ledger.people.iter().filter(|(_, record)| counts(record));
    let mut emptied = Emptied { gone: ledger.out_of_sight, declared: ledger.out_of_sight };
    for (person, _) in known {
        let is_declared = desired.people.contains_key(person)
            || desired.absent.contains_key(person)
            || desired.is_frozen(person)
            || names.is_other(person);
        emptied.gone += u64::from(!is_declared);
        emptied.declared += 1;
    }
    emptied
}

/// What is gone of the source, if that alone holds what `wanted` takes away: more than half and more
/// than `maxCount`, whatever the window allows; or part of it was held for this before.
pub(super) fn emptied(draft: &Draft<'_>, wanted: &[&Action]) -> Option<Emptied> {
    let emptied = gone(draft.input, draft.names);
    let ends = wanted.iter().any(|action| is_undeclared(action) && !is_paid(draft, action));
    let holds = (ends && is_over(draft.input, emptied)) || stays_held(draft.input, wanted);
    holds.then_some(emptied)
}

/// True if it ends what a declaration, now gone, had granted.
pub(super) fn is_undeclared(action: &Action) -> bool {
    match action {
        Action::Remove { cause, .. } | Action::RevokeInvitation { cause, .. } => {
            *cause == EndCause::NotDeclared
        }
        Action::Trim { .. }
        | Action::ChangeRole { .. }
        | Action::CancelOwnerChange { .. }
        | Action::ChangeOwner { .. }
        | Action::ChangeInvitedRole { .. }
        | Action::Reinstate { .. }
        | Action::Resend { .. }
        | Action::Add { .. }
        | Action::Approve { .. }
        | Action::Invite { .. } => false,
    }
}

/// True if so many are gone that no removal may run unapproved.
pub(super) fn is_over(input: &Input<'_>, Emptied { gone, declared }: Emptied) -> bool {
    gone > u64::from(input.policy.removals.max_count) && gone.saturating_mul(2) > declared
}

/// Held for an empty source, and `maxCount` was not raised since.
fn stays_held(input: &Input<'_>, wanted: &[&Action]) -> bool {
    let under = input.ledger.hold.as_ref().and_then(|hold| hold.emptied_under);
    let held = |person| input.ledger.people.get(person).is_some_and(|record| record.held);
    under.is_some_and(|under| under >= input.policy.removals.max_count)
        && wanted.iter().any(|action| held(action.person()))
}
