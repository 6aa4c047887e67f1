//! Closed words: every knob of a profile is one of a few words, never free text.

use crate::profile::roles::AddedBy;
use crate::profile::{
    Bulk, Counted, HealthOf, KnownUser, LimitFrom, Notes, Notice, OnShrink, OverLimit,
    PermissionKind, Pool, Reach, ResendLink, RoleWhilePending, Scope, SecureSignInBy, TeamState,
    TeamSubscription, Teams, Topic, Unit, WhenFull,
};

/// A knob with a few settings, each with its word in the file.
pub trait Word: Copy + PartialEq + 'static {
    /// All settings with their words.
    const ALL: &'static [(&'static str, Self)];

    /// The setting of a word.
    #[must_use]
    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == word).map(|(_, setting)| *setting)
    }

    /// The word of this setting.
    #[must_use]
    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(_, setting)| *setting == self).map_or("", |(word, _)| word)
    }
}

/// Lists the words of each knob.
macro_rules! words {
    ($($knob:ident { $($word:literal => $setting:ident),* $(,)? })*) => {
        $(
            impl Word for $knob {
                const ALL: &'static [(&'static str, Self)] = &[$(($word, Self::$setting)),*];
            }
        )*

        /// All words of all knobs: the template shows each.
        #[cfg(test)]
        pub const ALL: &[&str] = &[$($($word),*),*];
    };
}

words! {
    Teams { "One" => One, "Many" => Many }
    Scope { "account" => Account, "team" => Team }
    PermissionKind {
        "read" => Read,
        "write" => Write,
        "remove" => Remove,
        "billing" => Billing,
    }
    Reach { "lower" => Lower, "own" => Own }
    Pool { "account" => Account, "subscription" => Subscription, "none" => None }
    LimitFrom {
        "highestTier" => HighestTier,
        "plan" => Plan,
        "subscription" => Subscription,
        "unlimited" => Unlimited,
    }
    Counted {
        "owner" => Owner,
        "ownerInTeam" => OwnerInTeam,
        "active" => Active,
        "pending" => Pending,
        "clientAccess" => ClientAccess,
    }
    OnShrink { "trimLatestAdded" => TrimLatestAdded, "keep" => Keep }
    KnownUser { "mustAccept" => MustAccept, "addAtOnce" => AddAtOnce }
    ResendLink { "sameLink" => SameLink, "newLink" => NewLink }
    Bulk { "none" => None, "addresses" => Addresses, "lines" => Lines }
    RoleWhilePending { "onPage" => OnPage, "apiOnly" => ApiOnly }
    AddedBy { "add" => Add, "move" => Move }
    SecureSignInBy { "invitation" => Invitation, "settings" => Settings }
    OverLimit { "request" => Request, "allow" => Allow }
    HealthOf { "websites" => Websites }
    TeamSubscription { "exactlyOne" => ExactlyOne, "none" => None }
    TeamState { "Active" => Active, "Inactive" => Inactive, "Pending" => Pending }
    Topic { "billing" => Billing, "usage" => Usage, "websites" => Websites }
    Notes { "authorOnly" => AuthorOnly, "none" => None }
    Notice {
        "added" => Added,
        "roleChanged" => RoleChanged,
        "removed" => Removed,
        "renamed" => Renamed,
        "trimmed" => Trimmed,
        "reinstated" => Reinstated,
        "secureSignInRequired" => SecureSignInRequired,
    }
    Unit { "people" => People, "count" => Count, "bytes" => Bytes }
    WhenFull { "refuse" => Refuse, "overage" => Overage }
}
