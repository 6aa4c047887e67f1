//! Status of an object that cannot be read, by its metadata only.

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use serde::{Deserialize as _, Serialize};

use crate::controller::object::Unreadable;
use crate::controller::status::conditions::{Say, Says};
use crate::domain::reason::Reason;

/// The part of a status that all kinds share.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Shared {
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_generation: Option<i64>,
    pub conditions: Vec<Condition>,
}

/// The conditions that stand there, as far as they can be read.
pub fn conditions(object: &Unreadable) -> Vec<Condition> {
    Vec::deserialize(&object.status["conditions"]).unwrap_or_default()
}

/// The next status; `None`: it stands there already.
pub fn next(object: &Unreadable, now: Timestamp) -> Option<Shared> {
    let message = format!(
        "{} cannot be read; nothing that this object declares is changed until it is corrected",
        object.field
    );
    let says = Says {
        accepted: Say::no(Reason::Unreadable, message.clone()),
        synced: Say::unknown(Reason::NotAccepted, Reason::NotAccepted.says()),
        stalled: Some(Say::yes(Reason::Unreadable, message)),
    };
    let old = conditions(object);
    let generation = object.metadata.generation;
    let next = Shared {
        observed_generation: generation,
        conditions: says.conditions(&old, generation, now),
    };
    let same = old == next.conditions && object.status["observedGeneration"].as_i64() == generation;
    (!same).then_some(next)
}
