//! What can go wrong with a call, and what of it applies to which.

use std::collections::BTreeMap;

use http::Response;
use serde_json::{Value, json};

use crate::simulation::wire::{Point, Side};

/// Which calls go wrong: by their number, the place of the fault among those that apply there.
pub type Faults = BTreeMap<usize, usize>;

/// What goes wrong with one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// The operator dies before the call is sent.
    CrashBefore,
    /// The operator dies before the answer is there.
    CrashAfter,
    /// The call does not arrive.
    Refused,
    /// It arrives, its answer does not.
    AnswerLost,
    /// It arrives when nobody waits any more.
    Late,
    /// It is answered with this status, and nothing is done.
    Answer(u16),
    /// The answer is of before.
    Stale,
    /// Half of the answer.
    Malformed,
    /// One row is missing.
    Truncated,
    /// No row is there.
    Empty,
    /// One row is there twice.
    Repeated,
}

impl Fault {
    /// Everything that can go wrong with a call.
    pub fn of(point: &Point) -> Vec<Self> {
        let mut faults = vec![Self::CrashBefore, Self::Refused, Self::Malformed];
        faults.extend([429, 503, 403].map(Self::Answer));
        if point.watch {
            faults.push(Self::Answer(410));
        } else if point.writes() {
            faults.extend([Self::CrashAfter, Self::AnswerLost, Self::Late, Self::Answer(409)]);
        } else {
            faults.push(Self::Stale);
        }
        if point.side == Side::Service {
            faults.push(Self::Answer(401));
            if point.writes() {
                faults.push(Self::Answer(412));
            }
            let list = ["/members?", "/invitations?", "/roles", "/subscriptions", "/changes?"];
            if list.iter().any(|list| point.path.contains(list)) && !point.writes() {
                faults.extend([Self::Truncated, Self::Empty, Self::Repeated]);
            }
        }
        faults
    }

    /// An answer that is an error.
    pub fn answer(self, side: Side, status: u16) -> Response<Vec<u8>> {
        let (kind, body) = match side {
            Side::Cluster => {
                let reason = match status {
                    403 => "Forbidden",
                    409 => "Conflict",
                    410 => "Expired",
                    429 => "TooManyRequests",
                    _ => "ServiceUnavailable",
                };
                let status = json!({
                    "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                    "message": "injected", "reason": reason, "code": status,
                });
                ("application/json", status)
            }
            Side::Service => {
                let code = match status {
                    401 => "unauthenticated",
                    403 => "forbidden",
                    409 => "row-state",
                    412 => "stale",
                    429 => "rate-limited",
                    _ => "unavailable",
                };
                let problem = json!({
                    "type": "about:blank", "title": "injected", "status": status, "code": code,
                    "retryable": status >= 429, "request_id": "req_1",
                });
                ("application/problem+json", problem)
            }
        };
        let mut response = Response::builder().status(status).header("content-type", kind);
        if status == 429 {
            response = response.header("retry-after", "7");
        }
        response.body(body.to_string().into_bytes()).unwrap()
    }

    /// A true answer with something wrong in it.
    pub fn spoil(self, answer: Response<Vec<u8>>) -> Response<Vec<u8>> {
        let (head, body) = answer.into_parts();
        let half =
            || if body.is_empty() { b"{\"".to_vec() } else { body[..body.len() / 2].to_vec() };
        let spoiled = match serde_json::from_slice::<Value>(&body) {
            Ok(mut said) if self != Self::Malformed => {
                if let Some(items) = said["items"].as_array_mut() {
                    match self {
                        Self::Truncated => drop(items.pop()),
                        Self::Empty => items.clear(),
                        _ => items.extend(items.first().cloned()),
                    }
                }
                said.to_string().into_bytes()
            }
            _ => half(),
        };
        let mut head = head;
        head.headers.remove("content-length");
        Response::from_parts(head, spoiled)
    }
}
