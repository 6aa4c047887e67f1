//! Answers of an operation: what it gives, and how it can refuse.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::server::openapi::operation::Described;
use crate::server::openapi::{parameters, problems};
use crate::server::routes::{KeyRule, Operation};

/// All answers of one operation.
pub(super) fn of(described: &Described, links: Map<String, Value>) -> Value {
    let operation = &described.operation;
    let mut answers = Map::new();
    answers.insert(operation.answer.0.as_str().to_owned(), success(described, links));
    if operation.method == Method::GET && described.gives_version() {
        let headers = with_shared([("ETag", true)]);
        let same = json!({ "description": "The client has it already", "headers": headers });
        answers.insert("304".to_owned(), same);
    }
    for status in refusals(operation) {
        let name = problems::name(status);
        let response = json!({ "$ref": format!("#/components/responses/{name}") });
        answers.insert(status.as_str().to_owned(), response);
    }
    Value::Object(answers)
}

fn success(described: &Described, links: Map<String, Value>) -> Value {
    let (status, _) = described.operation.answer;
    let mut own = Vec::new();
    if described.gives_version() {
        own.push(("ETag", true));
    }
    if described.operation.key != KeyRule::None {
        own.push(("Idempotency-Replayed", false));
    }
    if described.operation.method != Method::GET {
        own.push(("Feed-Position", false));
    }
    let mut answer = json!({
        "description": status.canonical_reason().unwrap_or_default(),
        "headers": with_shared(own),
    });
    if let Some(schema) = &described.answer {
        answer["content"] = json!({ "application/json": { "schema": schema } });
    }
    if !links.is_empty() {
        answer["links"] = Value::Object(links);
    }
    answer
}

/// How an operation can refuse, as far as what is known of it tells.
fn refusals(operation: &Operation) -> BTreeSet<StatusCode> {
    let is_get = operation.method == Method::GET;
    let has_parameters = parameters::names(operation.path).next().is_some();
    let reads_body = operation.body.is_some() || operation.method == Method::POST;
    let reads_input = reads_body
        || operation.conditional
        || operation.filters.is_some()
        || operation.query.is_some();
    // What is asked of the feed can lie before its beginning.
    let groups: [(bool, &[StatusCode]); 8] = [
        (operation.query.is_some(), &[StatusCode::GONE]),
        (
            true,
            &[
                StatusCode::UNAUTHORIZED,
                StatusCode::TOO_MANY_REQUESTS,
                StatusCode::INTERNAL_SERVER_ERROR,
                StatusCode::SERVICE_UNAVAILABLE,
            ],
        ),
        (reads_input, &[StatusCode::BAD_REQUEST]),
        (!is_get || has_parameters, &[StatusCode::FORBIDDEN]),
        (has_parameters, &[StatusCode::NOT_FOUND]),
        (!is_get, &[StatusCode::CONFLICT]),
        (reads_body, &[StatusCode::PAYLOAD_TOO_LARGE, StatusCode::UNSUPPORTED_MEDIA_TYPE]),
        (
            operation.conditional,
            &[StatusCode::PRECONDITION_FAILED, StatusCode::PRECONDITION_REQUIRED],
        ),
    ];
    let mut all: BTreeSet<_> = groups
        .into_iter()
        .filter(|(applies, _)| *applies)
        .flat_map(|(_, statuses)| statuses)
        .copied()
        .collect();
    if operation.key != KeyRule::None {
        all.insert(StatusCode::UNPROCESSABLE_ENTITY);
    }
    all
}

/// Headers of an answer: its own, and those that every answer has. True: always there.
pub(super) fn with_shared<'a>(own: impl IntoIterator<Item = (&'a str, bool)>) -> Value {
    let shared = [("X-Request-Id", true), ("RateLimit", false), ("RateLimit-Policy", false)];
    let name = |(name, always): (&str, bool)| {
        let component = if always { format!("Always-{name}") } else { name.to_owned() };
        (name.to_owned(), json!({ "$ref": format!("#/components/headers/{component}") }))
    };
    Value::Object(own.into_iter().chain(shared).map(name).collect())
}

/// Headers that many answers have.
pub(super) fn headers() -> Value {
    let text = |required: bool, description: &str, schema: Value| {
        let mut header = json!({ "description": description, "schema": schema });
        if required {
            header["required"] = true.into();
        }
        header
    };
    let string = || json!({ "type": "string" });
    json!({
        "Always-ETag": text(true, "Version of the row.", json!({ "type": "string", "pattern": "^\"[!#-~]*\"$" })),
        "Always-X-Request-Id": text(true, "Id of the request, as in the log.", string()),
        "Always-Retry-After": text(true, "Seconds to wait.", json!({ "type": "integer", "minimum": 0 })),
        "Always-WWW-Authenticate": text(true, "How to say who asks.", json!({ "const": "Bearer" })),
        "Idempotency-Replayed": text(false, "The same answer was given before.", json!({ "const": "true" })),
        "Feed-Position": text(
            false,
            "Where the change stands in the feed of the account: a list whose `as_of` is not less shows it.",
            json!({ "type": "integer", "minimum": 0 }),
        ),
        "RateLimit": text(false, "What is left of the limits.", string()),
        "RateLimit-Policy": text(false, "The limits.", string()),
    })
}
