//! Manifests to domain, for cluster and files alike.
//!
//! Only `read` touches files. `resolve` is pure: what is declared for one account goes in, what the
//! planner needs and every problem come out.

mod accounts;
mod attach;
mod clients;
mod collect;
mod documents;
mod domains;
mod duration;
mod export;
mod metadata;
mod names;
mod people;
mod profiles;
mod read;
mod reason;
mod recipients;
mod resolve;
mod schema;
mod source;
mod teams;
mod terms;

pub use crate::manifests::accounts::Declarations;
pub use crate::manifests::accounts::Objects;
pub use crate::manifests::accounts::Sorted;
pub use crate::manifests::attach::account_takes;
pub use crate::manifests::export::{Counts, Exported, Names, export, object_name};
pub use crate::manifests::profiles::ConfigMaps;
pub use crate::manifests::read::Files;
pub use crate::manifests::read::{parse, read};
pub use crate::manifests::reason::Reason;
pub use crate::manifests::reason::Rejection;
pub use crate::manifests::resolve::FirstSeen;
pub use crate::manifests::resolve::Leaving;
pub use crate::manifests::resolve::Outcome;
pub use crate::manifests::resolve::RejectedLine;
pub use crate::manifests::resolve::Resolved;
pub use crate::manifests::resolve::resolve;
pub use crate::manifests::source::DEFAULT_NAMESPACE;
pub use crate::manifests::source::Declared;
pub use crate::manifests::source::ObjectKey;
pub use crate::manifests::source::Source;
pub use crate::manifests::source::{namespace, team_of};
pub use crate::manifests::teams::{member_key, reference};
pub use crate::manifests::terms::{APPROVE_ANNOTATION, RELEASE_ANNOTATION, RESEND_ANNOTATION};

#[cfg(test)]
mod tests;
