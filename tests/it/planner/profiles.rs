//! Profiles as the planner needs them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use seatkeeper::domain::keys::RoleName;
use seatkeeper::profile::{
    Cancellation, Counted, InvitationRules, Manage, OnShrink, Profile, ResendLink, Role, SeatRules,
    Teams,
};

/// One of the products, by name.
pub fn profile(name: &str) -> Profile {
    match name {
        "nitropack" => nitropack(),
        "portal" => portal(),
        "club" => club(),
        _ => panic!("no profile {name}"),
    }
}

/// Pending people count, owners do not, and who was added last is trimmed.
pub fn nitropack() -> Profile {
    let owner = Role {
        min_holders: 1,
        max_holders: Some(1),
        invitable: false,
        protected: true,
        ..role("owner")
    };
    let admin = Role { protected: true, ..role("admin") };
    let roles = vec![owner, admin, role("developer"), role("biller")];
    product("nitropack", roles, &[Counted::Active, Counted::Pending], OnShrink::TrimLatestAdded)
}

/// Owners count too, and nobody is trimmed.
pub fn portal() -> Profile {
    let owner = Role {
        min_holders: 1,
        max_holders: Some(1),
        invitable: false,
        protected: true,
        ..role("owner")
    };
    let admin = Role { protected: true, ..role("admin") };
    let roles = vec![owner, admin, role("member")];
    let counts = [Counted::Owner, Counted::Active, Counted::Pending];
    product("portal", roles, &counts, OnShrink::Keep)
}

/// A product of its own: several owners, who take seats and change by a change of role; a chair
/// that can be neither given, changed nor removed; who was added last is trimmed.
fn club() -> Profile {
    let owner = Role { min_holders: 1, protected: true, ..role("owner") };
    let chair = Role { immutable: true, removable: false, invitable: false, ..role("chair") };
    let admin = Role { protected: true, ..role("admin") };
    let counts = [Counted::Owner, Counted::Active, Counted::Pending];
    let roles = vec![owner, chair, admin, role("member")];
    product("club", roles, &counts, OnShrink::TrimLatestAdded)
}

fn role(name: &str) -> Role {
    Role {
        name: RoleName::from(name),
        permissions: BTreeSet::new(),
        min_holders: 0,
        max_holders: None,
        invitable: true,
        protected: false,
        immutable: false,
        removable: true,
    }
}

fn product(name: &str, roles: Vec<Role>, counts: &[Counted], on_shrink: OnShrink) -> Profile {
    Profile {
        name: name.into(),
        title: name.into(),
        teams: Teams::One,
        permissions: BTreeMap::new(),
        roles,
        manage: Manage::default(),
        plans: Vec::new(),
        seats: SeatRules { counts: counts.iter().copied().collect(), on_shrink },
        cancellation: Cancellation::AtOnce,
        invitations: InvitationRules {
            lifetime: Duration::from_secs(30 * 86_400),
            resend: ResendLink::SameLink,
        },
        digest: "0".repeat(16),
    }
}
