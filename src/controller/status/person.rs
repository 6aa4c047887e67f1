//! What can be said of one person: the table of states, row by row. Pure.

use crate::api::MembershipState;
use crate::controller::status::Looked;
use crate::controller::status::conditions::{Say, Says};
use crate::domain::identity::EmailAddress;
use crate::domain::policy::Mode;
use crate::plan::{Outlook, Rule, State};

/// What can be said of the declaration of `person`, which is valid.
pub fn says(looked: &Looked, person: &EmailAddress, outlook: &Outlook) -> Says {
    let synced = synced(looked, person, outlook);
    let waits = outlook.state.needs_person() || outlook.rule.is_some_and(Rule::needs_person);
    let stalls = waits && looked.mode > Mode::Observe && looked.plan.stop.is_none();
    let stalled = stalls.then(|| Say { truth: super::conditions::Truth::True, ..synced.clone() });
    Says { accepted: accepted(), synced, stalled }
}

/// The declaration is valid.
pub fn accepted() -> Say {
    Say::yes("Accepted", "valid, and what it names exists")
}

fn synced(looked: &Looked, person: &EmailAddress, outlook: &Outlook) -> Say {
    if looked.mode == Mode::Observe {
        return Say::yes(Rule::Observing.reason(), Rule::Observing.message());
    }
    if let Some(stop) = &looked.plan.stop {
        return Say::unknown(stop.reason(), stop.to_string());
    }
    if let Some(trouble) = looked.refused.get(person) {
        return Say::no(trouble.reason, trouble.message.clone());
    }
    let state = outlook.state;
    let held = |rule: Option<Rule>| match rule {
        Some(rule) => Say::no(rule.reason(), rule.message()),
        None => Say::no(state.as_str(), state.message()),
    };
    match state {
        State::Planned | State::Removing => held(outlook.rule),
        State::Queued | State::Trimmed => {
            let place = outlook.position.map(|position| format!("; position {position}"));
            let message = format!("{}{}", state.message(), place.unwrap_or_default());
            Say::no(Rule::SeatLimit.reason(), message)
        }
        State::Sending | State::InDoubt => Say::unknown(state.as_str(), state.message()),
        State::Pending | State::Active => match (outlook.rule, outlook.role_differs) {
            (Some(_), _) => held(outlook.rule),
            (None, true) => Say::no("RoleDiffers", "the account service has another role"),
            (None, false) => Say::yes(state.as_str(), state.message()),
        },
        State::Expired | State::Failed | State::Lost | State::OptedOut => held(None),
    }
}

/// The state in the words of the contract.
pub fn state(state: State) -> MembershipState {
    match state {
        State::Planned => MembershipState::Planned,
        State::Queued => MembershipState::Queued,
        State::Sending => MembershipState::Sending,
        State::InDoubt => MembershipState::InDoubt,
        State::Pending => MembershipState::Pending,
        State::Active => MembershipState::Active,
        State::Removing => MembershipState::Removing,
        State::Expired => MembershipState::Expired,
        State::Failed => MembershipState::Failed,
        State::Lost => MembershipState::Lost,
        State::OptedOut => MembershipState::OptedOut,
        State::Trimmed => MembershipState::Trimmed,
    }
}
