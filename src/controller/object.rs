//! An object as the cluster delivers it: understood, or at least found.
//!
//! One object that cannot be read must not stop the others, so that it is read in two steps: as
//! JSON, which always works, then as its kind, which may fail.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde::de::Error as _;
use serde_json::Value;

/// Where `kubectl apply` on the client keeps a copy of the whole object.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// An object that was understood, or the little that is known of it.
pub enum Guarded<K> {
    /// Understood.
    Readable(Arc<K>),
    /// Found, and not understood.
    Unreadable(Arc<Unreadable>),
}

/// What is known of an object that is not of the form of its kind.
#[derive(Clone, Debug)]
pub struct Unreadable {
    /// Name, versions, deletion mark.
    pub metadata: ObjectMeta,
    /// The first field that could not be read; never its value.
    pub field: String,
    /// The people that it declares.
    pub people: People,
    /// `status` as it stands, to see whether ours is there already.
    pub status: Value,
}

/// The people that an object which is not understood declares: they are left as they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum People {
    /// These addresses.
    Named(Vec<String>),
    /// They cannot be read either.
    Unknown,
}

impl<K> Guarded<K> {
    /// The object, if it was understood.
    pub fn readable(&self) -> Option<&Arc<K>> {
        match self {
            Self::Readable(object) => Some(object),
            Self::Unreadable(_) => None,
        }
    }

    /// What is known of it, if it was not understood.
    pub fn unreadable(&self) -> Option<&Arc<Unreadable>> {
        match self {
            Self::Readable(_) => None,
            Self::Unreadable(object) => Some(object),
        }
    }
}

// Derived, these would ask for `K: Clone` and `K: Debug`; and addresses are never printed.
impl<K> Clone for Guarded<K> {
    fn clone(&self) -> Self {
        match self {
            Self::Readable(object) => Self::Readable(Arc::clone(object)),
            Self::Unreadable(object) => Self::Unreadable(Arc::clone(object)),
        }
    }
}

impl<K> fmt::Debug for Guarded<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Readable(_) => "Readable",
            Self::Unreadable(_) => "Unreadable",
        })
    }
}

impl<K: Resource<DynamicType = ()> + Clone> Resource for Guarded<K> {
    type DynamicType = ();
    type Scope = K::Scope;

    fn kind((): &()) -> Cow<'_, str> {
        K::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        K::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        K::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        K::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        match self {
            Self::Readable(object) => object.meta(),
            Self::Unreadable(object) => &object.metadata,
        }
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        match self {
            Self::Readable(object) => Arc::make_mut(object).meta_mut(),
            Self::Unreadable(object) => &mut Arc::make_mut(object).metadata,
        }
    }
}

impl<'de, K: DeserializeOwned> Deserialize<'de> for Guarded<K> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut json = Value::deserialize(deserializer)?;
        let metadata = trim(&mut json).map_err(D::Error::custom)?;
        if let Ok(object) = K::deserialize(&json) {
            return Ok(Self::Readable(Arc::new(object)));
        }
        // A status is ours and says nothing that we need: one that cannot be read is written anew.
        let status = json["status"].take();
        Ok(match serde_path_to_error::deserialize(&json) {
            Ok(object) => Self::Readable(Arc::new(object)),
            Err(error) => Self::Unreadable(Arc::new(Unreadable {
                metadata,
                field: error.path().to_string(),
                people: people(&json["spec"]),
                status,
            })),
        })
    }
}

/// Drops what is never used and large, and reads the metadata.
fn trim(json: &mut Value) -> Result<ObjectMeta, serde_json::Error> {
    if let Some(metadata) = json["metadata"].as_object_mut() {
        metadata.remove("managedFields");
        if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
            annotations.remove(LAST_APPLIED);
        }
    }
    ObjectMeta::deserialize(&json["metadata"])
}

/// The addresses in a `spec` of a kind that declares people.
fn people(spec: &Value) -> People {
    let email = spec.get("email").or_else(|| spec.get("clientEmail"));
    let lines = match (email, spec.get("roster")) {
        (Some(email), _) => addresses(email, spec),
        (None, Some(Value::Array(lines))) => {
            lines.iter().flat_map(|line| addresses(&line["email"], line)).collect()
        }
        (None, Some(Value::Null) | None)
            if spec.get("accountRef").is_some() && spec.get("role").is_none() =>
        {
            Vec::new()
        }
        (None, _) => return People::Unknown,
    };
    let named: Option<Vec<_>> = lines.into_iter().map(|email| email.map(str::to_owned)).collect();
    named.map_or(People::Unknown, People::Named)
}

/// All addresses of one person; `None` for what is not a text.
fn addresses<'a>(email: &'a Value, line: &'a Value) -> Vec<Option<&'a str>> {
    let earlier = match line.get("formerly") {
        None => Vec::new(),
        Some(Value::Array(earlier)) => earlier.iter().map(Value::as_str).collect(),
        Some(_) => vec![None],
    };
    std::iter::once(email.as_str()).chain(earlier).collect()
}

#[cfg(test)]
mod tests {
    use kube::Resource as _;
    use serde_json::json;

    use super::{Guarded, People};
    use crate::api::{Membership, Team};

    fn unreadable<K: serde::de::DeserializeOwned>(spec: &serde_json::Value) -> (String, People) {
        let object = json!({
            "apiVersion": "seatkeeper.dev/v1alpha1", "kind": "Any",
            "metadata": {"name": "a", "namespace": "web", "managedFields": [{}]},
            "spec": spec,
        });
        let guarded: Guarded<K> = serde_json::from_value(object).unwrap();
        let known = guarded.unreadable().expect("it could be read");
        (known.field.clone(), known.people.clone())
    }

    #[test]
    fn an_object_of_another_form_is_found_with_its_field_and_its_people() {
        let spec = json!({
            "teamRef": {"name": "core"}, "email": "ana@example.com", "role": "member",
            "inviteEpoch": 1e20,
        });
        let (field, people) = unreadable::<Membership>(&spec);
        assert_eq!(field, "spec.inviteEpoch");
        assert_eq!(people, People::Named(vec!["ana@example.com".into()]));

        let spec = json!({
            "accountRef": {"name": "acme"},
            "roster": [
                {"email": "bo@example.com", "formerly": ["old@example.com"]},
                {"email": "cyd@example.com", "role": 3},
            ],
        });
        let (field, people) = unreadable::<Team>(&spec);
        assert_eq!(field, "spec.roster[1].role");
        let all = ["bo@example.com", "old@example.com", "cyd@example.com"];
        assert_eq!(people, People::Named(all.map(str::to_owned).to_vec()));
    }

    #[test]
    fn people_that_cannot_be_read_are_unknown_not_absent() {
        let (_, people) = unreadable::<Membership>(&json!({"email": 7}));
        assert_eq!(people, People::Unknown);
        let (_, people) = unreadable::<Team>(&json!({"roster": [{"mail": "bo@example.com"}]}));
        assert_eq!(people, People::Unknown);
        let (_, people) = unreadable::<Team>(&json!("text"));
        assert_eq!(people, People::Unknown);
    }

    #[test]
    fn a_status_that_cannot_be_read_does_not_make_the_object_unreadable() {
        let object = json!({
            "apiVersion": "seatkeeper.dev/v1alpha1", "kind": "Membership",
            "metadata": {"name": "a", "namespace": "web"},
            "spec": {"teamRef": {"name": "core"}, "email": "ana@example.com", "role": "member"},
            "status": {"state": "Whatever"},
        });
        let guarded: Guarded<Membership> = serde_json::from_value(object).unwrap();
        assert_eq!(guarded.readable().unwrap().status, None);
    }

    #[test]
    fn what_is_large_and_never_used_is_not_kept() {
        let object = json!({
            "apiVersion": "seatkeeper.dev/v1alpha1", "kind": "Membership",
            "metadata": {
                "name": "a", "namespace": "web", "managedFields": [{"manager": "kubectl"}],
                "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "b": "c"},
            },
            "spec": {"teamRef": {"name": "core"}, "email": "ana@example.com", "role": "member"},
        });
        let guarded: Guarded<Membership> = serde_json::from_value(object).unwrap();
        assert!(guarded.readable().is_some());
        assert!(guarded.meta().managed_fields.is_none());
        assert_eq!(guarded.meta().annotations.as_ref().unwrap().len(), 1);
    }
}
