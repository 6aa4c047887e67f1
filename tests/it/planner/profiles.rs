//! Profiles as the planner needs them: two products, and one that no product is.

use seatkeeper::domain::keys::RoleName;
use seatkeeper::profile::{Counted, OnShrink, Profile, Role, built_in};

/// A profile by name.
pub fn profile(name: &str) -> Profile {
    match name {
        "club" => club(),
        _ => Profile::clone(&built_in(name).unwrap_or_else(|| panic!("no profile {name}"))),
    }
}

/// A product of its own: two owners at most, who take seats and change by a change of role; a chair
/// that can be neither given, changed nor removed; who was added last is trimmed.
fn club() -> Profile {
    let mut club = profile("nitropack");
    let like = |name: &str, model: &Role| Role { name: RoleName::from(name), ..model.clone() };
    let [owner, admin, developer, ..] = club.roles.as_slice() else {
        panic!("owner, admin, developer, …");
    };
    let owner = Role { max_holders: Some(2), invitable: true, removable: true, ..owner.clone() };
    let chair =
        Role { immutable: true, removable: false, invitable: false, ..like("chair", developer) };
    club.roles = vec![owner, chair, admin.clone(), like("member", developer)];
    club.name = "club".into();
    club.seats.counts = [Counted::Owner, Counted::Active, Counted::Pending].into();
    club.seats.on_shrink = OnShrink::TrimLatestAdded;
    club
}
