//! Status of an Account. Pure.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::api::{Account, AccountState, AccountStatus, Held, HeldByRule, Seats, SubscriptionSeen};
use crate::controller::error::ReconcileError;
use crate::controller::status::conditions::{Say, Says, Truth, time};
use crate::controller::status::domains;
use crate::controller::status::{Finding, Looked, Picture, Trouble, clip, number, person, way_out};
use crate::domain::capability::Capability;
use crate::domain::identity::MemberKey;
use crate::domain::observed::{Observed, SeatLimit};
use crate::domain::policy::Mode;
use crate::domain::reason::Reason;
use crate::manifests::APPROVE_ANNOTATION;
use crate::plan::action::Action;
use crate::plan::client_access::{ClientAction, HeldClient};
use crate::plan::ladder::Radius;
use crate::plan::{Emptied, Held as HeldAction, Hold, HoldCause, Plan, Rule, Stop};
use crate::profile::Profile;

/// People that are named for each rule.
const NAMED: usize = 10;
/// Subscriptions that are shown.
const SUBSCRIPTIONS: usize = 64;

/// The next status.
pub fn next(account: &Account, picture: &Picture<'_>, now: Timestamp) -> AccountStatus {
    let old = account.status.clone().unwrap_or_default();
    let (mut next, says) = match picture.finding {
        Finding::Looked(looked) => {
            let (state, says) = judge(account, looked, picture.account_ends);
            let mut next = describe(looked, picture, state);
            domains::describe(&mut next, looked, &old);
            (next, says)
        }
        Finding::Failed(error) if error.is_rejection() => {
            let state = error.state();
            (AccountStatus { state, ..AccountStatus::default() }, failed(account, picture, error))
        }
        Finding::Failed(error) => {
            let state = error.state().or(old.state);
            (AccountStatus { state, ..old.clone() }, failed(account, picture, error))
        }
    };
    next.observed_generation = account.metadata.generation;
    next.conditions = says.conditions(&old.conditions, account.metadata.generation, now);
    next
}

/// What can be said when the account could not be looked at.
fn failed(account: &Account, picture: &Picture<'_>, error: &ReconcileError) -> Says {
    let reason = error.reason();
    let mut message = match error {
        ReconcileError::NotAccepted(rejection) => rejection.text(),
        other => other.says(),
    };
    if account.metadata.deletion_timestamp.is_some() {
        message.push_str(&way_out(picture.account_ends));
    }
    let stalled = error.needs_person().then(|| Say::yes(reason, message.clone()));
    if error.is_rejection() {
        let synced = Say::unknown(Reason::NotAccepted, Reason::NotAccepted.says());
        return Says { accepted: Say::no(reason, message), synced, stalled };
    }
    Says { accepted: person::accepted(), synced: Say::no(reason, message), stalled }
}

/// What a look says of the account as a whole.
fn judge(account: &Account, looked: &Looked, ends: Option<Timestamp>) -> (AccountState, Says) {
    let (state, mut synced, waits) = synced(account, looked);
    if account.metadata.deletion_timestamp.is_some() {
        synced.message.push_str(&way_out(ends));
    }
    let stalled = waits.then(|| Say { truth: Truth::True, ..synced.clone() });
    (state, Says { accepted: person::accepted(), synced, stalled })
}

/// State, condition, and whether a person must act.
fn synced(account: &Account, looked: &Looked) -> (AccountState, Say, bool) {
    let Looked { plan, mode, .. } = looked;
    if let Some(stop) = &plan.stop {
        let (state, waits) = match stop {
            Stop::Suspended => (AccountState::Suspended, true),
            Stop::ClaimedByOther => (AccountState::ClaimedByOther, true),
            Stop::LedgerLost => {
                let message = explain(account, plan, Rule::LedgerLost);
                return (AccountState::LedgerLost, Say::no(stop.reason(), message), true);
            }
            Stop::ReadUntrusted(_) => {
                let message = untrusted(account, plan, stop);
                return (AccountState::ReadUntrusted, Say::no(stop.reason(), message), false);
            }
        };
        return (state, Say::no(stop.reason(), stop.to_string()), waits);
    }
    if *mode == Mode::Observe {
        let steps: String = looked.ladder.iter().map(step).collect();
        let message = format!("{} changes would be made{steps}", held_in_all(plan));
        return (AccountState::Observing, Say::yes(Rule::Observing.reason(), message), false);
    }
    if let Some(trouble) = looked.stopped.as_ref().or_else(|| refused(looked)) {
        let say = Say::no(trouble.reason, trouble.message.clone());
        return (trouble.state, say, trouble.is_final);
    }
    if let Some(rule) = gravest(plan) {
        let message = explain(account, plan, rule);
        let say = Say::no(rule.reason(), message);
        return (AccountState::Held, say, rule.needs_person());
    }
    if let Some(shortage) = &plan.shortage
        && !shortage.people.is_empty()
    {
        let people = shortage.people.len();
        let when =
            shortage.enforce_at.map(|at| format!("; the service enforces the limit at {at}"));
        let message = format!(
            "{people} people are over the limit{}: remove someone, upgrade the plan, or set \
             spec.onSeatShortage to Trim",
            when.unwrap_or_default()
        );
        return (AccountState::Held, Say::no(Rule::SeatLimit.reason(), message), true);
    }
    if let Some(said) = beside_people(account, looked) {
        return said;
    }
    let left = plan.actions.len() + plan.recipients.actions.len() + plan.domains.actions.len();
    if left > 0 {
        let message = format!("{left} changes are to be made");
        return (AccountState::Synced, Say::no(Reason::Planned, message), false);
    }
    (AccountState::Synced, Say::yes(Reason::Synced, Reason::Synced.says()), false)
}

/// What one mode would do: `; Manage: +2 ~1 -1`.
fn step((mode, plan): &(Mode, Plan)) -> String {
    let Radius { additions, changes, removals, held } = Radius::of(plan);
    let done = [("+", additions), ("~", changes), ("-", removals)];
    let done = done.into_iter().filter(|(_, count)| *count > 0);
    let mut what: Vec<_> = done.map(|(sign, count)| format!("{sign}{count}")).collect();
    if held > 0 {
        what.push(format!("({held} held)"));
    }
    what.extend(plan.stop.as_ref().map(|stop| format!("({})", stop.reason())));
    let what = if what.is_empty() { "nothing".to_owned() } else { what.join(" ") };
    format!("; {mode:?}: {what}")
}

/// What is wrong with clients, recipients and domains; `None`: nothing.
fn beside_people(account: &Account, looked: &Looked) -> Option<(AccountState, Say, bool)> {
    let plan = &looked.plan;
    if let Some(held) = plan.clients.held.first() {
        let hold = plan.hold.as_ref().map(Hold::rule);
        let hold = hold.filter(|rule| plan.clients.held.iter().any(|held| held.rule == *rule));
        let (rule, message) = match hold {
            Some(rule) => (rule, explain(account, plan, rule)),
            None => (held.rule, held.message().to_owned()),
        };
        return Some((AccountState::Held, Say::no(rule.reason(), message), rule.needs_person()));
    }
    if let Some(trouble) = &looked.clients_unread {
        let message = format!("the clients could not be read: {}", trouble.message);
        let say = Say::no(trouble.reason, message);
        return Some((AccountState::ReadUntrusted, say, trouble.is_final));
    }
    if let Some(held) = plan.recipients.held.first() {
        let say = Say::no(held.rule.reason(), held.message());
        return Some((AccountState::Held, say, held.rule.needs_person()));
    }
    let (say, waits) = domains::wrong(looked)?;
    let state = if waits { AccountState::Held } else { AccountState::Synced };
    Some((state, say, waits))
}

/// Everything that is held back.
fn held_in_all(plan: &Plan) -> usize {
    let others = plan.clients.held.len() + plan.recipients.held.len() + plan.domains.held.len();
    plan.held.len() + others
}

/// What the service refused: of people, of teams, of clients, of recipients.
fn refused(looked: &Looked) -> Option<&Trouble> {
    let people = gravest_refusal(&looked.refused);
    let teams = || gravest_refusal(&looked.refused_teams);
    let clients = || gravest_refusal(&looked.refused_clients);
    let recipients =
        || gravest_refusal(&looked.refused_recipients).or(looked.categories_unread.as_ref());
    people.or_else(teams).or_else(clients).or_else(recipients)
}

/// What the service refused: for good, if anything was.
fn gravest_refusal<K>(refused: &BTreeMap<K, Trouble>) -> Option<&Trouble> {
    refused.values().find(|trouble| trouble.is_final).or_else(|| refused.values().next())
}

/// The rule that most needs a person among those that hold something back.
fn gravest(plan: &Plan) -> Option<Rule> {
    let rules: BTreeSet<Rule> = plan.held.iter().map(|held| held.rule).collect();
    let hold = plan.hold.as_ref().map(Hold::rule);
    let hold = hold.as_ref().and_then(|rule| rules.get(rule));
    hold.or_else(|| rules.iter().find(|rule| rule.needs_person())).or(rules.first()).copied()
}

/// What a rule holds, and the way out.
fn explain(account: &Account, plan: &Plan, rule: Rule) -> String {
    let people = plan.held.iter().map(|held| held.rule);
    let clients = plan.clients.held.iter().map(|held| held.rule);
    let held = people.chain(clients).filter(|held| *held == rule).count();
    let Some(hold) = plan.hold.as_ref().filter(|hold| hold.rule() == rule) else {
        return format!("{held} changes are held: {}", rule.message());
    };
    let why = match hold.why {
        HoldCause::RemovalBrake => {
            format!("{} are allowed in a window and {} are spent", hold.allowed, hold.spent)
        }
        HoldCause::EmptySource(Emptied { gone, declared }) => {
            format!(
                "{gone} of the {declared} people that were declared are gone: is a file missing?"
            )
        }
        HoldCause::LedgerLost | HoldCause::ReadUntrusted { .. } => rule.message().to_owned(),
    };
    let approve = approve(account, hold);
    format!("{held} changes wait for a person: {why}; let them run with {approve}")
}

/// Why a look is not trusted, and how a person says that who is missing is gone.
fn untrusted(account: &Account, plan: &Plan, stop: &Stop) -> String {
    match &plan.hold {
        Some(hold) => {
            let approve = approve(account, hold);
            format!(
                "{stop}; compare with the service, and if it is so, let it be believed with {approve}"
            )
        }
        None => stop.to_string(),
    }
}

/// The command that approves a held set.
fn approve(account: &Account, hold: &Hold) -> String {
    let name = account.name_any();
    let digest = &hold.digest;
    format!("`kubectl annotate --overwrite account {name} {APPROVE_ANNOTATION}={digest}`")
}

fn describe(looked: &Looked, picture: &Picture<'_>, state: AccountState) -> AccountStatus {
    let Looked { plan, observed, .. } = looked;
    let account = &observed.account;
    let limit = match account.seats.limit {
        SeatLimit::Seats(limit) => Some(limit),
        SeatLimit::Unlimited => None,
    };
    let used = account.seats.used;
    let subscriptions = account.subscriptions.iter().take(SUBSCRIPTIONS);
    AccountStatus {
        state: Some(state),
        plan: picture.profile.and_then(|profile| plan_of(observed, profile)),
        subscriptions: subscriptions
            .map(|subscription| SubscriptionSeen {
                plan: clip(subscription.plan.as_str(), 63),
                ends_at: subscription.ends_at.map(time),
            })
            .collect(),
        seats: Some(Seats {
            used: number(used),
            limit: limit.map(number),
            owner: number(account.seats.owner),
            active: number(account.seats.active),
            pending: number(account.seats.pending),
            trimmed: number(account.seats.trimmed),
            queued: number(plan.seats.queued),
        }),
        usage: Some(limit.map_or_else(|| used.to_string(), |limit| format!("{used}/{limit}"))),
        held: missing(plan).or_else(|| held(plan, picture)),
        capabilities: Capability::ALL
            .iter()
            .filter(|capability| !looked.missing.contains(capability))
            .map(|capability| capability.as_str().to_owned())
            .collect(),
        missing_capabilities: looked
            .missing
            .iter()
            .map(|missing| missing.as_str().to_owned())
            .collect(),
        ..AccountStatus::default()
    }
}

/// The plan that sets the number of seats: the highest tier that is held.
fn plan_of(observed: &Observed, profile: &Profile) -> Option<String> {
    let held = |plan: &&crate::profile::Plan| {
        observed.account.subscriptions.iter().any(|held| held.plan == plan.name)
    };
    let highest = profile.plans.iter().rev().find(held);
    highest.or_else(|| profile.without_subscription()).map(|plan| clip(plan.name.as_str(), 63))
}

fn held(plan: &Plan, picture: &Picture<'_>) -> Option<Held> {
    if plan.held.is_empty() && plan.clients.held.is_empty() {
        return None;
    }
    let mut held = Held {
        digest: plan.hold.as_ref().map(|hold| clip(hold.digest.as_str(), 64)),
        ..Held::default()
    };
    let mut rules: BTreeMap<&'static str, (i32, Vec<String>)> = BTreeMap::new();
    for HeldAction { action, rule } in &plan.held {
        match action {
            Action::Resend { .. } | Action::Invite { .. } => {
                held.additions += 1;
                held.mails += 1;
            }
            Action::Reinstate { .. } | Action::Add { .. } | Action::Approve { .. } => {
                held.additions += 1;
            }
            // Beside a digest stands what it covers and nothing else.
            _ if plan.hold.as_ref().is_some_and(|hold| hold.rule() != *rule) => {}
            Action::ChangeOwner { .. } => {
                held.changes += 1;
                held.mails += 1;
            }
            Action::ChangeRole { .. }
            | Action::CancelOwnerChange { .. }
            | Action::ChangeInvitedRole { .. } => held.changes += 1,
            Action::RevokeInvitation { .. } | Action::Trim { .. } | Action::Remove { .. } => {
                held.removals += 1;
            }
        }
        let (count, names) = rules.entry(rule.reason().as_str()).or_default();
        *count += 1;
        if names.len() < NAMED {
            names.extend(name(action, plan, picture));
        }
    }
    for HeldClient { action, rule } in &plan.clients.held {
        let name = match action {
            ClientAction::Withdraw { request, .. } => {
                held.removals +=
                    i32::from(plan.hold.as_ref().is_none_or(|hold| hold.rule() == *rule));
                clip(request.id.as_str(), 254)
            }
            ClientAction::Resend { client, .. } | ClientAction::Request { client, .. } => {
                held.additions += 1;
                held.mails += 1;
                client.to_string()
            }
        };
        let (count, names) = rules.entry(rule.reason().as_str()).or_default();
        *count += 1;
        if names.len() < NAMED {
            names.push(name);
        }
    }
    let rules = rules.into_iter();
    held.rules = rules
        .map(|(rule, (count, names))| HeldByRule { rule: rule.to_owned(), count, names })
        .collect();
    Some(held)
}

/// People that are missing in a look that is not trusted for it.
fn missing(plan: &Plan) -> Option<Held> {
    let hold = plan.hold.as_ref()?;
    let HoldCause::ReadUntrusted { absent } = hold.why else { return None };
    let absent = i32::try_from(absent).unwrap_or(i32::MAX);
    let names = hold.absent.iter().take(NAMED).map(ToString::to_string).collect();
    let rule = hold.rule().reason().to_string();
    Some(Held {
        digest: Some(clip(hold.digest.as_str(), 64)),
        absent,
        rules: vec![HeldByRule { rule, count: absent, names }],
        ..Held::default()
    })
}

/// The address of a person that a spec names, else the member's id.
fn name(action: &Action, plan: &Plan, picture: &Picture<'_>) -> Option<String> {
    let person: &MemberKey = action.person();
    let desired = &picture.resolved.desired;
    let named = desired.people.keys().chain(desired.absent.keys());
    let named = named.map(|key| plan.known(key)).any(|key| key == *person)
        || picture.resolved.leaving.iter().any(|leaving| plan.known(&leaving.person) == *person);
    if named {
        return Some(person.to_string());
    }
    plan.people.get(person)?.member.as_ref().map(|id| clip(id.as_str(), 254))
}
