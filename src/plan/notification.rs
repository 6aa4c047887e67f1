//! A plan for the recipients of categories of mail: a closed set of changes, and what is known of
//! each category.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::domain::identity::EmailAddress;
use crate::domain::keys::{CategoryName, MemberId};
use crate::domain::reason::Reason;
use crate::domain::recipients::ExactRecord;
use crate::plan::Rule;

/// What is to be done about recipients, what is held back, and what is known of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientPlan {
    /// What to do, by category: who comes, then who goes.
    pub actions: Vec<RecipientAction>,
    /// What a rule stopped, in the same order.
    pub held: Vec<HeldRecipient>,
    /// Every declared category, and every one that we made somebody a recipient of.
    pub categories: BTreeMap<CategoryName, CategoryOutlook>,
    /// What the ledger has to learn.
    pub learn: RecipientLearn,
}

/// What the ledger has to learn of recipients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecipientLearn {
    /// Whom we make a recipient of what, where it differs from the view; nothing: forget the person.
    pub records: BTreeMap<EmailAddress, BTreeSet<CategoryName>>,
    /// People that are declared or members: what is known of others can go. `None`: nothing may be
    /// concluded.
    pub seen: Option<BTreeSet<EmailAddress>>,
    /// The declarations that let nobody else be chosen; `None`: leave them.
    pub exact: Option<BTreeMap<CategoryName, ExactRecord>>,
}

/// One change at the account service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RecipientAction {
    /// The category.
    pub category: CategoryName,
    /// Which way.
    pub change: RecipientChange,
    /// The person.
    pub person: EmailAddress,
    /// The person's row.
    pub member: MemberId,
}

/// Which way a change goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecipientChange {
    /// Makes a member a recipient.
    Add,
    /// Takes a recipient away.
    Remove,
}

/// Something that a rule stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldRecipient {
    /// What would have been done.
    pub action: RecipientAction,
    /// The rule.
    pub rule: Rule,
}

/// What is known of one category.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CategoryOutlook {
    /// Declared recipients, and those that go.
    pub recipients: BTreeMap<EmailAddress, RecipientOutlook>,
    /// Members whose role makes them recipients, with their address where a declaration names it.
    pub implied: BTreeMap<MemberId, Option<EmailAddress>>,
}

/// What is known of one recipient, and what waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecipientOutlook {
    /// Where it stands.
    pub state: RecipientState,
    /// The rule that holds the next step back.
    pub rule: Option<Rule>,
}

/// Where a recipient stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RecipientState {
    /// Receives the category, because somebody chose the member.
    Receives,
    /// Receives it by role.
    Implied,
    /// A member that is no recipient yet.
    Planned,
    /// Not a member yet: becomes a recipient by itself.
    Waiting,
    /// Neither member nor invited nor declared.
    NotMember,
    /// The category is not open to the member's role.
    NotOpen,
    /// Made a recipient by us, and no longer declared.
    Removing,
    /// Chosen by somebody, where a declaration lets nobody else be chosen.
    Undeclared,
}

impl RecipientAction {
    /// Word for logs and JSON output; never renamed.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.change {
            RecipientChange::Add => "AddRecipient",
            RecipientChange::Remove => "RemoveRecipient",
        }
    }

    /// True if it takes something back.
    #[must_use]
    pub fn takes_away(&self) -> bool {
        self.change == RecipientChange::Remove
    }
}

impl fmt::Display for RecipientAction {
    /// One line of a plan: `+ billing: ana@example.com`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.change {
            RecipientChange::Add => '+',
            RecipientChange::Remove => '-',
        };
        write!(f, "{sign} {}: {}", self.category, self.person)
    }
}

impl RecipientState {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Receives => "Receives",
            Self::Implied => "Implied",
            Self::Planned => "Planned",
            Self::Waiting => "Waiting",
            Self::NotMember => "NotAMember",
            Self::NotOpen => "RoleNotOpen",
            Self::Removing => "Removing",
            Self::Undeclared => "Undeclared",
        }
    }

    /// Reason of a condition.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Receives | Self::Implied => Reason::Synced,
            Self::Planned => Reason::Planned,
            Self::Waiting => Reason::Waiting,
            Self::NotMember => Reason::NotAMember,
            Self::NotOpen => Reason::RoleNotOpen,
            Self::Removing => Reason::Removing,
            Self::Undeclared => Reason::Undeclared,
        }
    }

    /// True if the declaration is wrong: nothing goes on until somebody corrects it.
    #[must_use]
    pub fn is_wrong(self) -> bool {
        matches!(self, Self::NotMember | Self::NotOpen)
    }

    /// What it means and the way out, as a sentence for people.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Receives => "is a recipient",
            Self::Implied => "is a recipient by role",
            Self::Planned => "is not a recipient yet",
            Self::Waiting => "becomes a recipient as soon as the person is a member",
            Self::NotMember => {
                "is no member, is not invited, and no Team or Membership declares the person; declare \
                 the person there, or take the recipient out"
            }
            Self::NotOpen => {
                "has a role that this category is not open to; change the role, or take the recipient \
                 out"
            }
            Self::Removing => "no longer declared; is taken away",
            Self::Undeclared => "not declared, and the policy is Exact; is taken away",
        }
    }
}

impl HeldRecipient {
    /// What holds it, and the way out, as a sentence for people.
    #[must_use]
    pub fn message(&self) -> &'static str {
        recipient_message(self.rule)
    }
}

/// What a rule means for a recipient.
#[must_use]
pub fn recipient_message(rule: Rule) -> &'static str {
    match rule {
        Rule::InviteOnly => "mode Invite takes no recipient away; raise spec.mode to Manage",
        other => other.message(),
    }
}
