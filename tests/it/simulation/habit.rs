//! Operators with a bad habit: each breaks one invariant, and its check must notice. The habit is in
//! the wire, so that the real code stays what it is.

use std::collections::BTreeMap;

use http::{Method, Request, Response};
use serde_json::Value;

use crate::simulation::check;
use crate::simulation::fault::{Fault, Faults};
use crate::simulation::live_with;
use crate::simulation::scenario::first_team;
use crate::simulation::service::TOKEN;
use crate::simulation::world::History;

/// What an operator does that it must not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Habit {
    /// Sends each resend once more under a new key.
    RepeatsMails,
    /// Invites more people than there are seats.
    TakesSeats,
    /// Removes a member whom nobody declared.
    Meddles,
    /// Looks into another account.
    Wanders,
    /// Trims, brings back, and trims again.
    ActsTwice,
    /// Takes away without reading its declarations again.
    ActsOnOldNews,
    /// Says the token and an address in events.
    Tells,
    /// Calls a waiting person active.
    Promises,
    /// Asks again at once when asked to wait.
    NeverWaits,
    /// Is not started again once it died.
    StaysDead,
}

type Ask = Request<Vec<u8>>;

/// The same call under a key of its own.
fn again(request: &Ask, path: &str, key: &str, body: &Value) -> Ask {
    let mut again = request.clone();
    *again.uri_mut() = path.parse().unwrap();
    let key = format!("{key}-{path}-{}", body.to_string().len());
    again.headers_mut().insert("idempotency-key", key.parse().unwrap());
    if !body.is_null() {
        *again.body_mut() = body.to_string().into_bytes();
    }
    again
}

/// The same call for the row as it is in this answer.
fn at_version(mut request: Ask, row: &Value) -> Ask {
    if let Some(etag) = row["etag"].as_str() {
        request.headers_mut().insert("if-match", etag.parse().unwrap());
    }
    request
}

impl Habit {
    /// Calls of the service that come after this one.
    pub fn then(self, request: &Ask, answer: &Response<Vec<u8>>) -> Vec<Ask> {
        let path = request.uri().path();
        let said: Value = serde_json::from_slice(answer.body()).unwrap_or_default();
        match self {
            Self::RepeatsMails if path.ends_with("/resend") => {
                vec![at_version(again(request, path, "again", &Value::Null), &said)]
            }
            Self::TakesSeats
                if request.method() == Method::POST && path.ends_with("/invitations") =>
            {
                let mut body: Value = serde_json::from_slice(request.body()).unwrap();
                let more = (0..12).map(|n| {
                    body["email"] = format!("more{n:012}@example.com").into();
                    body.as_object_mut().unwrap().remove("external_ref");
                    again(request, path, &format!("more{n}"), &body)
                });
                more.collect()
            }
            Self::Meddles if path.ends_with("/members") => {
                let rows = said["items"].as_array().into_iter().flatten();
                let zoe = rows.filter(|row| row["email"] == "zoe@example.com");
                let removals = zoe.map(|row| {
                    let path = format!("{path}/{}", row["id"].as_str().unwrap());
                    let mut removal = again(request, &path, "meddle", &Value::Null);
                    *removal.method_mut() = Method::DELETE;
                    at_version(removal, row)
                });
                removals.collect()
            }
            Self::Wanders if path == "/v1/accounts/acme" && request.method() == Method::GET => {
                vec![again(request, "/v1/accounts/other", "look", &Value::Null)]
            }
            Self::ActsTwice if path.ends_with("/reinstate") => {
                let path = path.replace("/reinstate", "/trim");
                vec![at_version(again(request, &path, "again", &Value::Null), &said)]
            }
            Self::NeverWaits if answer.status() == 429 => vec![request.clone(), request.clone()],
            _ => Vec::new(),
        }
    }

    /// What the operator says to the cluster instead.
    pub fn instead(self, path: &str, body: &mut Vec<u8>) {
        let is_event = path.contains("/events");
        let is_member = path.contains("/memberships/") && path.contains("/status");
        let Ok(mut said) = serde_json::from_slice::<Value>(body) else { return };
        match self {
            Self::Tells if is_event && said["note"].is_string() => {
                said["note"] = format!("ana@example.com has {TOKEN}").into();
            }
            Self::Promises if is_member && said["status"]["state"] == "Pending" => {
                said["status"]["state"] = "Active".into();
            }
            _ => return,
        }
        *body = said.to_string().into_bytes();
    }

    /// True where the operator goes by what it knows instead of asking.
    pub fn skips(self, path: &str) -> bool {
        self == Self::ActsOnOldNews && path.ends_with("/namespaces/web/accounts/acme")
    }
}

/// The first call that is like this, with this fault.
fn at(calm: &History, wanted: Fault, is_it: impl Fn(&str) -> bool) -> Faults {
    let mut points = calm.passed.iter().enumerate();
    let (at, passed) = points.find(|(_, passed)| is_it(&passed.point.path)).unwrap();
    let place = Fault::of(&passed.point).iter().position(|fault| *fault == wanted).unwrap();
    Faults::from([(at, place)])
}

#[test]
fn each_bad_habit_is_noticed_by_the_check_of_what_it_breaks() {
    let scenario = first_team();
    let calm = live_with(&scenario, Faults::new(), None, None);
    let limited = at(&calm, Fault::Answer(429), |path| path == "/v1/accounts/acme");
    let killed = at(&calm, Fault::CrashBefore, |path| path == "/v1/accounts/acme");
    let habits = BTreeMap::from([
        (Habit::RepeatsMails, ("I1", Faults::new())),
        (Habit::TakesSeats, ("I3 I4", Faults::new())),
        (Habit::Meddles, ("I5", Faults::new())),
        (Habit::Wanders, ("I6", Faults::new())),
        (Habit::ActsTwice, ("I7", Faults::new())),
        (Habit::ActsOnOldNews, ("I9", Faults::new())),
        (Habit::Tells, ("I10", Faults::new())),
        (Habit::Promises, ("I13", Faults::new())),
        (Habit::NeverWaits, ("I15", limited)),
        (Habit::StaysDead, ("E1", killed)),
    ]);
    let mut unnoticed = Vec::new();
    for (habit, (id, faults)) in habits {
        let history = live_with(&scenario, faults, Some(&calm.pictures), Some(habit));
        let found = check::all(&history, &calm);
        let noticed = found.iter().any(|wrong| wrong.starts_with(&format!("{id}:")));
        if !noticed {
            unnoticed.push(format!("{habit:?} breaks {id}, found:\n{}", found.join("\n")));
        }
    }
    assert!(unnoticed.is_empty(), "{}", unnoticed.join("\n"));
}
