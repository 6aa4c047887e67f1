//! What can be done with the rows of an answer.

use axum::http::{Method, StatusCode};
use serde_json::{Map, Value, json};

use crate::server::openapi::operation::Described;
use crate::server::openapi::parameters;

/// Links from the answer of an operation: what makes or lists rows leads to what works on one of
/// them, and what reads a row leads to what changes it.
pub(super) fn of(from: &Described, all: &[Described]) -> Map<String, Value> {
    let Some(row) = Row::of(from) else { return Map::new() };
    let targets = all.iter().filter(|to| row.leads_to(to));
    targets.map(|to| (to.operation.id.to_owned(), row.link(from, to))).collect()
}

/// A row of an answer.
struct Row {
    /// Path under which the operations on it are: that of the row itself, or of its list.
    path: &'static str,
    /// Where its fields are in the answer.
    fields: &'static str,
    /// Whether the path is that of its list.
    is_below: bool,
}

impl Row {
    fn of(from: &Described) -> Option<Self> {
        let (path, method) = (from.path(), &from.operation.method);
        let creates = *method == Method::POST && from.operation.answer.0 == StatusCode::CREATED;
        if !from.has("id") {
            None
        } else if from.operation.filters.is_some() {
            Some(Self { path, fields: "$response.body#/items/0", is_below: true })
        } else if creates {
            Some(Self { path, fields: "$response.body#", is_below: true })
        } else if *method == Method::GET && path.ends_with('}') {
            Some(Self { path, fields: "$response.body#", is_below: false })
        } else {
            None
        }
    }

    /// True if all that the operation needs in its path is known.
    fn leads_to(&self, to: &Described) -> bool {
        let Some(rest) = to.path().strip_prefix(self.path) else { return false };
        let is_itself = !self.is_below && rest.is_empty() && to.operation.method == Method::GET;
        let is_apart = rest.is_empty() || rest.starts_with('/');
        let (own, more) = (usize::from(self.is_below), parameters::names(rest).count());
        let starts = !self.is_below || rest.starts_with("/{");
        is_apart && starts && more == own && !is_itself
    }

    fn link(&self, from: &Described, to: &Described) -> Value {
        let mut values = Map::new();
        for name in parameters::names(to.path()) {
            let is_known = parameters::names(from.path()).any(|known| known == name);
            let value = if is_known {
                format!("$request.path.{name}")
            } else {
                format!("{}/id", self.fields)
            };
            values.insert(format!("path.{name}"), value.into());
        }
        if to.operation.conditional && from.has("etag") {
            let etag = format!("{}/etag", self.fields);
            values.insert("header.If-Match".to_owned(), etag.into());
        }
        json!({ "operationId": to.operation.id, "parameters": values })
    }
}
