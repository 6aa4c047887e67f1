//! What mails there are: the closed table of names, links and words.

use minijinja::ErrorKind;
use serde_json::Value;

/// What mails there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Template {
    /// An invitation, for the first time.
    Invitation,
    /// An invitation, again.
    Resend,
    /// An agency asks its client for access.
    AccessRequested,
    /// What became of an agency's request.
    AccessResult,
    /// An ownership change waits for the present owner.
    OwnershipConfirm,
    /// An ownership change waits for the future owner.
    OwnershipAccept,
    /// An ownership change took place.
    OwnershipDone,
    /// Someone's role changed.
    RoleChanged,
    /// Someone's membership ended.
    Removed,
    /// Someone lost access for want of a seat.
    Trimmed,
    /// Someone has access again.
    Reinstated,
    /// An account asks for secure sign-in from now on.
    SecureSignInRequired,
    /// What changed among the members of an account, for its administrators.
    MembersChanged,
    /// An invitation finds no seat.
    SeatsShort,
    /// An invitation ran out, for who sent it.
    InvitationExpired,
    /// A subscription changed, was renewed, was cancelled or is about to end.
    Billing,
    /// A meter is nearly or wholly used up.
    Usage,
    /// A website is not connected any more.
    WebsiteStatus,
    /// Someone wants to sign up with this address.
    ConfirmAddress,
    /// Someone wants to sign up with this address, which has a user.
    KnownAddress,
}

/// Where the button of a mail leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Link {
    /// The page of an invitation.
    Invitation,
    /// The page where a client grants access.
    Grant,
    /// The page of an ownership change.
    Own,
    /// The page that proves an address.
    ConfirmAddress,
    /// One's accounts.
    Home,
    /// The members of the account.
    Members,
}

/// A row of the table.
pub(crate) struct Kind {
    /// In the outbox, in file names and in the files of words; never renamed.
    pub name: &'static str,
    /// Where its button leads.
    pub link: Link,
    /// The words that it is given.
    pub words: &'static [&'static str],
}

/// Words of a mail that invites.
const INVITATION: &[&str] = &["account", "role", "expires", "name", "message"];

/// Words that are added when a mail is sent.
pub(crate) const ADDED: [&str; 3] = ["expires", "name", "message"];

impl Template {
    /// All of them.
    pub const ALL: [Self; 20] = [
        Self::Invitation,
        Self::Resend,
        Self::AccessRequested,
        Self::AccessResult,
        Self::OwnershipConfirm,
        Self::OwnershipAccept,
        Self::OwnershipDone,
        Self::RoleChanged,
        Self::Removed,
        Self::Trimmed,
        Self::Reinstated,
        Self::SecureSignInRequired,
        Self::MembersChanged,
        Self::SeatsShort,
        Self::InvitationExpired,
        Self::Billing,
        Self::Usage,
        Self::WebsiteStatus,
        Self::ConfirmAddress,
        Self::KnownAddress,
    ];

    /// Its row of the table. `changes` is a list of objects, `day` and `expires` are RFC 3339
    /// times, numbers and the rest are text.
    pub const fn kind(self) -> Kind {
        match self {
            Self::Invitation => kind("invitation", Link::Invitation, INVITATION),
            Self::Resend => kind("resend", Link::Invitation, INVITATION),
            // The account is the agency.
            Self::AccessRequested => kind("access-requested", Link::Grant, &["account", "role"]),
            // `result`: approved, rejected, no-seat.
            Self::AccessResult => {
                kind("access-result", Link::Home, &["account", "client", "role", "result"])
            }
            Self::OwnershipConfirm => {
                kind("ownership-confirm", Link::Own, &["account", "person", "role"])
            }
            Self::OwnershipAccept => kind("ownership-accept", Link::Own, &["account", "role"]),
            Self::OwnershipDone => {
                kind("ownership-done", Link::Home, &["account", "person", "role"])
            }
            Self::RoleChanged => kind("role-changed", Link::Home, &["account", "from", "to"]),
            Self::Removed => kind("removed", Link::Home, &["account"]),
            Self::Trimmed => kind("trimmed", Link::Home, &["account"]),
            Self::Reinstated => kind("reinstated", Link::Home, &["account"]),
            Self::SecureSignInRequired => kind("secure-sign-in-required", Link::Home, &["account"]),
            // Each of `changes` has a `kind`: added {person, role}, removed {person},
            // role-changed {person, from, to}, renamed {from, to}.
            Self::MembersChanged => {
                kind("members-changed", Link::Members, &["account", "slug", "changes"])
            }
            Self::SeatsShort => kind("seats-short", Link::Members, &["account", "slug", "limit"]),
            Self::InvitationExpired => {
                kind("invitation-expired", Link::Members, &["account", "slug", "person", "role"])
            }
            // `event`: changed, renewed, cancelled, end-near.
            Self::Billing => kind("billing", Link::Home, &["account", "event", "plan", "day"]),
            // `percent`: 80, 100.
            Self::Usage => {
                kind("usage", Link::Home, &["account", "meter", "percent", "used", "limit"])
            }
            Self::WebsiteStatus => kind("website-status", Link::Home, &["account", "website"]),
            Self::ConfirmAddress => kind("confirm-address", Link::ConfirmAddress, &[]),
            Self::KnownAddress => kind("known-address", Link::Home, &[]),
        }
    }

    /// Its name.
    pub const fn name(self) -> &'static str {
        self.kind().name
    }

    /// The template of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|template| template.name() == name)
    }

    /// Refuses words among which one is missing, before anything is queued.
    pub fn must_have(self, words: &Value) -> Result<(), minijinja::Error> {
        let given = |name: &&str| ADDED.contains(name) || words.get(name).is_some();
        match self.kind().words.iter().find(|name| !given(name)) {
            None => Ok(()),
            Some(name) => {
                let text = format!("the mail {} is not given `{name}`", self.name());
                Err(minijinja::Error::new(ErrorKind::UndefinedError, text))
            }
        }
    }
}

const fn kind(name: &'static str, link: Link, words: &'static [&'static str]) -> Kind {
    Kind { name, link, words }
}
