//! From an answer that is not a success to the decision that it asks for.

use std::time::Duration;

use http::header::{CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, Response, StatusCode};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::backend::BackendError;
use crate::wire::PROBLEM_JSON;

/// Wait when a service limits requests and does not say for how long.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);

/// Longest wait that is taken from an answer: a slip of the service must not stop us for good.
const MAX_WAIT: Duration = Duration::from_secs(24 * 60 * 60);

/// From here on a time of reset is counted from 1970: as a wait it would be thirty years.
const AN_EPOCH: Duration = Duration::from_secs(1_000_000_000);

/// Word in place of a code that we do not know. Codes reach status and logs, so no text of the
/// service does: it could be anything, the token that we sent included.
const OTHER: &str = "other";

/// Codes of the account API for the calls that we make.
const CODES: &[&str] = &[
    "already-member",
    "beyond-manage",
    "body-too-large",
    "claimed-by-other",
    "challenge-missing",
    "client-access-already-open",
    "deadline",
    "domain-taken",
    "forbidden",
    "idempotency-key-required",
    "idempotency-key-reused",
    "if-match-required",
    "internal",
    "invalid-request",
    "invitation-already-pending",
    "invitation-state",
    "member-state",
    "method-not-allowed",
    "not-an-agency",
    "not-found",
    "not-json",
    "not-offered",
    "rate-limited",
    "role-fixed",
    "role-holders",
    "role-not-invitable",
    "row-state",
    "scope-missing",
    "seat-limit-reached",
    "secret-not-repeatable",
    "service-disabled",
    "stale",
    "trim-not-offered",
    "trimmed-members-wait",
    "unauthenticated",
    "unknown-user",
    "unavailable",
    "unsupported-media-type",
];

/// The limit of a 429 that holds up one address only.
const OF_ADDRESS: &str = "invite-mail-address";

/// Conflicts that only say that our picture is old: the next look shows what is there.
const LOOK_AGAIN: &[&str] = &[
    "already-member",
    "client-access-already-open",
    "invitation-already-pending",
    "invitation-state",
    "member-state",
    "row-state",
    "stale",
];

/// Says what an answer that is not a success means.
///
/// 404 counts only with a problem document: the page of a proxy must not be taken for an account
/// that is gone.
pub(super) fn error(response: &Response<Vec<u8>>) -> BackendError {
    let status = response.status();
    let (problem, of_address) = code(response);
    let code = problem.unwrap_or(OTHER).to_owned();
    let headers = response.headers();
    match (status, retry_after(headers)) {
        (StatusCode::UNAUTHORIZED, _) => BackendError::Unauthorized,
        (StatusCode::TOO_MANY_REQUESTS, Some(wait)) if of_address => {
            BackendError::AddressLimited { wait }
        }
        (StatusCode::TOO_MANY_REQUESTS, wait) => {
            let wait = wait.or_else(|| rate_limit_reset(headers)).unwrap_or(DEFAULT_WAIT);
            BackendError::RateLimited { wait }
        }
        (StatusCode::FORBIDDEN, Some(wait)) => BackendError::RateLimited { wait },
        // A refusal that says why is not about a limit that happens to be used up.
        (StatusCode::FORBIDDEN, None) => match rate_limit_reset(headers) {
            Some(wait) if problem.is_none() => BackendError::RateLimited { wait },
            Some(_) | None => BackendError::Forbidden { code },
        },
        (StatusCode::NOT_FOUND, _) if problem == Some("not-found") => BackendError::NoSuchAccount,
        (StatusCode::NOT_FOUND, _) => BackendError::Malformed { what: "a 404 that is not its own" },
        (StatusCode::CONFLICT, _) if LOOK_AGAIN.contains(&code.as_str()) => {
            BackendError::Changed { code }
        }
        // A conflict that we have no word for and that passes: the same key is still at work.
        (StatusCode::CONFLICT, Some(wait)) if code == OTHER => BackendError::Unavailable { wait },
        (StatusCode::SERVICE_UNAVAILABLE, Some(wait)) => BackendError::Unavailable { wait },
        (StatusCode::PRECONDITION_FAILED, _) => BackendError::Changed { code },
        (StatusCode::UNPROCESSABLE_ENTITY, _) if code == "idempotency-key-reused" => {
            BackendError::Changed { code }
        }
        (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY, _) => {
            BackendError::Failed { status: status.as_u16() }
        }
        (status, _) if status.is_client_error() => BackendError::Rejected { code },
        (status, _) if status.is_server_error() => BackendError::Failed { status: status.as_u16() },
        _ => BackendError::Malformed { what: "a status that the API does not have" },
    }
}

/// The only parts of a problem document that are used.
#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    limit: Option<String>,
}

/// The code of a problem document, and whether it is about a limit of one address; `None` when the
/// answer is none.
fn code(response: &Response<Vec<u8>>) -> (Option<&'static str>, bool) {
    let is_problem = is(response.headers(), PROBLEM_JSON);
    let problem = is_problem.then(|| serde_json::from_slice(response.body()).ok()).flatten();
    let Some(Problem { code, limit }) = problem else { return (None, false) };
    let known = CODES.iter().copied().find(|known| *known == code).unwrap_or(OTHER);
    (Some(known), limit.as_deref() == Some(OF_ADDRESS))
}

/// True if the answer is of `media_type`, with or without parameters.
pub(super) fn is(headers: &HeaderMap, media_type: &str) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default();
    essence.trim().eq_ignore_ascii_case(media_type)
}

/// How long the service asks us to wait. Source: RFC 9110, 10.2.3.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = text(headers, RETRY_AFTER)?;
    let wait = seconds(value).or_else(|| Some(until(http_date(value)?, headers)))?;
    Some(wait.min(MAX_WAIT))
}

/// When the first limit is full again, if nothing of it is left. It comes with every answer, so it
/// says something of a refusal only where the limit is the reason.
/// Source: draft-ietf-httpapi-ratelimit-headers, its earlier drafts, and what was common before.
fn rate_limit_reset(headers: &HeaderMap) -> Option<Duration> {
    let reset = ["", "x-"].iter().find_map(|prefix| {
        let word = |word: &str| {
            let name = HeaderName::try_from(format!("{prefix}ratelimit-{word}")).ok()?;
            text(headers, name)
        };
        word("reset").filter(|_| word("remaining") == Some("0"))
    });
    let wait = seconds(reset.or_else(|| structured_reset(headers))?)?;
    let time = i64::try_from(wait.as_secs()).ok().and_then(|at| Timestamp::from_second(at).ok());
    let wait = time.filter(|_| wait >= AN_EPOCH).map_or(wait, |time| until(time, headers));
    Some(wait.min(MAX_WAIT))
}

/// The same of one `RateLimit` field.
fn structured_reset(headers: &HeaderMap) -> Option<&str> {
    let value = text(headers, HeaderName::from_static("ratelimit"))?;
    let first = value.split(',').next()?;
    let parameter = |name: &str| first.split(';').find_map(|part| part.trim().strip_prefix(name));
    parameter("t=").filter(|_| parameter("r=") == Some("0"))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

/// Digits only; a number beyond all bounds is a long wait, not none.
fn seconds(text: &str) -> Option<Duration> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

/// Time from the answer's `Date` to `time`: both are the service's clock, ours may be off.
fn until(time: Timestamp, headers: &HeaderMap) -> Duration {
    let Some(answered) = answered_at(headers) else { return DEFAULT_WAIT };
    let wait: SignedDuration = time.duration_since(answered);
    wait.try_into().unwrap_or(Duration::ZERO)
}

/// What the service's clock said when it answered.
pub(super) fn answered_at(headers: &HeaderMap) -> Option<Timestamp> {
    http_date(text(headers, DATE)?)
}

/// Reads a date in the three forms of RFC 9110, 5.6.7.
fn http_date(text: &str) -> Option<Timestamp> {
    const FORMS: [&str; 3] =
        ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];
    let date = FORMS.iter().find_map(|form| DateTime::strptime(form, text).ok())?;
    TimeZone::UTC.to_timestamp(date).ok()
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::error;
    use crate::backend::BackendError;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn check(status: u16, headers: &[(&str, &str)], body: &str) -> BackendError {
        let mut builder = Response::builder().status(status);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        error(&builder.body(body.as_bytes().to_vec()).unwrap())
    }

    fn problem(status: u16, code: &str) -> String {
        let body = format!(r#"{{"code": "{code}"}}"#);
        format!("{:?}", check(status, &[("content-type", "application/problem+json")], &body))
    }

    fn waits(headers: &[(&str, &str)]) -> String {
        format!("{:?}", check(429, headers, ""))
    }

    #[test]
    fn every_form_of_retry_after_is_honoured() {
        assert_eq!(waits(&[("retry-after", "7")]), "RateLimited { wait: 7s }");
        for form in [
            "Sun, 06 Nov 1994 08:50:37 GMT",
            "Sunday, 06-Nov-94 08:50:37 GMT",
            "Sun Nov  6 08:50:37 1994",
        ] {
            let said = waits(&[("date", DATE), ("retry-after", form)]);
            assert_eq!(said, "RateLimited { wait: 60s }", "{form}");
        }
        let said = waits(&[("ratelimit", r#""invite-mail";r=0;t=9"#)]);
        assert_eq!(said, "RateLimited { wait: 9s }");
        let said = waits(&[("ratelimit", r#""invite-mail";r=3;t=9"#)]);
        assert_eq!(said, "RateLimited { wait: 30s }", "another limit was the reason");
    }

    #[test]
    fn a_reset_is_seconds_or_a_time_and_says_the_same_under_403() {
        for prefix in ["", "x-"] {
            for (left, reset, date, said) in [
                ("0", "9", DATE, "RateLimited { wait: 9s }"),
                ("0", "784111807", DATE, "RateLimited { wait: 86400s }"),
                ("0", "1784111807", "Wed, 15 Jul 2026 10:36:37 GMT", "RateLimited { wait: 10s }"),
                ("0", "1784111807", "Wed, 15 Jul 2026 10:36:57 GMT", "RateLimited { wait: 0ns }"),
                ("0", "1784111807", "", "RateLimited { wait: 30s }"),
                ("1", "9", DATE, "RateLimited { wait: 30s }"),
            ] {
                let remaining = format!("{prefix}ratelimit-remaining");
                let field = format!("{prefix}ratelimit-reset");
                let headers = [(&*remaining, left), (&*field, reset), ("date", date)];
                assert_eq!(waits(&headers), said, "{reset} after {date}");
                let forbidden = format!("{:?}", check(403, &headers, ""));
                let expected = if left == "0" { said } else { r#"Forbidden { code: "other" }"# };
                assert_eq!(forbidden, expected, "{reset} after {date}");
            }
        }
    }

    #[test]
    fn a_wait_that_makes_no_sense_is_neither_none_nor_forever() {
        assert_eq!(waits(&[]), "RateLimited { wait: 30s }");
        assert_eq!(waits(&[("retry-after", "soon")]), "RateLimited { wait: 30s }");
        assert_eq!(waits(&[("retry-after", "-1")]), "RateLimited { wait: 30s }");
        assert_eq!(
            waits(&[("date", DATE), ("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT")]),
            "RateLimited { wait: 0ns }"
        );
        for value in ["99999999", "99999999999999999999999999"] {
            assert_eq!(waits(&[("retry-after", value)]), "RateLimited { wait: 86400s }");
        }
    }

    #[test]
    fn a_limit_of_one_address_is_told_from_one_of_all() {
        let said = |limit: &str, headers: &[(&str, &str)]| {
            let body = format!(r#"{{"code": "rate-limited", "limit": "{limit}"}}"#);
            let json = ("content-type", "application/problem+json");
            format!("{:?}", check(429, &[&[json], headers].concat(), &body))
        };
        let wait = [("retry-after", "7")];
        assert_eq!(said("invite-mail-address", &wait), "AddressLimited { wait: 7s }");
        assert_eq!(said("invite-mail", &wait), "RateLimited { wait: 7s }");
        assert_eq!(said("invite-mail-address", &[]), "RateLimited { wait: 30s }", "until when?");
    }

    #[test]
    fn after_a_503_a_write_may_have_taken_effect_and_after_a_429_not() {
        let headers = [("retry-after", "3")];
        assert!(check(503, &headers, "").outcome_unknown());
        assert!(check(503, &[], "").outcome_unknown());
        assert!(check(409, &headers, "").outcome_unknown(), "the same key is still at work");
        assert!(!check(429, &headers, "").outcome_unknown());
        assert!(!check(403, &headers, "").outcome_unknown());
        assert_eq!(format!("{:?}", check(503, &headers, "")), "Unavailable { wait: 3s }");
        assert_eq!(format!("{:?}", check(403, &headers, "")), "RateLimited { wait: 3s }");
    }

    #[test]
    fn conflicts_of_an_old_picture_are_told_from_refusals() {
        let changed = |status, code: &str| {
            assert_eq!(problem(status, code), format!("Changed {{ code: {code:?} }}"));
        };
        changed(409, "invitation-already-pending");
        changed(409, "already-member");
        changed(409, "member-state");
        changed(409, "invitation-state");
        changed(412, "stale");
        changed(422, "idempotency-key-reused");
        for (status, code) in [
            (409, "seat-limit-reached"),
            (409, "role-holders"),
            (409, "claimed-by-other"),
            (422, "invalid-request"),
            (428, "if-match-required"),
        ] {
            assert_eq!(problem(status, code), format!("Rejected {{ code: {code:?} }}"));
        }
    }

    #[test]
    fn a_refusal_that_we_know_is_not_in_doubt_whatever_the_headers_say() {
        let full = ("ratelimit", r#""invite-mail";r=0;t=9"#);
        let json = ("content-type", "application/problem+json");
        for (status, code, said) in [
            (409, "seat-limit-reached", r#"Rejected { code: "seat-limit-reached" }"#),
            (409, "already-member", r#"Changed { code: "already-member" }"#),
            (403, "scope-missing", r#"Forbidden { code: "scope-missing" }"#),
        ] {
            let body = format!(r#"{{"code": "{code}"}}"#);
            assert_eq!(format!("{:?}", check(status, &[json, full], &body)), said);
        }
        let body = r#"{"code": "seat-limit-reached"}"#;
        let said = check(409, &[json, ("retry-after", "3")], body);
        assert!(!said.outcome_unknown(), "{said:?}");
    }

    #[test]
    fn no_text_of_the_service_becomes_a_code() {
        assert_eq!(problem(409, "tok-0123456789abcdef"), r#"Rejected { code: "other" }"#);
        let said = check(409, &[("content-type", "text/plain")], r#"{"code": "stale"}"#);
        assert_eq!(format!("{said:?}"), r#"Rejected { code: "other" }"#);
    }

    #[test]
    fn the_404_page_of_a_proxy_is_not_an_account_that_is_gone() {
        assert_eq!(problem(404, "not-found"), "NoSuchAccount");
        let said = check(404, &[("content-type", "text/html")], "<h1>Not Found</h1>");
        assert!(matches!(said, BackendError::Malformed { .. }), "{said:?}");
        assert!(problem(404, "no-route").starts_with("Malformed"));
    }
}
