//! Refusals: the closed table of codes, and an answer for each status in it.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::server::dns::DnsError;
use crate::server::error::{ApiError, Kind};
use crate::server::openapi::answers::with_shared;
use crate::wire::PROBLEM_JSON;

/// Name of the answer with this status among the components.
pub(super) fn name(status: StatusCode) -> String {
    let reason = status.canonical_reason().unwrap_or(status.as_str());
    reason.chars().filter(char::is_ascii_alphanumeric).collect()
}

/// One answer for each status, with the codes that it can have.
pub(super) fn responses(problem: &Value) -> Value {
    let mut codes: BTreeMap<StatusCode, BTreeSet<&str>> = BTreeMap::new();
    for Kind { code, status, .. } in ApiError::table() {
        codes.entry(status).or_default().insert(code);
    }
    let response = |(status, codes): (StatusCode, BTreeSet<&str>)| {
        let codes: Vec<_> = codes.into_iter().map(|code| format!("`{code}`")).collect();
        let own = match status {
            StatusCode::UNAUTHORIZED => Some(("WWW-Authenticate", true)),
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                Some(("Retry-After", true))
            }
            _ => None,
        };
        let response = json!({
            "description": format!("Refused: {}", codes.join(", ")),
            "headers": with_shared(own),
            "content": { PROBLEM_JSON: { "schema": problem } },
        });
        (name(status), response)
    };
    Value::Object(codes.into_iter().map(response).collect())
}

/// Schema of the code: one of the table, and what each means.
pub(super) fn code(schema: &Value) -> Value {
    let sentences = sentences();
    let codes: BTreeMap<_, _> =
        ApiError::table().into_iter().map(|kind| (kind.code, kind)).collect();
    let words: Vec<_> = codes.keys().copied().collect();
    let table: Vec<_> = codes
        .into_values()
        .map(|Kind { code, status, retryable }| {
            let sentence = sentences.get(code).cloned().unwrap_or_else(|| code.replace('-', " "));
            json!({
                "code": code,
                "status": status.as_u16(),
                "retryable": retryable,
                "sentence": sentence,
            })
        })
        .collect();
    let mut fields = Map::new();
    fields.extend(schema.as_object().cloned().unwrap_or_default());
    fields.insert("enum".to_owned(), words.into());
    fields.insert("x-table".to_owned(), table.into());
    Value::Object(fields)
}

/// The sentence of each code.
fn sentences() -> BTreeMap<&'static str, String> {
    samples().iter().map(|problem| (problem.kind().code, problem.title())).collect()
}

/// One problem of each kind.
#[expect(clippy::too_many_lines, reason = "one of each, a line each")]
fn samples() -> Vec<ApiError> {
    use ApiError as E;
    let (href, state) = (String::new, "");
    let (limit, plan, meter) = (0, String::new(), String::new());
    vec![
        E::Invalid(Vec::new()),
        E::NotJson,
        E::MediaType,
        E::TooLarge,
        E::Unauthenticated,
        E::ScopeMissing(""),
        E::Forbidden,
        E::BeyondManage,
        E::ForgedForm,
        E::DeadLink,
        E::NotFound,
        E::Method,
        E::PreconditionRequired,
        E::Stale,
        E::KeyRequired,
        E::KeyReused,
        E::SecretNotRepeatable,
        E::AlreadyPending { href: href() },
        E::AlreadyMember { href: href() },
        E::SeatLimit { limit, plan },
        E::MembersWait,
        E::Disabled,
        E::TeamInactive,
        E::TeamPending,
        E::ClaimedByOther,
        E::NotInvitable,
        E::RoleFixed,
        E::Holders,
        E::InvitationState { state },
        E::MemberState { state },
        E::TrimNotOffered,
        E::SlugTaken,
        E::SubscriptionState { state },
        E::DnsFailed(DnsError::Late),
        E::NotOffered(""),
        E::OwnershipOpen,
        E::OwnershipMoot,
        E::AlreadySuggested { href: href() },
        E::EditsRefused(Vec::new()),
        E::RowState { what: "", state },
        E::NotAgency,
        E::AlreadyRequested { href: href() },
        E::DomainTaken,
        E::ChallengeMissing,
        E::MeterFull { meter },
        E::RecipientImplied,
        E::RecipientNotOpen,
        E::SecureSignInRequired,
        E::UnknownUser,
        E::ReferenceTaken,
        E::WebsiteTaken,
        E::FeedTooOld,
        E::RateLimited { seconds: 0, mails: None },
        E::Deadline,
        E::Database(sqlx::Error::PoolClosed),
        E::Corrupt(""),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{ApiError, sentences};

    #[test]
    fn every_code_has_a_sentence_and_one_status() {
        let told: BTreeSet<_> = sentences().into_keys().collect();
        let codes: BTreeSet<_> = ApiError::table().iter().map(|kind| kind.code).collect();
        assert_eq!(told, codes, "add the missing ones to `samples`");
        let rows: BTreeSet<_> =
            ApiError::table().iter().map(|kind| (kind.code, kind.status, kind.retryable)).collect();
        assert_eq!(rows.len(), codes.len());
    }
}
