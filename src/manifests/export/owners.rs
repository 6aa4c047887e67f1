//! Changes of owner that wait for an answer.

use crate::domain::identity::MemberKey;
use crate::domain::observed::{MemberState, Observed};
use crate::domain::ownership::{ObservedOwnershipChange, OwnershipState};
use crate::manifests::export::people::People;
use crate::profile::{OwnershipChange, Profile, Scope, Teams};

/// Declares who is about to become an owner beside the present ones as one: the declaration adopts
/// the change that waits, and asks nobody again. Where the role moves on, both stay as they are until
/// it has.
pub fn becoming<'a>(profile: &Profile, observed: &'a Observed, people: &mut People<'a>) {
    let open = observed.ownership_changes.iter().flatten().filter(|row| row.state.is_open());
    for row in open {
        let place = observed.members.iter().find(|(_, member)| member.id == row.member);
        let Some((key, member)) = place else { continue };
        let role = profile.role(&row.role);
        let by = role.and_then(|role| role.ownership_change.as_ref());
        let known = row.state != OwnershipState::Unknown && member.state == MemberState::Active;
        match by.filter(|_| known) {
            Some(OwnershipChange::Add) => {
                let whole = profile.teams == Teams::One
                    || role.is_some_and(|role| role.scope == Scope::Account);
                people.declare(key.team_id().filter(|_| !whole), &key.person, &row.role);
            }
            Some(OwnershipChange::Move { former_becomes }) => {
                let after = format!(
                    "{}: once it is done, give them that role here, and the former one {former_becomes}",
                    waits(key, row)
                );
                people.leave_out(None, after);
            }
            None => people.leave_out(None, waits(key, row)),
        }
    }
}

fn waits(key: &MemberKey, row: &ObservedOwnershipChange) -> String {
    format!("a change that makes {key} {} waits for its answer", row.role)
}
