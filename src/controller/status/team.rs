//! Status of a Team. Pure.

use jiff::Timestamp;

use crate::api::{PersonProblem, Team, TeamCounts, TeamState, TeamStatus};
use crate::controller::release::Verdict;
use crate::controller::status::conditions::{Say, Says, Truth};
use crate::controller::status::membership::{MESSAGE, rejection_says};
use crate::controller::status::{Looked, Picture, Trouble, clip, number, person};
use crate::domain::desired::Origin;
use crate::domain::identity::MemberKey;
use crate::domain::policy::Mode;
use crate::domain::reason::Reason;
use crate::domain::teams::TeamState as Seen;
use crate::manifests::{ObjectKey, RejectedLine, Rejection, reference};
use crate::plan::teams::TeamOutlook;
use crate::plan::{Rule, State};

/// People with a problem that are named.
const NAMED: usize = 10;

/// The next status; `None`: what stands there is the best that can be said.
pub fn next(
    team: &Team,
    key: &ObjectKey,
    picture: &Picture<'_>,
    now: Timestamp,
) -> Option<TeamStatus> {
    let deleted = team.metadata.deletion_timestamp.is_some();
    let verdict = picture.verdicts.get(key);
    if deleted && !verdict.is_some_and(|verdict| verdict.stays()) {
        return None; // It is about to go.
    }
    let outcome = picture.resolved.outcomes.get(key)?;
    if let (Err(rejection), false) = (&outcome.accepted, deleted) {
        return Some(rejected(team, rejection, now));
    }
    let (mut next, mut held) = (TeamStatus::default(), None);
    let synced = match picture.finding.looked() {
        Ok(looked) => {
            if !deleted {
                let people = picture.people.get(key).map_or(&[][..], Vec::as_slice);
                describe(&mut next, team, key, looked, people, &outcome.lines);
            }
            let reference = reference(key);
            let at_service = looked.plan.teams.teams.get(&reference);
            if let Some(outlook) = at_service {
                describe_team(&mut next, outlook);
            }
            held = at_service.and_then(|outlook| outlook.rule);
            synced(looked, verdict, held, looked.refused_teams.get(&reference))
        }
        Err(trouble) => {
            let known = team.status.as_ref().and_then(|status| status.observed_generation);
            if known == team.metadata.generation && !deleted {
                return None;
            }
            picture.unknown(key, &trouble)
        }
    };
    let waits = matches!(verdict, Some(Verdict::Stays(Some(rule))) if rule.needs_person())
        || synced.truth == Truth::False && held.is_some_and(Rule::needs_person);
    let stalled = waits.then(|| Say { truth: Truth::True, ..synced.clone() });
    Some(finish(next, team, &Says { accepted: person::accepted(), synced, stalled }, now))
}

/// The status of a declaration that is not valid.
pub fn rejected(team: &Team, rejection: &Rejection, now: Timestamp) -> TeamStatus {
    finish(TeamStatus::default(), team, &rejection_says(rejection), now)
}

/// Single people never make the Team unready: their problems are counted and named.
fn synced(
    looked: &Looked,
    verdict: Option<&Verdict>,
    held: Option<Rule>,
    refused: Option<&Trouble>,
) -> Say {
    if looked.mode == Mode::Observe {
        return Say::yes(Rule::Observing.reason(), Rule::Observing.message());
    }
    if let Some(stop) = &looked.plan.stop {
        return Say::unknown(stop.reason(), stop.to_string());
    }
    match verdict {
        Some(Verdict::Stays(Some(rule))) => Say::no(rule.reason(), rule.message()),
        Some(Verdict::Stays(None)) => Say::no(State::Removing.reason(), State::Removing.message()),
        Some(_) | None => match (held, refused) {
            (Some(rule), _) => Say::no(rule.reason(), rule.message()),
            (None, Some(trouble)) => Say::no(trouble.reason, trouble.message.clone()),
            (None, None) => Say::yes(
                Reason::Synced,
                "the account was looked at; people with a problem are counted",
            ),
        },
    }
}

fn finish(mut next: TeamStatus, team: &Team, says: &Says, now: Timestamp) -> TeamStatus {
    let old = team.status.as_ref().map_or(&[][..], |status| &status.conditions);
    next.observed_generation = team.metadata.generation;
    next.conditions = says.conditions(old, team.metadata.generation, now);
    next
}

fn describe_team(status: &mut TeamStatus, outlook: &TeamOutlook) {
    let TeamOutlook { id, state, subscription, rule: _ } = outlook;
    status.state = match state {
        Some(Seen::Active) => Some(TeamState::Active),
        Some(Seen::Inactive) => Some(TeamState::Inactive),
        Some(Seen::Pending) | None => Some(TeamState::Pending),
        Some(Seen::Unknown) => None,
    };
    status.team_id = id.as_ref().map(|id| clip(id.as_str(), 128));
    status.subscription = subscription.as_ref().map(|id| clip(id.as_str(), 128));
}

fn describe(
    status: &mut TeamStatus,
    team: &Team,
    key: &ObjectKey,
    looked: &Looked,
    people: &[(&MemberKey, &Origin)],
    lines: &[RejectedLine],
) {
    let mut counts = TeamCounts { declared: number(team.spec.roster.len()), ..asking(key, looked) };
    let mut problems: Vec<(usize, PersonProblem)> = lines.iter().map(of_line).collect();
    for (email, origin) in people {
        let email = &looked.plan.known(email);
        let Some(outlook) = looked.plan.people.get(email) else { continue };
        match outlook.state {
            State::Active => counts.active += 1,
            State::Pending => counts.pending += 1,
            State::Queued => counts.queued += 1,
            State::Trimmed => counts.trimmed += 1,
            State::Planned
            | State::Sending
            | State::AwaitingConfirmation
            | State::AwaitingAcceptance
            | State::InDoubt
            | State::Removing
            | State::Expired
            | State::Failed
            | State::Lost
            | State::OptedOut
            | State::Absent => {}
        }
        let says = person::says(looked, email, outlook);
        if says.synced.truth != Truth::True {
            let position = origin.position.unwrap_or(usize::MAX);
            let line = team.spec.roster.get(position);
            let written = line.map_or_else(|| email.to_string(), |line| line.email.clone());
            let problem = PersonProblem {
                email: clip(&written, 254),
                state: Some(person::state(outlook.state)),
                position: outlook.position.map(number),
                message: clip(&says.synced.message, MESSAGE),
            };
            problems.push((position, problem));
        }
    }
    counts.problems = number(problems.len());
    problems.sort_by_key(|(position, _)| *position);
    status.first_problems = problems.into_iter().take(NAMED).map(|(_, problem)| problem).collect();
    status.counts = Some(counts);
}

/// Who waits for somebody who may invite: to the team, or to the account.
fn asking(key: &ObjectKey, looked: &Looked) -> TeamCounts {
    let Looked { plan, observed, .. } = looked;
    let id = plan.teams.teams.get(&reference(key)).and_then(|team| team.id.as_ref());
    let suggested = id.and_then(|id| plan.waiting.suggestions.get(id)).copied().unwrap_or(0);
    TeamCounts {
        suggestions: observed.joining.suggestions.as_ref().map(|_| number(suggested)),
        join_requests: observed
            .joining
            .requests
            .as_ref()
            .map(|_| number(plan.waiting.join_requests)),
        ..TeamCounts::default()
    }
}

/// A line that is not valid.
fn of_line(line: &RejectedLine) -> (usize, PersonProblem) {
    let RejectedLine { position, email, rejection } = line;
    let message = clip(&rejection.text(), MESSAGE);
    let email = clip(email, 254);
    (*position, PersonProblem { email, state: None, position: None, message })
}
