//! Ways in beside invitations, as a case writes them.

use seatkeeper::domain::domains::{
    DomainName, DomainRecord, DomainState, ObservedDomain, TxtRecord,
};
use seatkeeper::domain::identity::EmailAddress;
use seatkeeper::domain::joining::{Joining, ObservedJoinRequest};
use seatkeeper::domain::keys::{DomainId, ETag, JoinRequestId};
use seatkeeper::plan::Plan;
use serde::Deserialize;

use super::words::{Words, at_service, person};

/// Of `observed.yaml`; what is not there was not read.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JoiningFile {
    /// `NAME [verified | lapsed | unknown] [off]`; off: its people do not join.
    domains: Option<Vec<String>>,
    /// Addresses with an open join request.
    requests: Option<Vec<String>>,
    /// `ADDRESS/TEAM`: people that members suggest.
    suggestions: Option<Vec<String>>,
}

impl JoiningFile {
    pub fn into_joining(self) -> Joining {
        let domains = self.domains.map(|lines| lines.iter().map(|line| domain(line)).collect());
        let requests = self.requests.map(|all| all.iter().map(|line| request(line)).collect());
        let suggestions = self.suggestions.map(|all| {
            let keys = all.iter().map(|line| at_service(person(line)));
            keys.collect()
        });
        Joining { domains, requests, suggestions }
    }
}

pub fn name(text: &str) -> DomainName {
    DomainName::parse(text).unwrap()
}

fn domain(line: &str) -> (DomainName, ObservedDomain) {
    let mut words = Words::of(line);
    let name = name(&words.next());
    let states = [
        ("verified", DomainState::Verified),
        ("lapsed", DomainState::Lapsed),
        ("unknown", DomainState::Unknown),
    ];
    let state = states.into_iter().find(|(word, _)| words.flag(word));
    let auto_join = !words.flag("off");
    words.end();
    let record = TxtRecord { name: format!("_challenge.{name}"), value: "secret".to_owned() };
    let domain = ObservedDomain {
        id: DomainId(format!("dom_{name}")),
        etag: ETag::from("1"),
        state: state.map_or(DomainState::Pending, |(_, state)| state),
        auto_join,
        record,
    };
    (name, domain)
}

fn request(text: &str) -> (EmailAddress, ObservedJoinRequest) {
    let id = JoinRequestId(format!("joi_{text}"));
    (person(text).person, ObservedJoinRequest { id, etag: ETag::from("1") })
}

/// `NAME [made] [tries=N] [at=TIME] [taken]` of `ledger.yaml`.
pub fn record(line: &str) -> (DomainName, DomainRecord) {
    let mut words = Words::of(line);
    let record = DomainRecord {
        made: words.flag("made"),
        tries: words.number("tries").map_or(0, |n| n.try_into().unwrap()),
        tried_at: words.time("at"),
        taken: words.flag("taken"),
    };
    let name = name(&words.next());
    words.end();
    (name, record)
}

/// What a plan says of domains and of who waits, a line each.
pub fn text(plan: &Plan) -> Vec<String> {
    let Plan { domains, waiting, .. } = plan;
    let mut lines: Vec<String> = domains.actions.iter().map(ToString::to_string).collect();
    let held = domains.held.iter();
    lines.extend(held.map(|(action, rule)| format!("! held, {}: {action}", rule.reason())));
    lines.extend(domains.domains.iter().map(|(name, outlook)| {
        let again = outlook.check_at.map(|at| format!(", again {at}")).unwrap_or_default();
        format!("domain {name}: {}{again}", outlook.state.as_str())
    }));
    if waiting.join_requests > 0 {
        lines.push(format!("{} ask to join", waiting.join_requests));
    }
    let suggested = waiting.suggestions.iter();
    lines.extend(suggested.map(|(team, number)| format!("{number} suggested for {team}")));
    let learned = domains.learn.iter().flatten().map(|(name, record)| {
        let made = if record.made { " made" } else { "" };
        let taken = if record.taken { " taken" } else { "" };
        let at = record.tried_at.map(|at| format!(" at={at}")).unwrap_or_default();
        format!("learn: domain {name}{made} tries={}{at}{taken}", record.tries)
    });
    lines.extend(learned);
    if domains.learn.as_ref().is_some_and(|learn| learn.is_empty()) {
        lines.push("learn: no domain".to_owned());
    }
    lines
}
