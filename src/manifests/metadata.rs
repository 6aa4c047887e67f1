//! The metadata of an object in a file: what people write is kept, what a cluster adds is dropped.

use serde_json::Map;
use serde_json::Value;

use crate::manifests::schema::Fault;
use crate::manifests::schema::unknown;
use crate::manifests::source::quote;
use crate::yaml::child;

/// Fields of `metav1.ObjectMeta`. Source: `k8s.io/apimachinery/pkg/apis/meta/v1/types.go`.
const FIELDS: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Longest name of an object. Source: RFC 1123 sub-domains, as the API server checks them.
const MAX_NAME: usize = 253;

/// Longest name of a namespace. Source: RFC 1123 labels.
const MAX_NAMESPACE: usize = 63;

/// The metadata as an object of ours keeps it, and everything that is wrong with it.
///
/// A `deletionTimestamp` that came out of a cluster is dropped: who has the object in a file wants it.
pub fn check(metadata: Option<&Value>) -> (Value, Vec<Fault>) {
    let (mut kept, mut faults) = (Map::new(), Vec::new());
    let empty = Map::new();
    let fields = metadata.and_then(Value::as_object).unwrap_or(&empty);
    for (name, value) in fields {
        let pointer = child("/metadata", name);
        match name.as_str() {
            "name" => faults.extend(name_fault(&pointer, value, MAX_NAME)),
            "namespace" => faults.extend(name_fault(&pointer, value, MAX_NAMESPACE)),
            "labels" | "annotations" => faults.extend(text_faults(&pointer, value)),
            known if FIELDS.contains(&known) => continue,
            _ => faults.push(unknown(pointer, name, FIELDS.into_iter())),
        }
        kept.insert(name.clone(), value.clone());
    }
    if !fields.contains_key("name") {
        let message = "is missing".to_owned();
        let hint = "give the object a name; a generated name would be another object every time";
        faults.push(Fault { pointer: "/metadata/name".to_owned(), message, hint: hint.to_owned() });
    }
    (Value::Object(kept), faults)
}

/// What is wrong with a name, if anything.
fn name_fault(pointer: &str, value: &Value, most: usize) -> Option<Fault> {
    let text = value.as_str().unwrap_or_default();
    let edge = |c: Option<char>| c.is_some_and(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    let dots = most == MAX_NAME;
    let part = |part: &str| {
        edge(part.chars().next())
            && edge(part.chars().next_back())
            && part.chars().all(|c| c == '-' || edge(Some(c)))
    };
    let good = if dots { text.split('.').all(part) } else { part(text) };
    (!good || text.len() > most).then(|| Fault {
        pointer: pointer.to_owned(),
        message: match value.as_str() {
            Some(text) => format!("{} cannot be a name", quote(text)),
            None => "must be a text".to_owned(),
        },
        hint: format!("use lower-case letters, digits and `-`, at most {most} characters"),
    })
}

/// What is wrong with labels or annotations.
fn text_faults(pointer: &str, value: &Value) -> Vec<Fault> {
    let hint = "write texts; put numbers and words such as `true` in quotes".to_owned();
    let Some(entries) = value.as_object() else {
        let message = "must be a mapping".to_owned();
        return vec![Fault { pointer: pointer.to_owned(), message, hint }];
    };
    let wrong = entries.iter().filter(|(_, value)| !value.is_string());
    wrong
        .map(|(name, _)| Fault {
            pointer: child(pointer, name),
            message: "must be a text".to_owned(),
            hint: hint.clone(),
        })
        .collect()
}
