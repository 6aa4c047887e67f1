//! An account service in this process, on the clock of the test.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use http::{Request, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::backend::ServiceRules;
use crate::backend::transport::{Transport, TransportError};
use crate::profile;

/// Actor of what our credential does.
pub const ACTOR: &str = "token:tok_1";
const PAGE: usize = 1000;

/// A service that answers polls as it is told, and everything else as a healthy one.
pub struct Service {
    /// Answers to the next polls; after them every poll waits in vain.
    polls: Mutex<VecDeque<Answer>>,
    /// Feed position.
    pub as_of: Mutex<u64>,
    /// Members.
    rows: usize,
    seen: Mutex<Vec<(Duration, String)>>,
    claim: Mutex<Option<Value>>,
    pub began: Instant,
}

/// Status, headers, body, and the time that it takes.
pub struct Answer(pub u16, pub Vec<(&'static str, &'static str)>, pub Value, pub Duration);

pub fn answer(status: u16, headers: &[(&'static str, &'static str)], code: &str) -> Answer {
    Answer(status, headers.to_vec(), json!({ "code": code }), Duration::ZERO)
}

pub fn entries(entries: &[(u64, &str, &str)]) -> Answer {
    let items: Vec<Value> = entries
        .iter()
        .map(|(position, actor, subject)| {
            json!({
                "position": position, "at": "2026-01-01T00:00:00Z", "actor": actor,
                "action": "member.changed", "subject": subject,
            })
        })
        .collect();
    let last = entries.last().unwrap().0;
    let feed = json!({"items": items, "next_cursor": last, "as_of": last});
    Answer(200, vec![], feed, Duration::from_secs(1))
}

/// Nothing, after a time.
pub fn nothing(after: u64, took: Duration) -> Answer {
    Answer(200, vec![], json!({"items": [], "next_cursor": after, "as_of": after}), took)
}

#[async_trait]
impl Transport for Service {
    async fn send(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, TransportError> {
        let line = format!("{} {}", request.method(), request.uri());
        self.seen.lock().unwrap().push((self.began.elapsed(), line.clone()));
        let Answer(status, headers, body, took) = match line.split_once("/changes?after=") {
            Some((_, query)) => self.poll(query),
            None => Answer(200, vec![], self.row(&line, request.body()), Duration::ZERO),
        };
        sleep(took).await;
        let kind = if status == 200 { "application/json" } else { "application/problem+json" };
        let mut response = Response::builder().status(status).header("content-type", kind);
        for (name, value) in headers {
            response = response.header(name, value);
        }
        Ok(response.body(body.to_string().into_bytes()).unwrap())
    }
}

impl Service {
    pub fn new(as_of: u64, rows: usize, polls: Vec<Answer>) -> Arc<Self> {
        Arc::new(Self {
            polls: Mutex::new(polls.into()),
            as_of: Mutex::new(as_of),
            rows,
            seen: Mutex::default(),
            claim: Mutex::default(),
            began: Instant::now(),
        })
    }

    fn poll(&self, query: &str) -> Answer {
        let scripted = self.polls.lock().unwrap().pop_front();
        let (after, rest) = query.split_once("&wait=").unwrap();
        let wait = rest.split('&').next().unwrap().parse().unwrap();
        scripted.unwrap_or_else(|| nothing(after.parse().unwrap(), Duration::from_secs(wait)))
    }

    fn row(&self, line: &str, body: &[u8]) -> Value {
        let as_of = *self.as_of.lock().unwrap();
        if line.contains("/invitations?") {
            return json!({"items": [], "total": 0, "as_of": as_of});
        }
        if line.ends_with("/capabilities") {
            return json!({
                "server": "test", "idempotency_retention_seconds": 86_400, "unique_pending": true,
                "external_ref": true, "if_match": true, "owner_and_seat_guard": true,
                "snapshot_paging": true, "claims": true, "trimmed_state": true,
                "max_page_size": PAGE,
            });
        }
        if line.ends_with("/roles") {
            return rules();
        }
        let Some((_, query)) = line.split_once("/members?page_size=1000") else {
            if line.starts_with("PATCH ") {
                let patch: Value = serde_json::from_slice(body).unwrap();
                *self.claim.lock().unwrap() = Some(patch["claim"].clone());
            }
            return json!({
                "id": "acc_1", "slug": "acme", "name": "Acme", "etag": "\"1\"",
                "profile": "nitropack", "profile_digest": "0", "state": "active",
                "created_at": "2026-01-01T00:00:00Z", "subscriptions": [],
                "seats": {"used": self.rows, "source": "custom", "breakdown":
                    {"owner": 0, "active": self.rows, "pending": 0, "trimmed": 0}},
                "caller": {"scopes": ["read"], "actor": ACTOR}, "as_of": as_of,
                "claim": *self.claim.lock().unwrap(),
            });
        };
        let from: usize = query.strip_prefix("&cursor=").map_or(0, |from| from.parse().unwrap());
        let rows: Vec<Value> = (from..self.rows.min(from + PAGE))
            .map(|n| {
                json!({
                    "id": format!("mem_{n}"), "etag": "\"1\"", "email": format!("p{n}@example.com"),
                    "role": "developer", "state": "active", "added_at": "2026-01-01T00:00:00Z",
                    "joined_at": "2026-01-02T00:00:00Z",
                })
            })
            .collect();
        let next = (from + PAGE < self.rows).then(|| (from + PAGE).to_string());
        let mut page = json!({"items": rows, "total": self.rows, "as_of": as_of});
        if let Some(next) = next {
            page["next_cursor"] = next.into();
        }
        page
    }

    /// When each poll came and from which position, in seconds.
    pub fn polls(&self) -> Vec<(u64, u64)> {
        let seen = self.seen.lock().unwrap();
        let polls = seen.iter().filter_map(|(at, line)| {
            let query = line.split_once("/changes?after=")?.1;
            Some((at.as_secs(), query.split('&').next()?.parse().ok()?))
        });
        polls.collect()
    }

    /// Requests that are no polls.
    pub fn others(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap();
        let others = seen.iter().filter(|(_, line)| !line.contains("/changes?"));
        others.map(|(_, line)| line.clone()).collect()
    }
}

/// The rules of the profile, in the service's words.
fn rules() -> Value {
    let rules = ServiceRules::of(&profile::built_in("nitropack").unwrap());
    let role = |(rank, (name, invitable)): (usize, &(String, bool))| json!({"name": name, "rank": rank, "invitable": invitable, "permissions": []});
    let plan = |(name, seats): &(String, Option<u32>)| json!({"name": name, "seats": seats, "paid": false});
    json!({
        "items": rules.roles.iter().enumerate().map(role).collect::<Vec<_>>(),
        "plans": rules.plans.iter().map(plan).collect::<Vec<_>>(),
        "counts": rules.counts, "on_shrink": rules.on_shrink,
    })
}
