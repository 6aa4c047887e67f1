//! What must hold in every history. Each gives what is wrong, as sentences.

use std::collections::BTreeMap;
use std::time::Duration;

use http::Method;
use serde_json::Value;

use crate::simulation::service::TOKEN;
use crate::simulation::wire::{Passed, Side};
use crate::simulation::world::History;

/// What one of them looks at: a history, and the one without faults.
type Check = fn(&History, &History) -> Vec<String>;

/// Everything that must hold, of a history with faults beside the one without.
pub fn all(history: &History, calm: &History) -> Vec<String> {
    let checks: [(&str, Check); 10] = [
        ("E1", reaches_its_goal),
        ("I1", mails_once),
        ("I3 I4", is_not_refused),
        ("I5", leaves_strangers),
        ("I6", stays_in_its_account),
        ("I7", acts_once),
        ("I9", acts_on_news),
        ("I10", tells_no_secret),
        ("I12", is_quiet),
        ("I15", waits_when_asked),
    ];
    let found = checks.iter().flat_map(|(id, check)| {
        check(history, calm).into_iter().map(move |wrong| format!("{id}: {wrong}"))
    });
    let noted = history.wrong.iter().cloned();
    found.chain(noted).collect()
}

/// E1: each chapter comes to where it comes without faults.
pub fn reaches_its_goal(history: &History, _: &History) -> Vec<String> {
    history.stuck.iter().cloned().collect()
}

/// I1, I2: who gets which mail, and how often.
pub fn mails_once(history: &History, calm: &History) -> Vec<String> {
    if history.stuck.is_some() {
        return more(&history.mails, &calm.mails);
    }
    differences(&history.mails, &calm.mails)
}

/// I3, I4: no call of ours would take a seat that is not there, or the last owner.
pub fn is_not_refused(history: &History, _: &History) -> Vec<String> {
    let refused = history.passed.iter().filter(|passed| {
        let codes = ["seat-limit-reached", "role-holders", "role-fixed", "trimmed-members-wait"];
        passed.fault.is_none() && codes.contains(&passed.code.as_str())
    });
    refused.map(|p| format!("{} {}: {}", p.point.method, p.point.path, p.code)).collect()
}

/// I5: nobody is touched who was not declared.
pub fn leaves_strangers(history: &History, _: &History) -> Vec<String> {
    let ours = acts(history).into_iter();
    ours.filter(|act| act.contains("zoe@") || act.contains("owner@")).collect()
}

/// I6: no account but the pinned one.
pub fn stays_in_its_account(history: &History, _: &History) -> Vec<String> {
    let service = history.passed.iter().filter(|passed| passed.point.side == Side::Service);
    let others = service.filter(|passed| {
        let rest = passed.point.path.strip_prefix("/v1/accounts/");
        rest.is_some_and(|rest| !rest.starts_with("acme") && !rest.starts_with(&history.account))
    });
    others.map(|passed| passed.point.path.clone()).collect()
}

/// I7: what we do to whom, each once.
pub fn acts_once(history: &History, calm: &History) -> Vec<String> {
    let (is, was) = (acts(history), acts(calm));
    if history.stuck.is_some() { more(&is, &was) } else { differences(&is, &was) }
}

/// I9: nothing is taken away without reading the declarations again, from a majority.
pub fn acts_on_news(history: &History, _: &History) -> Vec<String> {
    let mut read: Option<&Passed> = None;
    let mut wrong = Vec::new();
    for passed in &history.passed {
        let Passed { point, .. } = passed;
        if point.side == Side::Cluster && point.path.ends_with("/namespaces/web/accounts/acme") {
            read = Some(passed);
        }
        if point.side == Side::Service && takes_away(&point.method, &point.path) {
            let news = read.filter(|read| read.life == passed.life && read.status == 200);
            let age = news.map(|read| passed.at.duration_since(read.at));
            if age.is_none_or(|age| age > LONGEST_RUN) {
                wrong.push(format!("{} {}", point.method, point.path));
            }
        }
    }
    wrong
}

/// I10: neither the token nor an address is told where all may read.
pub fn tells_no_secret(history: &History, _: &History) -> Vec<String> {
    let mut wrong = Vec::new();
    if history.objects.contains(TOKEN) || history.log.contains(TOKEN) {
        wrong.push("the token is told".to_owned());
    }
    let events = history.objects.lines().filter(|line| line.contains("\"kind\":\"Event\""));
    let lines = events.chain(history.log.lines());
    wrong.extend(lines.filter(|line| line.contains("@example.com")).map(str::to_owned));
    wrong
}

/// I12: once all is done, three resyncs write nothing anywhere.
pub fn is_quiet(history: &History, _: &History) -> Vec<String> {
    if history.stuck.is_some() { Vec::new() } else { history.writes(history.told) }
}

/// I15: nothing is asked while the service asks to wait, but the feed, which has a pace of its own.
pub fn waits_when_asked(history: &History, _: &History) -> Vec<String> {
    let service: Vec<&Passed> =
        history.passed.iter().filter(|passed| passed.point.side == Side::Service).collect();
    let mut wrong = Vec::new();
    for (place, limited) in service
        .iter()
        .enumerate()
        .filter(|(_, passed)| passed.status == 429 && !passed.point.path.contains("/changes?"))
    {
        let until = limited.at + Duration::from_secs(7);
        let soon = service[place + 1..].iter().take_while(|passed| passed.at < until);
        // What was under way already could not know.
        let soon =
            soon.filter(|p| p.life == limited.life && p.at > limited.at + Duration::from_millis(5));
        let soon = soon.filter(|p| !p.point.path.contains("/changes?"));
        wrong.extend(soon.map(|p| format!("{} {}", p.point.method, p.point.path)));
    }
    wrong
}

/// What the operator did at the service, as `action email`, sorted.
fn acts(history: &History) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let email = |event: &Value| {
        ["before", "after"].iter().map(|side| text(&event[side]["email"])).find(|e| !e.is_empty())
    };
    let mut people: BTreeMap<String, String> = BTreeMap::new();
    for event in &history.effects {
        if let Some(email) = email(event) {
            people.insert(text(&event["subject"]), email);
        }
    }
    let ours = history.effects.iter().filter(|event| text(&event["actor"]) == history.actor);
    let act = |event: &Value| {
        let whom = people.get(&text(&event["subject"])).cloned().unwrap_or_default();
        format!("{} {whom}", text(&event["action"]))
    };
    let mut acts: Vec<String> = ours.map(act).collect();
    acts.sort();
    acts
}

/// Lines that are there more often than they were.
fn more(is: &[String], was: &[String]) -> Vec<String> {
    let count = |lines: &[String], line: &String| lines.iter().filter(|l| *l == line).count();
    let mut more: Vec<String> =
        is.iter().filter(|line| count(is, line) > count(was, line)).cloned().collect();
    more.dedup();
    more.iter()
        .map(|line| format!("{line}: {} and not {}", count(is, line), count(was, line)))
        .collect()
}

fn differences(is: &[String], was: &[String]) -> Vec<String> {
    let mut found = more(is, was);
    found.extend(more(was, is).into_iter().map(|line| format!("too few: {line}")));
    found
}

/// A run is given up after this time.
const LONGEST_RUN: Duration = Duration::from_secs(300);

/// True for a call that ends somebody's access.
fn takes_away(method: &Method, path: &str) -> bool {
    *method == Method::DELETE || path.ends_with("/trim") || path.ends_with("/revoke")
}
