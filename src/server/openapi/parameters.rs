//! Parameters in path, query and headers.

use serde_json::{Value, json};

use crate::server::auth::MAX_KEY;
use crate::server::openapi::schemas::Schemas;
use crate::server::routes::{KeyRule, Operation};
use crate::wire::{DEFAULT_PAGE_SIZE, KEY_PATTERN, MAX_PAGE_SIZE, MAX_REFERENCE, TEXT_PATTERN};

/// `*`, or etags one after the other. Source: RFC 9110, 13.1.1.
const ETAGS_PATTERN: &str = r##"^(\*|(W/)?"[!#-+\--~]*"([ \t]*,[ \t]*(W/)?"[!#-+\--~]*")*)$"##;

/// Visible ASCII.
const VISIBLE_PATTERN: &str = "^[!-~]+$";

/// Names between braces.
pub(super) fn names(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

/// A path and what is between its braces.
pub(super) fn of_path(path: &str) -> Value {
    let parameters: Vec<_> = names(path)
        .map(|name| {
            let description = match name {
                "account" => "Id of the account (`acc_…`), or its short name.".to_owned(),
                name => format!("Which {}.", name.replace('_', " ")),
            };
            json!({
                "name": name,
                "in": "path",
                "required": true,
                "description": description,
                "schema": { "type": "string", "pattern": KEY_PATTERN },
            })
        })
        .collect();
    if parameters.is_empty() { json!({}) } else { json!({ "parameters": parameters }) }
}

/// Parameters of one operation, those of its path aside. `row` is what a list shows.
pub(super) fn of(operation: &Operation, row: &Value, is_row: bool) -> Vec<Value> {
    let mut all = Vec::new();
    if let Some(filters) = operation.filters {
        all.extend([shared("PageSize"), shared("Cursor")]);
        all.extend(filters.iter().map(|filter| filter_of(filter.parameter(), row)));
    }
    if let Some(query) = operation.query {
        all.extend(Schemas::query(query).into_iter().map(|(name, schema)| {
            json!({
                "name": name,
                "in": "query",
                "description": schema["description"],
                "schema": schema,
            })
        }));
    }
    all.extend(match operation.key {
        KeyRule::Required => Some(shared("RequiredIdempotencyKey")),
        KeyRule::Optional => Some(shared("IdempotencyKey")),
        KeyRule::None => None,
    });
    all.extend(operation.conditional.then(|| shared("IfMatch")));
    all.extend(is_row.then(|| shared("IfNoneMatch")));
    all
}

fn shared(name: &str) -> Value {
    json!({ "$ref": format!("#/components/parameters/{name}") })
}

/// A filter takes the words that the field of its name has; any text where that has none.
fn filter_of(name: &str, row: &Value) -> Value {
    let words = &row["properties"][name]["enum"];
    let schema = if words.is_array() {
        json!({ "type": "string", "enum": words })
    } else {
        json!({
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_REFERENCE,
            "pattern": TEXT_PATTERN,
        })
    };
    json!({
        "name": name,
        "in": "query",
        "description": "Shows only the rows that fit.",
        "schema": schema,
    })
}

/// Parameters that many operations have.
pub(super) fn components() -> Value {
    let key = |required: bool| {
        json!({
            "name": "Idempotency-Key",
            "in": "header",
            "required": required,
            "description": "Random; kept by the client for repeats. It belongs to the account.",
            "schema": {
                "type": "string",
                "minLength": 1,
                "maxLength": MAX_KEY,
                "pattern": VISIBLE_PATTERN,
            },
        })
    };
    json!({
        "PageSize": {
            "name": "page_size",
            "in": "query",
            "description": "Most rows of the page.",
            "schema": {
                "type": "integer",
                "minimum": 1,
                "maximum": MAX_PAGE_SIZE,
                "default": DEFAULT_PAGE_SIZE,
            },
        },
        "Cursor": {
            "name": "cursor",
            "in": "query",
            "description": "`next_cursor` of the page before, as it is.",
            "schema": { "type": "string", "minLength": 1, "pattern": VISIBLE_PATTERN },
        },
        "IdempotencyKey": key(false),
        "RequiredIdempotencyKey": key(true),
        "IfMatch": {
            "name": "If-Match",
            "in": "header",
            "required": true,
            "description": "The row's etag, or `*` for whatever it is now.",
            "schema": { "type": "string", "pattern": ETAGS_PATTERN },
        },
        "IfNoneMatch": {
            "name": "If-None-Match",
            "in": "header",
            "description": "The etag that the client has: 304 if it still holds.",
            "schema": { "type": "string" },
        },
    })
}
