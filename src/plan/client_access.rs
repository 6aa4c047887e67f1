//! A plan for the clients of an agency: a closed set of changes, and where each client stands.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;

use crate::domain::clients::{ClientRecord, ClientSend, ObservedClient};
use crate::domain::identity::EmailAddress;
use crate::domain::keys::{ClientAccessId, ETag, RoleName};
use crate::domain::ledger_view::Cause;
use crate::domain::reason::Reason;
use crate::plan::Rule;

/// What is to be done about clients, what is held back, and what is known of each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientPlan {
    /// What to do: withdrawals first, then mails, oldest declaration first.
    pub actions: Vec<ClientAction>,
    /// What a rule stopped, in the same order.
    pub held: Vec<HeldClient>,
    /// Every declared client, and every one whose declaration is gone.
    pub clients: BTreeMap<EmailAddress, ClientOutlook>,
    /// When to look again without a change.
    pub next_at: Option<Timestamp>,
    /// What the ledger has to learn.
    pub learn: ClientLearn,
}

/// What the ledger has to learn of clients.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientLearn {
    /// Records that differ from those in the view; `None`: forget it.
    pub records: BTreeMap<EmailAddress, Option<ClientRecord>>,
    /// Clients that are declared or at the service: what is known of others can go. `None`: nothing
    /// may be concluded.
    pub seen: Option<BTreeSet<EmailAddress>>,
    /// Withdrawals that this plan spends of the brake's window.
    pub brake_spent: u32,
}

/// One change at the account service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientAction {
    /// Withdraws a request that waits (NC-10).
    Withdraw {
        /// The client.
        client: EmailAddress,
        /// The request.
        request: RequestRow,
        /// Why.
        cause: WithdrawCause,
    },
    /// Sends a request that waits again (NC-09): one mail.
    Resend {
        /// The client.
        client: EmailAddress,
        /// The request.
        request: RequestRow,
        /// What it is sent for.
        cause: Cause,
        /// An earlier call whose outcome is unknown, repeated as it is.
        again: Option<ClientSend>,
    },
    /// Asks a client for access: one mail.
    Request {
        /// The client.
        client: EmailAddress,
        /// Role that is asked for.
        role: RoleName,
        /// Reference of the declaration.
        reference: String,
        /// An older request of this client, which is over.
        after: Option<ClientAccessId>,
        /// What it is sent for.
        cause: Cause,
        /// An earlier call whose outcome is unknown, repeated as it is.
        again: Option<ClientSend>,
    },
}

/// A request as last seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestRow {
    /// Id.
    pub id: ClientAccessId,
    /// Version, sent as `If-Match`.
    pub etag: ETag,
}

/// Why a request is withdrawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum WithdrawCause {
    /// The declaration is gone.
    NotDeclared,
    /// Nobody answered within `withdrawAfter`.
    NoAnswer,
}

/// Something that a rule stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldClient {
    /// What would have been done.
    pub action: ClientAction,
    /// The rule.
    pub rule: Rule,
}

/// What is known of one client, and what waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOutlook {
    /// Where it stands.
    pub standing: Standing,
    /// The rule that holds the next step back, or says what is missing.
    pub rule: Option<Rule>,
    /// The client as the service shows it.
    pub row: Option<ObservedClient>,
    /// The client gave, or was asked for, another role than the declared one (NC-06).
    pub role_differs: bool,
    /// When a request without an answer is withdrawn.
    pub withdraw_at: Option<Timestamp>,
}

/// Where the request of a declaration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// The client was not asked yet.
    Planned,
    /// The client is being asked, or the outcome is unknown and it is still safe to repeat.
    Sending,
    /// The outcome is unknown and it is no longer safe to repeat.
    InDoubt,
    /// Waits for the client.
    Requested,
    /// The client gave access.
    Granted,
    /// The client said no, or took the access away.
    Rejected,
    /// The request was withdrawn.
    Withdrawn,
    /// No longer declared, and the request still waits.
    Removing,
}

impl ClientAction {
    /// The client that it is about.
    #[must_use]
    pub fn client(&self) -> &EmailAddress {
        match self {
            Self::Withdraw { client, .. }
            | Self::Resend { client, .. }
            | Self::Request { client, .. } => client,
        }
    }

    /// Word for logs and JSON output; never renamed.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Withdraw { .. } => "WithdrawClientRequest",
            Self::Resend { .. } => "ResendClientRequest",
            Self::Request { .. } => "RequestClientAccess",
        }
    }

    /// What its mail is sent for, if it sends one.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        match self {
            Self::Withdraw { .. } => None,
            Self::Resend { cause, .. } | Self::Request { cause, .. } => Some(*cause),
        }
    }

    /// True if it takes something back.
    #[must_use]
    pub fn takes_away(&self) -> bool {
        matches!(self, Self::Withdraw { .. })
    }

    /// The call whose outcome is unknown and that this repeats.
    #[must_use]
    pub fn again(&self) -> Option<&ClientSend> {
        match self {
            Self::Withdraw { .. } => None,
            Self::Resend { again, .. } | Self::Request { again, .. } => again.as_ref(),
        }
    }
}

impl fmt::Display for ClientAction {
    /// One line of a plan: `+ ask owner@bakery.example for access as developer`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Withdraw { client, cause: WithdrawCause::NotDeclared, .. } => {
                write!(f, "- withdraw the request to {client}")
            }
            Self::Withdraw { client, cause: WithdrawCause::NoAnswer, .. } => {
                write!(f, "- withdraw the request to {client}: no answer in time")
            }
            Self::Resend { client, .. } => write!(f, "+ send the request to {client} again"),
            Self::Request { client, role, again: None, .. } => {
                write!(f, "+ ask {client} for access as {role}")
            }
            Self::Request { client, role, again: Some(_), .. } => {
                write!(f, "+ ask {client} for access as {role} (again, under the same key)")
            }
        }
    }
}

impl Standing {
    /// The word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "Planned",
            Self::Sending => "Sending",
            Self::InDoubt => "InDoubt",
            Self::Requested => "Requested",
            Self::Granted => "Granted",
            Self::Rejected => "Rejected",
            Self::Withdrawn => "Withdrawn",
            Self::Removing => "Removing",
        }
    }

    /// Reason of a condition.
    #[must_use]
    pub fn reason(self) -> Reason {
        match self {
            Self::Planned => Reason::Planned,
            Self::Sending => Reason::Sending,
            Self::InDoubt => Reason::InDoubt,
            Self::Requested => Reason::Requested,
            Self::Granted => Reason::Granted,
            Self::Rejected => Reason::Rejected,
            Self::Withdrawn => Reason::Withdrawn,
            Self::Removing => Reason::Removing,
        }
    }

    /// True if nothing goes on until somebody acts.
    #[must_use]
    pub fn needs_person(self) -> bool {
        matches!(self, Self::InDoubt | Self::Rejected)
    }

    /// What it means and the way out, as a sentence for people.
    #[must_use]
    pub fn message(self) -> &'static str {
        match self {
            Self::Planned => "the client was not asked yet",
            Self::Sending => "the client is being asked; the outcome is not known yet",
            Self::InDoubt => {
                "it is not known whether the client was asked, and too late to ask again safely; ask \
                 the client, then ask anew by a new value of the annotation seatkeeper.dev/resend"
            }
            Self::Removing => "no longer declared; the request is withdrawn",
            other => other.reason().says(),
        }
    }
}

impl HeldClient {
    /// What holds it, and the way out, as a sentence for people.
    #[must_use]
    pub fn message(&self) -> &'static str {
        client_message(self.rule)
    }
}

/// What a rule means for a client.
#[must_use]
pub fn client_message(rule: Rule) -> &'static str {
    match rule {
        Rule::MailCap => {
            "one client gets one automatic request a day and three in 90 days; it follows by itself, \
             or at once with a new value of the annotation seatkeeper.dev/resend"
        }
        Rule::InviteOnly => "mode Invite withdraws nothing; raise spec.mode to Manage",
        other => other.message(),
    }
}

impl ClientOutlook {
    /// Nothing is known but where it stands.
    pub(super) fn new(standing: Standing) -> Self {
        Self { standing, rule: None, row: None, role_differs: false, withdraw_at: None }
    }
}
