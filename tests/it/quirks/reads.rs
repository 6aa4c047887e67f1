//! Odd answers to reads.

use std::time::Duration;

use serde_json::{Value, json};

use crate::quirks::How::{Answered, Asked, Changed, Instead, Lured};
use crate::quirks::{CANARY, Quirk};
use crate::scripted::Answer;

/// Changes the row of a person.
fn row(answer: Answer, person: &str, edit: impl FnOnce(&mut Value)) -> Answer {
    answer.edit(|list| {
        let rows = list["items"].as_array_mut().into_iter().flatten();
        let is =
            |row: &&mut Value| row["email"].as_str().is_some_and(|email| email.starts_with(person));
        if let Some(row) = rows.into_iter().find(is) {
            edit(row);
        }
    })
}

/// Adds a row that is made of that of a person.
fn and_row(answer: Answer, person: &str, edit: impl FnOnce(&mut Value)) -> Answer {
    let mut new = Value::Null;
    let answer = row(answer, person, |row| new = row.clone());
    edit(&mut new);
    answer.edit(|list| {
        list["total"] = (list["total"].as_u64().unwrap_or_default() + 1).into();
        if let Some(rows) = list["items"].as_array_mut() {
            rows.push(new);
        }
    })
}

fn without(answer: Answer, person: &str) -> Answer {
    answer.edit(|list| {
        list["total"] = (list["total"].as_u64().unwrap_or_default() - 1).into();
        if let Some(rows) = list["items"].as_array_mut() {
            rows.retain(|row| !row["email"].as_str().unwrap_or_default().starts_with(person));
        }
    })
}

fn set(field: &'static str, to: Value) -> impl FnOnce(&mut Value) {
    move |value| value[field] = to
}

/// One more of those that are counted under this name.
fn counted(answer: Answer, name: &str, more: i64) -> Answer {
    answer.edit(|account| {
        for field in ["/seats/used".to_owned(), format!("/seats/breakdown/{name}")] {
            if let Some(count) = account.pointer_mut(&field) {
                *count = (count.as_i64().unwrap_or_default() + more).into();
            }
        }
    })
}

fn words(status: u16, content_type: &str) -> Answer {
    let body = match content_type {
        "application/json" => json!({"error": CANARY, "message": {"token": CANARY}}).to_string(),
        "text/html" => format!("<html><body>{CANARY}</body></html>"),
        _ => CANARY.to_owned(),
    };
    Answer::text(status, content_type, &body)
}

fn paged(path: &str, rows: u32) -> String {
    path.replace("page_size=1000", &format!("page_size={rows}"))
}

const GOOD: &str = "5 done; seats 3 of 10";
const UNTRUSTED: &str = "! ReadUntrusted: ";
const UNREADABLE: &str = "error: MalformedAnswer: ";

/// A run that does all it has to.
const fn good(name: &'static str, on: &'static str, how: super::How) -> Quirk {
    Quirk { name, on, how, code: 0, says: GOOD, still: false, keeps: "" }
}

/// A run that does nothing, and says why.
const fn refused(
    name: &'static str,
    on: &'static str,
    how: super::How,
    says: &'static str,
) -> Quirk {
    Quirk { name, on, how, code: 1, says, still: true, keeps: "" }
}

/// A run that leaves one person alone.
const fn partly(
    name: &'static str,
    on: &'static str,
    how: super::How,
    keeps: &'static str,
) -> Quirk {
    Quirk { name, on, how, code: 4, says: "NotUnderstood", still: false, keeps }
}

pub(super) const QUIRKS: &[Quirk] = &[
    good("pages of one row", "GET members", Asked(|path| paged(path, 1))),
    good("invitations on pages of one row", "GET invitations", Asked(|path| paged(path, 1))),
    good(
        "who was deleted is still listed",
        "GET members",
        Answered(|answer| {
            and_row(answer, "bo@", |row| {
                row["id"] = json!("mem_of_zoe");
                row["email"] = json!("zoe@gone.example");
                row["state"] = json!("deleted");
            })
        }),
    ),
    good(
        "a member is invited as well",
        "GET invitations",
        Answered(|answer| {
            and_row(answer, "cyd@", |row| {
                let email = row["email"].as_str().unwrap_or_default().replace("cyd@", "ana@");
                (row["id"], row["email"]) = (json!("inv_of_ana"), json!(email));
            })
        }),
    ),
    good(
        "an expired invitation stays pending",
        "GET invitations",
        Answered(|answer| row(answer, "cyd@", set("expires_at", json!("2026-01-01T00:00:00Z")))),
    ),
    good(
        "an error word beside the fields, but empty",
        "GET members",
        Answered(|answer| answer.edit(set("error", Value::Null))),
    ),
    refused(
        "a list with an error in it",
        "GET members",
        Answered(|answer| answer.edit(set("error", json!(CANARY)))),
        "an error under a status of success",
    ),
    refused(
        "nothing but an error under 200",
        "GET members",
        Instead(|_| words(200, "application/json")),
        UNREADABLE,
    ),
    refused(
        "a problem document under 200",
        "GET account",
        Instead(|_| Answer::problem(200, CANARY)),
        "not JSON",
    ),
    refused(
        "a total that differs",
        "GET members",
        Answered(|answer| answer.edit(set("total", json!(9)))),
        UNTRUSTED,
    ),
    refused(
        "rows that come twice",
        "GET members",
        Answered(|answer| and_row(answer, "bo@", |_| ())),
        "1 rows came twice",
    ),
    refused(
        "a cursor that leads to itself",
        "GET members",
        Changed(
            |path| path.replace("&cursor=again", ""),
            |answer| answer.edit(set("next_cursor", json!("again"))),
        ),
        "pages that lead nowhere",
    ),
    refused(
        "a cursor to another host",
        "GET invitations",
        Lured(|answer, thief| answer.edit(set("next_cursor", json!(format!("{thief}/?cursor=x"))))),
        "error: BackendRejected: ",
    ),
    refused(
        "an address that is null",
        "GET members",
        Answered(|answer| row(answer, "bo@", set("email", Value::Null))),
        "not the JSON of this API",
    ),
    refused(
        "an address that is not shown",
        "GET members",
        Answered(|answer| row(answer, "bo@", set("email", json!("(hidden)")))),
        "an address that cannot be one",
    ),
    refused(
        "an id that is null",
        "GET invitations",
        Answered(|answer| row(answer, "eve@", set("id", Value::Null))),
        "not the JSON of this API",
    ),
    partly(
        "a role that nobody knows",
        "GET members",
        Answered(|answer| row(answer, "bo@", set("role", json!("archivist")))),
        "bo developer active",
    ),
    partly(
        "a state that nobody knows",
        "GET members",
        Answered(|answer| row(answer, "bo@", set("state", json!("asleep")))),
        "bo developer active",
    ),
    partly(
        "an invitation in a state that nobody knows",
        "GET invitations",
        Answered(|answer| row(answer, "eve@", set("state", json!("asleep")))),
        "eve developer pending",
    ),
    refused(
        "an invitation that disappeared while its seat is still counted",
        "GET invitations",
        Answered(|answer| without(answer, "cyd@")),
        UNTRUSTED,
    ),
    refused(
        "a clock that was set wrong",
        "GET account",
        Answered(|answer| answer.with("date", "Tue, 06 Nov 2035 08:49:37 GMT")),
        "set the one that is wrong",
    ),
    refused(
        "a seat that nobody sits on",
        "GET account",
        Answered(|answer| counted(answer, "active", 1)),
        UNTRUSTED,
    ),
    refused(
        "more than 8 MiB",
        "GET members",
        Answered(|answer| answer.edit(set("more", json!(CANARY.repeat(600_000))))),
        "larger than 8 MiB",
    ),
    refused(
        "nested too deeply",
        "GET members",
        Instead(|_| {
            let body = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
            Answer::text(200, "application/json", &body)
        }),
        "nested too deeply",
    ),
    refused("a page that is cut off", "GET members", Answered(Answer::cut), "error: Unreachable: "),
    refused(
        "a page that drips",
        "GET members",
        Answered(|answer| answer.dripping(Duration::from_millis(500))),
        "no answer within 6s",
    ),
    refused(
        "a redirect to another host",
        "GET account",
        Instead(|thief| Answer::text(307, "text/plain", "").with("location", thief)),
        "a status that the API does not have",
    ),
    refused(
        "words of JSON",
        "GET members",
        Instead(|_| words(500, "application/json")),
        "error: BackendFailed: ",
    ),
    refused("words of a proxy", "GET members", Instead(|_| words(502, "text/html")), "status 502"),
    refused(
        "words of nobody",
        "GET members",
        Instead(|_| words(400, "text/plain")),
        "error: BackendRejected: ",
    ),
    refused(
        "a code that nobody knows",
        "GET invitations",
        Instead(|_| Answer::problem(403, CANARY)),
        "error: Forbidden: ",
    ),
    refused(
        "a limit in seconds",
        "GET members",
        Instead(|_| words(429, "text/plain").with("retry-after", "7")),
        "for 7s",
    ),
    refused(
        "a limit as a date",
        "GET members",
        Instead(|_| {
            words(429, "text/plain")
                .with("date", "Sun, 06 Nov 1994 08:49:37 GMT")
                .with("retry-after", "Sun, 06 Nov 1994 08:49:57 GMT")
        }),
        "for 20s",
    ),
    refused(
        "a limit under 403, as a time of reset",
        "GET members",
        Instead(|_| {
            words(403, "application/json")
                .with("date", "Wed, 15 Jul 2026 10:36:17 GMT")
                .with("x-ratelimit-remaining", "0")
                .with("x-ratelimit-reset", "1784111807")
        }),
        "for 30s",
    ),
    refused(
        "a limit under 429, as seconds to the reset",
        "GET members",
        Instead(|_| {
            words(429, "text/html").with("ratelimit-remaining", "0").with("ratelimit-reset", "40")
        }),
        "for 40s",
    ),
];
