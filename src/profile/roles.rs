//! Roles, how one comes to hold them, and who may act on whom.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::keys::RoleName;
use crate::profile::Profile;

/// One role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Name.
    pub name: RoleName,
    /// Whether it holds for the whole account or in one team.
    pub scope: Scope,
    /// Names of its permissions, the product's and the service's; every one where the file says
    /// `all`.
    pub permissions: BTreeSet<String>,
    /// Least confirmed holders at all times.
    pub min_holders: u32,
    /// Most holders; `None`: no bound.
    pub max_holders: Option<u32>,
    /// Whether an invitation or a change of role can give it.
    pub invitable: bool,
    /// Whether declarations need `grantableRoles` to give it.
    pub protected: bool,
    /// Changes only by an ownership change.
    pub immutable: bool,
    /// Whether its holders can be removed at all.
    pub removable: bool,
    /// Whether who opens an account gets it. Exactly one role, the highest.
    pub opens_account: bool,
    /// How a member comes to hold it by the two-step change (DO-09); `None`: not at all.
    pub ownership_change: Option<OwnershipChange>,
    /// Names of the categories that its holders always receive (NP-11).
    pub receives: BTreeSet<String>,
}

/// Where a role holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// In the whole account.
    Account,
    /// In one team.
    Team,
}

/// What the two-step change of owner does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnershipChange {
    /// Adds a holder beside the present ones.
    Add,
    /// Moves the role from the present holder.
    Move {
        /// Role of the former holder afterwards.
        former_becomes: RoleName,
    },
}

/// The words of [`OwnershipChange`] in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddedBy {
    Add,
    Move,
}

/// Who may act on whom: for each verb, how far each role reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Manage {
    /// Roles that may invite.
    pub invite: BTreeMap<RoleName, Reach>,
    /// Roles that may change roles.
    pub change: BTreeMap<RoleName, Reach>,
    /// Roles that may remove.
    pub remove: BTreeMap<RoleName, Reach>,
}

/// How far a role reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// Roles below one's own.
    Lower,
    /// One's own role too.
    Own,
}

/// True if `actor` reaches `target` by `verb` (one of the maps of [`Manage`]).
#[must_use]
pub fn reaches(
    profile: &Profile,
    verb: &BTreeMap<RoleName, Reach>,
    actor: &RoleName,
    target: &RoleName,
) -> bool {
    let (Some(reach), Some(own), Some(other)) =
        (verb.get(actor), profile.rank(actor), profile.rank(target))
    else {
        return false;
    };
    match reach {
        Reach::Lower => other > own,
        Reach::Own => other >= own,
    }
}
