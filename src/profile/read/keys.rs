//! The keys of every mapping of a profile.

/// Lists the keys of each mapping.
macro_rules! keys {
    ($($(#[$doc:meta])* $mapping:ident: $($key:literal)*;)*) => {
        $($(#[$doc])* pub const $mapping: &[&str] = &[$($key),*];)*

        /// All of them: the template shows each.
        #[cfg(test)]
        pub const ALL: &[&[&str]] = &[$($mapping),*];
    };
}

keys! {
    /// The profile.
    PROFILE:
        "formatVersion" "profile" "title" "teams" "team" "permissions" "roles" "manage" "plans"
        "features" "products" "seats" "cancellation" "invitations" "secureSignIn" "autoJoin"
        "clientAccess" "categories" "notify" "notes" "meters";
    /// `team`.
    TEAM: "subscription" "status";
    /// `team.status`.
    TEAM_STATUS: "noSubscription" "expired";
    /// A permission of the product.
    PERMISSION: "kind" "menu" "href" "meter";
    /// A role.
    ROLE:
        "scope" "permissions" "holders" "invitable" "protected" "immutable" "removable" "becomesBy"
        "receives";
    /// `holders` of a role.
    HOLDERS: "min" "max";
    /// `becomesBy` of a role.
    BECOMES_BY: "openingAccount" "ownershipChange" "formerBecomes";
    /// `manage`.
    MANAGE: "invite" "change" "remove";
    /// A plan.
    PLAN: "seats" "paid" "features" "products" "meters";
    /// A feature or a product.
    OFFERED: "title";
    /// `seats`.
    SEATS: "pool" "limit" "counts" "onShrink";
    /// `cancellation`.
    CANCELLATION: "lastPaid" "then";
    /// `invitations`.
    INVITATIONS: "lifetime" "knownUser" "resend" "bulk" "roleWhilePending";
    /// `secureSignIn`.
    SECURE_SIGN_IN: "requiredBy";
    /// `autoJoin`.
    AUTO_JOIN: "role" "overLimit";
    /// `clientAccess`.
    CLIENT_ACCESS: "roles" "healthOf";
    /// A category.
    CATEGORY: "title" "about" "openTo";
    /// A meter.
    METER: "title" "unit" "whenFull" "warnAt";
}
