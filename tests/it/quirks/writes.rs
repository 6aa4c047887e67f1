//! Odd answers to writes. Most come after the service has done what it was asked.

use std::time::Duration;

use serde_json::{Value, json};

use crate::quirks::How::{self, Answered, Instead, Lured};
use crate::quirks::{CANARY, Quirk};
use crate::scripted::Answer;

fn set(answer: Answer, field: &str, to: Value) -> Answer {
    answer.edit(|value| value[field] = to)
}

fn words(status: u16, content_type: &str) -> Answer {
    let json = json!({"status": "error", "error": CANARY}).to_string();
    let body = if content_type == "application/json" { json } else { CANARY.to_owned() };
    Answer::text(status, content_type, &body)
}

/// Everything is done by that run.
const fn done(name: &'static str, on: &'static str, how: How) -> Quirk {
    Quirk { name, on, how, code: 0, says: "5 done; seats 3 of 10", still: false, keeps: "" }
}

/// That run cannot say that it is done.
const fn open(name: &'static str, on: &'static str, how: How, says: &'static str) -> Quirk {
    Quirk { name, on, how, code: 1, says, still: false, keeps: "" }
}

/// That run looks again, and finds it done.
const fn seen(name: &'static str, on: &'static str, how: How, says: &'static str) -> Quirk {
    Quirk { name, on, how, code: 0, says, still: false, keeps: "" }
}

const INVITE: &str = "POST invitations";
const REVOKE: &str = "POST revoke";
const REMOVE: &str = "DELETE members";
const ROLE: &str = "PATCH members";
const INVITED_ROLE: &str = "PATCH invitations";

pub(super) const QUIRKS: &[Quirk] = &[
    done(
        "a location on another host",
        INVITE,
        Lured(|answer, thief| answer.with("location", &format!("{thief}/v1/elsewhere"))),
    ),
    done("a location that is relative", INVITE, Answered(|answer| answer.with("location", "../x"))),
    done("202 in place of 201", INVITE, Answered(|answer| answer.under(202))),
    done(
        "200 with the row in place of 204",
        REMOVE,
        Answered(|_| Answer::json(&json!({"id": "mem_1", "state": "deleted"}))),
    ),
    done("404 for a row that is gone", REMOVE, Answered(|_| Answer::problem(404, "not-found"))),
    done(
        "404 for an invitation that is gone",
        REVOKE,
        Answered(|_| Answer::problem(404, "not-found")),
    ),
    open(
        "201 with id null",
        INVITE,
        Answered(|answer| set(answer, "id", Value::Null)),
        "MalformedAnswer",
    ),
    open(
        "201 without id",
        INVITE,
        Answered(|answer| {
            answer.edit(|row| {
                row.as_object_mut().map(|row| row.remove("id"));
            })
        }),
        "MalformedAnswer",
    ),
    open(
        "201 with an error in it",
        INVITE,
        Answered(|_| words(201, "application/json")),
        "MalformedAnswer",
    ),
    open(
        "201 with the row and an error",
        INVITE,
        Answered(|answer| set(answer, "errors", json!([CANARY]))),
        "MalformedAnswer",
    ),
    open("200 with a page", INVITE, Answered(|_| words(200, "text/html")), "MalformedAnswer"),
    open(
        "204 without a row",
        INVITE,
        Answered(|_| Answer::text(204, "text/plain", "")),
        "MalformedAnswer",
    ),
    open(
        "the answer of another body under the same key",
        INVITE,
        Answered(|answer| set(answer, "email", json!("zoe@elsewhere.example"))),
        "does not show the change",
    ),
    open(
        "another role than asked for",
        INVITE,
        Answered(|answer| set(answer, "role", json!("admin"))),
        "does not show the change",
    ),
    open("400 after the mail", INVITE, Answered(|_| words(400, "text/plain")), "BackendRejected"),
    open(
        "500 after the mail",
        INVITE,
        Answered(|_| words(500, "application/json")),
        "BackendFailed",
    ),
    open("502 after the mail", INVITE, Answered(|_| words(502, "text/html")), "BackendFailed"),
    open(
        "503 after the mail",
        INVITE,
        Answered(|_| words(503, "text/html").with("retry-after", "1")),
        "BackendFailed",
    ),
    seen(
        "422 after the mail",
        INVITE,
        Answered(|_| Answer::problem(422, "idempotency-key-reused")),
        "idempotency-key-reused",
    ),
    seen(
        "409 after the mail",
        INVITE,
        Answered(|_| Answer::problem(409, "invitation-already-pending")),
        "invitation-already-pending",
    ),
    open(
        "429 after the mail",
        INVITE,
        Answered(|_| words(429, "text/plain").with("retry-after", "1")),
        "for 1s",
    ),
    open("an answer that is cut off", INVITE, Answered(Answer::cut), "Unreachable"),
    open(
        "an answer that is late",
        INVITE,
        Answered(|answer| answer.after(Duration::from_secs(60))),
        "no answer within 6s",
    ),
    open(
        "a redirect of the invitation to another host",
        INVITE,
        Instead(|thief| Answer::text(307, "text/plain", "").with("location", thief)),
        "MalformedAnswer",
    ),
    open(
        "429 before the mail",
        INVITE,
        Instead(|_| words(429, "text/plain").with("retry-after", "1")),
        "for 1s",
    ),
    open("403 before the mail", INVITE, Instead(|_| words(403, "text/plain")), "Forbidden"),
    open(
        "200 without a word in place of 204",
        REMOVE,
        Answered(|_| Answer::text(200, "text/plain", "")),
        "MalformedAnswer",
    ),
    open(
        "the page of a proxy in place of 204",
        REMOVE,
        Instead(|_| words(200, "text/html")),
        "MalformedAnswer",
    ),
    open("the 404 of a proxy", REMOVE, Instead(|_| words(404, "text/html")), "MalformedAnswer"),
    seen("412 after the removal", REMOVE, Answered(|_| Answer::problem(412, "stale")), "stale"),
    open(
        "204 in place of the row",
        ROLE,
        Answered(|_| Answer::text(204, "text/plain", "")),
        "MalformedAnswer",
    ),
    open(
        "a role that stays as it was",
        ROLE,
        Instead(|_| Answer::json(&json!({"id": "mem_1", "role": "developer"}))),
        "MalformedAnswer",
    ),
    open(
        "an invitation that keeps the old role",
        INVITED_ROLE,
        Answered(|answer| set(answer, "role", json!("biller"))),
        "does not show the change",
    ),
    open(
        "a withdrawal that shows the invitation accepted",
        REVOKE,
        Answered(|answer| set(answer, "state", json!("accepted"))),
        "does not show the change",
    ),
    open(
        "a withdrawal in another spelling",
        REVOKE,
        Answered(|answer| set(answer, "state", json!("canceled"))),
        "does not show the change",
    ),
];
