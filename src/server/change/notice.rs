//! What people are told of beside their own place: digests, short seats, billing, usage.

use std::collections::BTreeSet;

use crate::profile::Topic;
use crate::server::change::Change;
use crate::server::error::ApiError;
use crate::server::store::{members, recipients};

/// Addresses of active members who are told of this: made recipients of a category about it, or
/// holders of a role that always receives one (NP-11).
pub(crate) async fn recipients_of(
    change: &mut Change,
    topic: Topic,
) -> Result<BTreeSet<String>, ApiError> {
    let (account_id, profile) = (change.account.id.clone(), change.profile.clone());
    let mut told = BTreeSet::new();
    for category in profile.categories.iter().filter(|category| category.about == topic) {
        let name = &category.name;
        told.extend(recipients::addresses(change.conn(), &account_id, name).await?);
        for role in profile.roles.iter().filter(|role| role.receives.contains(name)) {
            let role = role.name.as_str();
            told.extend(members::active_with_role(change.conn(), &account_id, role).await?);
        }
    }
    Ok(told)
}
