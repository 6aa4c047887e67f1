//! Websites.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `POST /v1/accounts/{a}/websites`. Needs a vendor token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewWebsite {
    /// Address of the website, `http` or `https`, at most 500 characters.
    #[schemars(url, length(max = 500), regex(pattern = "^[Hh][Tt][Tt][Pp][Ss]?://"))]
    pub url: String,
    /// State of its connection.
    pub state: WebsiteState,
}

/// `PATCH /v1/accounts/{a}/websites/{w}` with `If-Match`. Needs a vendor token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WebsitePatch {
    /// New state of its connection.
    pub state: WebsiteState,
}

/// One website of an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Website {
    /// `web_…`
    pub id: String,
    /// Version.
    pub etag: String,
    /// Its address.
    pub url: String,
    /// State of its connection.
    pub state: WebsiteState,
    /// When it was reported first.
    pub created_at: Timestamp,
}

/// State of a website's connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WebsiteState {
    /// Works.
    Connected,
    /// Not connected.
    NotConnected,
    /// Has a problem that needs attention now.
    MajorIssue,
    /// A word that this client does not know.
    #[serde(other)]
    #[schemars(skip)]
    Unknown,
}
