//! Why a declaration is not accepted.

/// Reason of `Accepted=False`. Part of the API: never renamed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A value that is not of the form it must have.
    InvalidSpec,
    /// An e-mail address that cannot be one.
    InvalidAddress,
    /// A role that the profile does not have, or none where one is needed.
    UnknownRole,
    /// A role of the whole account where a team is meant, or the other way round.
    RoleNotHere,
    /// A role that no invitation can give.
    RoleNotInvitable,
    /// A protected role that the account's `grantableRoles` does not name.
    RoleNotGrantable,
    /// A category of mail that the profile does not have.
    UnknownCategory,
    /// A reference to nothing.
    NotFound,
    /// Somebody else declared this before.
    Conflict,
    /// Somebody declared this person absent; that beats every other declaration.
    DeclaredAbsent,
    /// Only declarations in the Account's own namespace may say this.
    NotAllowedHere,
    /// The class names a profile that there is not.
    UnknownProfile,
    /// The ConfigMap of the class's profile is not there, or holds no profile.
    InvalidProfile,
    /// The profile cannot do what the account asks for.
    ProfileCannot,
    /// Something that this version does not do yet.
    NotServed,
    /// The account or the team that this object belongs to is not accepted.
    ParentNotAccepted,
}

impl Reason {
    /// The reason as it stands in a condition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidSpec => "InvalidSpec",
            Self::InvalidAddress => "InvalidAddress",
            Self::UnknownRole => "UnknownRole",
            Self::RoleNotHere => "RoleNotHere",
            Self::RoleNotInvitable => "RoleNotInvitable",
            Self::RoleNotGrantable => "RoleNotGrantable",
            Self::UnknownCategory => "UnknownCategory",
            Self::NotFound => "NotFound",
            Self::Conflict => "Conflict",
            Self::DeclaredAbsent => "DeclaredAbsent",
            Self::NotAllowedHere => "NotAllowedHere",
            Self::UnknownProfile => "UnknownProfile",
            Self::InvalidProfile => "InvalidProfile",
            Self::ProfileCannot => "ProfileCannot",
            Self::NotServed => "NotServed",
            Self::ParentNotAccepted => "ParentNotAccepted",
        }
    }
}

/// Why something is not accepted, for machines and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// For machines.
    pub reason: Reason,
    /// Where in the object, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// For people: what is wrong.
    pub message: String,
    /// For people: what to do next.
    pub hint: String,
}

impl Rejection {
    /// Says that the value at `pointer` is wrong.
    pub(super) fn new(
        reason: Reason,
        pointer: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { reason, pointer: pointer.into(), message: message.into(), hint: hint.into() }
    }

    /// What is wrong and what to do, in one text, for the message of a condition.
    #[must_use]
    pub fn text(&self) -> String {
        let field = super::source::field(&self.pointer);
        if field.is_empty() {
            format!("{}; {}", self.message, self.hint)
        } else {
            format!("{field}: {}; {}", self.message, self.hint)
        }
    }
}
