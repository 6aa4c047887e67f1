//! Errors. Source: RFC 9457.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Body of every answer that is not a success. Source: RFC 9457.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// URI reference of the kind of problem.
    #[serde(rename = "type")]
    pub type_: String,
    /// One sentence, the same for every problem of this kind.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What went wrong this time, and the way out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Word for programs; never renamed.
    pub code: String,
    /// Problems of single fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldProblem>,
    /// Whether the same request can succeed later.
    pub retryable: bool,
    /// Id of the request, as in the log.
    pub request_id: String,
    /// The row that stands in the way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub existing: Option<Existing>,
    /// The limit that a refusal for too many calls is of, where it is one on invitation mails:
    /// `invite-mail` holds up all mails of the account, `invite-mail-address` those to this address
    /// only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
}

/// A problem of one field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FieldProblem {
    /// JSON pointer. Source: RFC 6901.
    pub pointer: String,
    /// What is wrong, and the way out.
    pub detail: String,
}

/// The row that stands in the way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Existing {
    /// Path of the row.
    pub href: String,
}
