//! Notification categories and who receives them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `GET /v1/accounts/{a}/notification-categories`
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CategoryList {
    /// The categories, in the order of the profile.
    pub items: Vec<Category>,
}

/// A category of mail (NP-10).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Category {
    /// Name.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// What its mails are about: `billing`, `usage` or `websites`.
    pub about: String,
    /// Roles whose holders can be recipients.
    pub open_to: Vec<String>,
    /// Who receives it.
    pub recipients: Vec<Recipient>,
}

/// A member who receives a category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recipient {
    /// The member.
    pub member: String,
    /// Whether the role receives it by itself; then it cannot be taken away (NP-11).
    pub implied: bool,
    /// Whether somebody chose the member, who stays a recipient when the role does not imply it any
    /// more.
    pub chosen: bool,
}
