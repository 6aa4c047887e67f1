//! One operation of the account API: its route and what the contract says of it. The router and the
//! OpenAPI document are made from the same list, so nothing is served that is not in the contract.

use axum::extract::Path;
use axum::handler::Handler;
use axum::http::{Method, StatusCode};
use axum::routing::{MethodRouter, delete, get, patch, post, put};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;

use crate::server::SharedService;
use crate::server::permission::Right;
use crate::server::routes::answer::KeyRule;
use crate::server::routes::paging::Filter;
use crate::wire::Page;

/// Makes the schema of a type.
pub(crate) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// One operation.
pub(crate) struct Operation {
    /// Method.
    pub method: Method,
    /// Path under `/v1`.
    pub path: &'static str,
    /// `operationId`.
    pub id: &'static str,
    /// One line.
    pub summary: &'static str,
    /// What answers it.
    pub handler: MethodRouter<SharedService>,
    /// The right that it needs; none where the operation says itself who may.
    pub right: Option<Right>,
    /// Query of a read that is no list.
    pub query: Option<SchemaOf>,
    /// Filters of a list.
    pub filters: Option<&'static [Filter]>,
    /// Body of the request.
    pub body: Option<SchemaOf>,
    /// Whether a POST must bring an idempotency key.
    pub key: KeyRule,
    /// Whether `If-Match` is required.
    pub conditional: bool,
    /// Status and body of the answer.
    pub answer: (StatusCode, Option<SchemaOf>),
}

impl Operation {
    fn new(method: Method, path: &'static str, handler: MethodRouter<SharedService>) -> Self {
        Self {
            method,
            path,
            id: "",
            summary: "",
            handler,
            right: None,
            query: None,
            filters: None,
            body: None,
            key: KeyRule::None,
            conditional: false,
            answer: (StatusCode::NO_CONTENT, None),
        }
    }

    /// A read.
    pub fn get<H: Handler<T, SharedService>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::GET, path, get(handler))
    }

    /// A POST that can be repeated under a key.
    pub fn post<H: Handler<T, SharedService>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self { key: KeyRule::Optional, ..Self::new(Method::POST, path, post(handler)) }
    }

    /// A whole row, put in or written over.
    pub fn put<H: Handler<T, SharedService>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self::new(Method::PUT, path, put(handler))
    }

    /// A change of the row that `If-Match` names.
    pub fn patch<H: Handler<T, SharedService>, T: 'static>(path: &'static str, handler: H) -> Self {
        Self { conditional: true, ..Self::new(Method::PATCH, path, patch(handler)) }
    }

    /// The end of the row that `If-Match` names.
    pub fn delete<H: Handler<T, SharedService>, T: 'static>(
        path: &'static str,
        handler: H,
    ) -> Self {
        Self { conditional: true, ..Self::new(Method::DELETE, path, delete(handler)) }
    }

    /// `operationId` and summary.
    pub fn named(self, id: &'static str, summary: &'static str) -> Self {
        Self { id, summary, ..self }
    }

    /// The right that it needs.
    pub fn needs(self, right: Right) -> Self {
        Self { right: Some(right), ..self }
    }

    /// A page of these, with the filters that it takes.
    pub fn lists<T: JsonSchema>(self, filters: &'static [Filter]) -> Self {
        let answer: (_, Option<SchemaOf>) = (StatusCode::OK, Some(schema_of::<Page<T>>));
        Self { filters: Some(filters), answer, ..self }
    }

    /// The query of a read that is no list.
    pub fn asks<T: JsonSchema + DeserializeOwned>(self) -> Self {
        Self { query: Some(schema_of::<T>), ..self }
    }

    /// The body of the request.
    pub fn takes<T: JsonSchema + DeserializeOwned>(self) -> Self {
        Self { body: Some(schema_of::<T>), ..self }
    }

    /// The body of the answer.
    pub fn gives<T: JsonSchema>(self, status: StatusCode) -> Self {
        Self { answer: (status, Some(schema_of::<T>)), ..self }
    }

    /// The key is required: the call mails.
    pub fn mails(self) -> Self {
        Self { key: KeyRule::Required, ..self }
    }

    /// `If-Match` is required.
    pub fn conditional(self) -> Self {
        Self { conditional: true, ..self }
    }
}

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Path parameters of an operation on one account.
pub(crate) type OfAccount = Path<String>;

/// Path parameters of an operation on one row of an account.
pub(crate) type OfRow = Path<(String, String)>;
