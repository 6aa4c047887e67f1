//! The contract of the account API as an OpenAPI 3.1 document: made from the list of operations
//! that the router is made from, from the types of `wire`, and from the table of problems.

mod answers;
mod links;
mod operation;
mod parameters;
mod problems;
mod schemas;

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::server::openapi::operation::Described;
use crate::server::openapi::schemas::Schemas;
use crate::server::routes;

/// Version of the API, as in its paths; not that of this program.
const VERSION: &str = "1.0.0";

/// Where the operations are served.
const BASE: &str = "/v1";

const DESCRIPTION: &str = "\
Members, invitations and seats of accounts, as one product's profile rules them.

- **Rows** have an id that stays, and an `etag`. `If-Match` is required wherever a row is changed; \
`If-None-Match` answers a read with 304.
- **Lists** are read page by page: the rows, `total` and `as_of` of a page are of one snapshot.
- **Repeats**: a POST under an `Idempotency-Key` is carried out once; the same call again gets the \
same answer, with `Idempotency-Replayed: true`, for 24 hours. What mails needs a key.
- **Refusals** are `application/problem+json` (RFC 9457) with a `code` of a closed table.
- **Growth**: answers may gain fields, and words where a field has one of a few; a client ignores \
the former and leaves alone what has the latter. Requests with unknown fields are refused.
- **Text** of a request has no control characters; the record of a managing client may.";

/// The document.
#[must_use]
pub fn openapi() -> Value {
    let mut schemas = Schemas::new();
    let problem = schemas.problem();
    let operations: Vec<_> = routes::operations()
        .into_iter()
        .map(|operation| Described::new(operation, &mut schemas))
        .collect();
    let paths = paths(&operations);
    let document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Account API",
            "summary": "Who is on an account",
            "description": DESCRIPTION,
            "version": VERSION,
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/", "description": "The service that gave out this document" }],
        "tags": tags(&operations),
        "security": [{ operation::SCHEME: [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { operation::SCHEME: operation::scheme() },
            "parameters": parameters::components(),
            "headers": answers::headers(),
            "responses": problems::responses(&problem),
        },
    });
    schemas.put_into(document)
}

fn paths(operations: &[Described]) -> Value {
    let mut paths = Map::new();
    for operation in operations {
        let path = format!("{BASE}{}", operation.path());
        let item = paths.entry(path).or_insert_with(|| parameters::of_path(operation.path()));
        item[operation.method()] = operation.object(operations);
    }
    Value::Object(paths)
}

fn tags(operations: &[Described]) -> Value {
    let names: BTreeSet<_> = operations.iter().map(Described::tag).collect();
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::openapi;
    use crate::server::routes;

    fn methods(item: &Value) -> impl Iterator<Item = &str> {
        item.as_object().unwrap().keys().map(String::as_str).filter(|key| *key != "parameters")
    }

    #[test]
    fn the_document_has_every_operation_that_is_served_and_no_other() {
        let document = openapi();
        let mut documented = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            documented.extend(methods(item).map(|method| format!("{method} {path}")));
        }
        let served = routes::operations().into_iter().map(|operation| {
            format!("{} /v1{}", operation.method.as_str().to_lowercase(), operation.path)
        });
        assert_eq!(documented, served.collect());
    }

    #[test]
    fn every_operation_has_a_name_of_its_own_and_a_line_of_text() {
        let mut names = BTreeSet::new();
        for operation in routes::operations() {
            assert!(!operation.summary.is_empty(), "{}", operation.path);
            assert!(!operation.id.is_empty(), "{}", operation.path);
            assert!(names.insert(operation.id), "{} is used twice", operation.id);
        }
    }

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        fn walk<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
            match value {
                Value::Object(map) => {
                    found.extend(map.get("$ref").and_then(Value::as_str));
                    map.values().for_each(|value| walk(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| walk(value, found)),
                _ => (),
            }
        }
        let document = openapi();
        let mut found = BTreeSet::new();
        walk(&document, &mut found);
        let dead: Vec<_> =
            found.iter().filter(|name| document.pointer(&name[1..]).is_none()).collect();
        assert!(dead.is_empty(), "{dead:?}");
    }
}
