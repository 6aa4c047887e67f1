//! What can be said of one person: the table of states, row by row. Pure.

use crate::api::MembershipState;
use crate::controller::status::conditions::{Say, Says};
use crate::controller::status::{Looked, Trouble};
use crate::domain::identity::MemberKey;
use crate::domain::policy::Mode;
use crate::domain::reason::Reason;
use crate::plan::{Outlook, Rule, State, Stop};

/// Added where no declaration says any more that the row is the person's.
const REMEMBERED: &str = "; known by an earlier address that `formerly` does not list any more";

/// What can be said of the declaration of `person`, which is valid.
pub fn says(looked: &Looked, person: &MemberKey, outlook: &Outlook) -> Says {
    let Looked { plan, mode, refused, .. } = looked;
    judge(*mode, plan.stop.as_ref(), refused.get(person), outlook)
}

fn judge(mode: Mode, stop: Option<&Stop>, refused: Option<&Trouble>, outlook: &Outlook) -> Says {
    let synced = synced(mode, stop, refused, outlook);
    let waits = outlook.needs_person()
        || outlook.rule.is_some_and(Rule::needs_person)
        || refused.is_some_and(|trouble| trouble.is_final);
    let stalls = waits && mode > Mode::Observe && stop.is_none();
    let stalled = stalls.then(|| Say { truth: super::conditions::Truth::True, ..synced.clone() });
    Says { accepted: accepted(), synced, stalled }
}

/// The declaration is valid.
pub fn accepted() -> Say {
    Say::yes(Reason::Accepted, Reason::Accepted.says())
}

fn synced(mode: Mode, stop: Option<&Stop>, refused: Option<&Trouble>, outlook: &Outlook) -> Say {
    if mode == Mode::Observe {
        return Say::yes(Rule::Observing.reason(), Rule::Observing.message());
    }
    if let Some(stop) = stop {
        return Say::unknown(stop.reason(), stop.to_string());
    }
    if let Some(trouble) = refused {
        return Say::no(trouble.reason, trouble.message.clone());
    }
    let state = outlook.state;
    let held = |rule: Option<Rule>| match rule {
        Some(rule) => Say::no(rule.reason(), rule.message()),
        None => Say::no(state.reason(), state.message()),
    };
    match state {
        State::Planned | State::Removing => held(outlook.rule),
        State::Queued | State::Trimmed => {
            let place = outlook.position.map(|position| format!("; position {position}"));
            let way_out = match state {
                State::Trimmed => ": remove someone, withdraw an invitation, or upgrade the plan",
                _ => "",
            };
            let place = place.unwrap_or_default();
            let message = format!("{}{way_out}{place}", state.message());
            Say::no(Rule::SeatLimit.reason(), message)
        }
        State::Sending | State::InDoubt => Say::unknown(state.reason(), state.message()),
        State::Pending
        | State::AwaitingConfirmation
        | State::AwaitingAcceptance
        | State::Active => match (outlook.rule, outlook.role_differs) {
            (Some(_), _) => held(outlook.rule),
            (None, true) if matches!(state, State::Pending | State::Active) => {
                Say::no(Reason::RoleDiffers, "the account service has another role")
            }
            (None, _) => {
                let ends = outlook.ends_at.map(|at| format!("; access ends at {at}"));
                let known = if outlook.remembered { REMEMBERED } else { "" };
                let message = format!("{}{}{known}", state.message(), ends.unwrap_or_default());
                Say::yes(state.reason(), message)
            }
        },
        State::Expired | State::Failed | State::Lost => held(outlook.rule),
        State::OptedOut => held(None),
        State::Absent => Say::yes(state.reason(), state.message()),
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
        State::AwaitingConfirmation => MembershipState::AwaitingConfirmation,
        State::AwaitingAcceptance => MembershipState::AwaitingAcceptance,
        State::Active => MembershipState::Active,
        State::Removing => MembershipState::Removing,
        State::Expired => MembershipState::Expired,
        State::Failed => MembershipState::Failed,
        State::Lost => MembershipState::Lost,
        State::OptedOut => MembershipState::OptedOut,
        State::Trimmed => MembershipState::Trimmed,
        State::Absent => MembershipState::Absent,
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::backend::BackendError;
    use crate::controller::status::Trouble;
    use crate::controller::status::conditions::Truth;
    use crate::domain::policy::Mode;
    use crate::plan::{Outlook, Rule, State, Stop};

    fn outlook(state: State, rule: Option<Rule>, role_differs: bool) -> Outlook {
        Outlook {
            state,
            rule,
            position: (state == State::Queued).then_some(3),
            member: None,
            role_seen: None,
            role_differs,
            sent_at: None,
            expires_at: None,
            attempts: 0,
            next_action_at: None,
            ends_at: None,
            declared_as: None,
            remembered: false,
        }
    }

    /// `Synced`, its reason, and `stalled` while a person must act.
    fn check(mode: Mode, stop: Option<&Stop>, refused: Option<&Trouble>, of: &Outlook) -> String {
        let says = judge(mode, stop, refused, of);
        let truth = match says.synced.truth {
            Truth::True => "True",
            Truth::False => "False",
            Truth::Unknown => "Unknown",
        };
        assert_eq!(says.accepted.truth, Truth::True);
        assert!(!says.synced.message.contains('@'));
        let stalled = says.stalled.map_or("", |_| " stalled");
        format!("{truth} {}{stalled}", says.synced.reason)
    }

    /// The table of states.
    #[test]
    fn every_state_says_what_the_table_says() {
        let none = None;
        let rows = [
            (State::Planned, Some(Rule::MailBudget), false, "False MailBudget"),
            (State::Planned, Some(Rule::ServiceDisabled), false, "False ServiceDisabled stalled"),
            (State::Queued, Some(Rule::SeatLimit), false, "False SeatLimitReached stalled"),
            (State::Sending, none, false, "Unknown Sending"),
            (State::InDoubt, none, false, "Unknown InDoubt stalled"),
            (State::Pending, none, false, "True Pending"),
            (State::AwaitingConfirmation, none, true, "True AwaitingConfirmation"),
            (State::AwaitingAcceptance, none, true, "True AwaitingAcceptance"),
            (State::Active, none, false, "True Active"),
            (State::Active, Some(Rule::OwnerChangeEnded), true, "False OwnerChangeEnded stalled"),
            (State::Planned, Some(Rule::NotMemberYet), true, "False NotMemberYet stalled"),
            (State::Active, none, true, "False RoleDiffers"),
            (State::Active, Some(Rule::RemovalBrake), true, "False RemovalHeld stalled"),
            (State::Active, Some(Rule::NotUnderstood), true, "False NotUnderstood stalled"),
            (State::Removing, Some(Rule::Settling), false, "False Settling"),
            (State::Removing, Some(Rule::RemovalBrake), false, "False RemovalHeld stalled"),
            (State::Absent, none, false, "True Absent"),
            (State::Expired, none, false, "False Expired"),
            (State::Expired, Some(Rule::MailCap), false, "False MailCap"),
            (State::Expired, Some(Rule::RenewalSpent), false, "False RenewalSpent stalled"),
            (State::Failed, none, false, "False Failed stalled"),
            (State::Lost, none, false, "False Lost stalled"),
            (State::OptedOut, none, false, "False OptedOut stalled"),
            (State::Trimmed, Some(Rule::SeatLimit), false, "False SeatLimitReached stalled"),
        ];
        for (state, rule, role_differs, said) in rows {
            let outlook = outlook(state, rule, role_differs);
            assert_eq!(check(Mode::Manage, None, None, &outlook), said, "{state:?}");
        }
    }

    #[test]
    fn mode_observe_has_nothing_left_to_do_and_a_stop_knows_nothing() {
        let queued = outlook(State::Queued, Some(Rule::SeatLimit), false);
        assert_eq!(check(Mode::Observe, None, None, &queued), "True Observing");
        let stop = Some(&Stop::ClaimedByOther);
        assert_eq!(check(Mode::Manage, stop, None, &queued), "Unknown ClaimedByOther");
    }

    #[test]
    fn what_the_service_refused_is_said() {
        let planned = outlook(State::Planned, None, false);
        for (error, said) in [
            (BackendError::Forbidden { code: "no".into() }, "False Forbidden stalled"),
            (BackendError::Rejected { code: "no".into() }, "False BackendRejected stalled"),
            (BackendError::Rejected { code: "seat-limit-reached".into() }, "False BackendRejected"),
            (BackendError::Failed { status: 500 }, "False BackendFailed"),
        ] {
            let trouble = Trouble::from(&error);
            assert_eq!(check(Mode::Manage, None, Some(&trouble), &planned), said);
        }
    }

    #[test]
    fn a_place_in_the_queue_is_said_with_the_ways_out() {
        let queued = outlook(State::Queued, Some(Rule::SeatLimit), false);
        let message = judge(Mode::Manage, None, None, &queued).synced.message;
        assert!(message.ends_with("; position 3") && message.contains("upgrade"), "{message}");
    }
}
