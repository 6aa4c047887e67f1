//! Who moves from one team to another: in first, out then. Somebody who lost the last place in the
//! account could not be added any more, and would have to be invited like a stranger.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::identity::EmailAddress;
use crate::domain::observed::MemberState;
use crate::plan::Rule;
use crate::plan::action::Action;
use crate::plan::draft::Draft;

/// Holds back the removals of people who would lose their last place while another one waits for
/// them; the next look ends them.
pub(super) fn hold(draft: &mut Draft<'_>) {
    let coming: BTreeSet<EmailAddress> = draft
        .candidates
        .iter()
        .filter(|candidate| draft.is_known(&candidate.person.person))
        .map(|candidate| candidate.person.person.clone())
        .collect();
    if coming.is_empty() {
        return;
    }
    let stays = stays(draft);
    for action in std::mem::take(&mut draft.endings) {
        let person = &action.person().person;
        let last = coming.contains(person) && !stays.contains(person);
        if last && matches!(action, Action::Remove { .. }) {
            draft.hold_back(action, Rule::MovesFirst);
        } else {
            draft.endings.push(action);
        }
    }
}

/// People who keep a place with access, whatever ends.
fn stays(draft: &Draft<'_>) -> BTreeSet<EmailAddress> {
    let mut places: BTreeMap<&EmailAddress, usize> = BTreeMap::new();
    for (key, member) in &draft.input.observed.members {
        *places.entry(&key.person).or_insert(0) += usize::from(member.state == MemberState::Active);
    }
    for action in draft.endings.iter().filter(|action| matches!(action, Action::Remove { .. })) {
        if let Some(places) = places.get_mut(&action.person().person) {
            *places = places.saturating_sub(1);
        }
    }
    let kept = places.into_iter().filter(|(_, places)| *places > 0);
    kept.map(|(person, _)| person.clone()).collect()
}
