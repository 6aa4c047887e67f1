//! Recipients of categories of mail: who is declared, who receives them at the service, and whom we
//! made a recipient.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::domain::desired::Origin;
use crate::domain::identity::EmailAddress;
use crate::domain::keys::{CategoryName, MemberId, RoleName};

/// Declared recipients of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredRecipients {
    /// By category.
    pub categories: BTreeMap<CategoryName, DesiredCategory>,
    /// Categories with a declaration that is there but not valid: nobody loses one of these.
    pub frozen: BTreeSet<CategoryName>,
    /// A declaration cannot be read at all: nobody loses any category.
    pub blind: bool,
}

impl DesiredRecipients {
    /// The same with everybody under the address that `of` gives.
    #[must_use]
    pub fn renamed(mut self, of: impl Fn(&EmailAddress) -> EmailAddress) -> Self {
        for category in self.categories.values_mut() {
            for (person, origins) in std::mem::take(&mut category.recipients) {
                category.recipients.entry(of(&person)).or_default().extend(origins);
            }
        }
        self
    }

    /// True if nobody may lose the category.
    #[must_use]
    pub fn keeps(&self, category: &CategoryName) -> bool {
        self.blind || self.frozen.contains(category)
    }
}

/// What all declarations of one category say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DesiredCategory {
    /// Recipients, each with the objects that name them.
    pub recipients: BTreeMap<EmailAddress, BTreeSet<Origin>>,
    /// The declaration that lets nobody else be chosen (X17).
    pub exact: Option<Origin>,
}

/// One category as the service shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObservedCategory {
    /// Roles whose holders can receive it.
    pub open_to: BTreeSet<RoleName>,
    /// Who receives it.
    pub recipients: BTreeMap<MemberId, ReceivesBy>,
}

/// Why a member receives a category; one of the two holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReceivesBy {
    /// The role receives it by itself: it cannot be taken away (NP-11).
    pub implied: bool,
    /// Somebody chose the member.
    pub chosen: bool,
}

/// The declaration of a category that lets nobody else be chosen, as the ledger remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExactRecord {
    /// The object, as `NotificationSubscription web/billing-mail`.
    pub declared_by: String,
    /// When it was first seen to count.
    pub first_seen: Timestamp,
}
