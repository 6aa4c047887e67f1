//! One operation in the document.

use serde_json::{Value, json};

use crate::server::openapi::schemas::Schemas;
use crate::server::openapi::{answers, links, parameters};
use crate::server::permission::{Needs, PersonNeeds, Right};
use crate::server::routes::Operation;

/// Name of the security scheme.
pub(super) const SCHEME: &str = "token";

/// How a caller says who it is.
pub(super) fn scheme() -> Value {
    json!({
        "type": "http",
        "scheme": "bearer",
        "description": "An account token, a personal token, or the vendor's. The words beside an \
                        operation are the scopes that a token of an account needs for it.",
    })
}

/// An operation with its schemas.
pub(super) struct Described {
    /// The operation.
    pub operation: Operation,
    /// Schema of its body.
    body: Option<Value>,
    /// Schema of its answer.
    pub answer: Option<Value>,
    /// What it answers with, or lists.
    pub row: Value,
}

impl Described {
    /// Adds its schemas to the others.
    pub fn new(operation: Operation, schemas: &mut Schemas) -> Self {
        let body = operation.body.map(|body| schemas.request(body));
        let answer = operation.answer.1.map(|answer| schemas.answer(answer));
        let whole = answer.as_ref().map(|answer| schemas.definition(answer)).unwrap_or_default();
        let item = &whole["properties"]["items"]["items"];
        let mut row = if operation.filters.is_some() { schemas.definition(item) } else { whole };
        // The words of the fields that a list can be filtered by.
        if let Some(fields) = row.get_mut("properties").and_then(Value::as_object_mut) {
            for field in fields.values_mut() {
                let words = words(&schemas.definition(field));
                if !words.is_empty() {
                    field["enum"] = words.into();
                }
            }
        }
        Self { operation, body, answer, row }
    }

    /// Its path under the base.
    pub fn path(&self) -> &'static str {
        self.operation.path
    }

    /// Its method, as the document writes it.
    pub fn method(&self) -> String {
        self.operation.method.as_str().to_lowercase()
    }

    /// The resource that it belongs to.
    pub fn tag(&self) -> &'static str {
        let mut parts = self.path().split('/').filter(|part| !part.is_empty());
        let first = parts.next().unwrap_or_default();
        parts.nth(1).unwrap_or(first)
    }

    /// True if it answers with one row that has a version.
    pub fn gives_version(&self) -> bool {
        self.operation.filters.is_none() && self.has("etag")
    }

    /// True if its rows have this field.
    pub fn has(&self, field: &str) -> bool {
        self.row["properties"].get(field).is_some()
    }

    /// Its part of the document.
    pub fn object(&self, all: &[Self]) -> Value {
        let Operation { id, summary, right, method, .. } = &self.operation;
        let is_row = *method == axum::http::Method::GET && self.gives_version();
        let parameters = parameters::of(&self.operation, &self.row, is_row);
        let mut object = json!({
            "operationId": id,
            "summary": summary,
            "tags": [self.tag()],
            "responses": answers::of(self, links::of(self, all)),
        });
        if !parameters.is_empty() {
            object["parameters"] = parameters.into();
        }
        if let Some(right) = right {
            let (scopes, words) = said(*right);
            object["security"] = json!([{ SCHEME: scopes }]);
            object["description"] = words.into();
        }
        if let Some(body) = self.request_body() {
            object["requestBody"] = body;
        }
        object
    }

    /// Where an operation that writes takes no body, it takes an empty object.
    fn request_body(&self) -> Option<Value> {
        let content = |schema: Value| json!({ "application/json": { "schema": schema } });
        let nothing = || json!({ "type": "object", "additionalProperties": false });
        match &self.body {
            Some(schema) => Some(json!({ "required": true, "content": content(schema.clone()) })),
            None if self.operation.method == axum::http::Method::POST => {
                Some(json!({ "required": false, "content": content(nothing()) }))
            }
            None => None,
        }
    }
}

/// The words of a field that has one of a few.
fn words(schema: &Value) -> Vec<Value> {
    if let Some(words) = schema["enum"].as_array() {
        return words.clone();
    }
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    choices
        .flat_map(|choice| {
            choice.get("const").cloned().map_or_else(|| words(choice), |word| vec![word])
        })
        .collect()
}

/// Scopes and sentences of a right.
fn said(right: Right) -> (Vec<&'static str>, String) {
    let Needs { scope, person, vendor } = right.needs();
    let mut words = match (scope, &person) {
        (_, PersonNeeds::Never) => String::new(),
        (Some(scope), _) => format!("A token needs the scope `{}`", scope.word()),
        (None, _) => "A token needs any scope but `read`".to_owned(),
    };
    match person {
        PersonNeeds::AnyRole => words.push_str(", a person any role in the account."),
        PersonNeeds::Permission(permission) => {
            words.push_str(&format!(", a person the permission `{permission}`."));
        }
        PersonNeeds::Never => words.push_str("Neither for tokens of an account nor for persons."),
    }
    if vendor {
        words.push_str(" The vendor may.");
    }
    (scope.map(|scope| scope.word()).into_iter().collect(), words)
}
