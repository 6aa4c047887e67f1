//! What the API server keeps: objects, and every change of them by version.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::simulation::cluster::kinds::{Kind, Target, kind};
use crate::simulation::cluster::patch::{self, Applied};

/// Where an object is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    pub kind: &'static Kind,
    pub namespace: String,
    pub name: String,
}

/// One change; `object` is the last state of one that is gone.
#[derive(Clone, Debug)]
pub struct Change {
    pub version: u64,
    pub key: Key,
    pub what: &'static str,
    pub object: Value,
}

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: u16,
    pub reason: &'static str,
    pub message: String,
    /// Kind and name that it is about.
    pub about: Option<(String, String, String)>,
}

/// A write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write<'a> {
    /// PUT.
    Replace,
    /// PATCH of fields.
    Merge,
    /// PATCH of everything that this manager says.
    Apply(&'a str),
}

/// All objects.
#[derive(Default)]
pub struct Store {
    pub version: u64,
    uids: u64,
    pub objects: BTreeMap<Key, Value>,
    applied: BTreeMap<Key, Applied>,
    /// Every change since `oldest`.
    pub log: Vec<Change>,
    /// Versions up to this one are forgotten.
    pub oldest: u64,
}

impl Key {
    pub fn refuse(&self, code: u16, reason: &'static str, why: &str) -> Refusal {
        let (kind, name) = (self.kind, &self.name);
        let message = format!("{} \"{name}\" {why}", kind.resource());
        let about = Some((kind.group.clone(), kind.plural.clone(), name.clone()));
        Refusal { code, reason, message, about }
    }

    fn conflict(&self, why: &str) -> Refusal {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{}\": {why}",
            self.kind.resource(),
            self.name
        );
        Refusal { message, ..self.refuse(409, "Conflict", "") }
    }
}

impl Target {
    pub fn key(&self, name: &str) -> Key {
        Key { kind: self.kind, namespace: self.namespace.clone(), name: name.to_owned() }
    }
}

const MODIFIED: &str = "the object has been modified; please apply your changes to the latest \
                        version and try again";

impl Store {
    pub fn get(&self, key: &Key) -> Result<Value, Refusal> {
        self.objects.get(key).cloned().ok_or_else(|| key.refuse(404, "NotFound", "not found"))
    }

    pub fn create(
        &mut self,
        key: Key,
        mut object: Value,
        now: Timestamp,
    ) -> Result<Value, Refusal> {
        if key.kind.namespaced {
            let space = Key {
                kind: kind("namespaces"),
                namespace: String::new(),
                name: key.namespace.clone(),
            };
            let space = self.get(&space)?;
            if space["metadata"]["deletionTimestamp"].is_string() {
                let why = format!(
                    "is forbidden: unable to create new content in namespace {} because it is \
                     being terminated",
                    key.namespace
                );
                return Err(key.refuse(403, "Forbidden", &why));
            }
            object["metadata"]["namespace"] = key.namespace.clone().into();
        }
        if self.objects.contains_key(&key) {
            return Err(key.refuse(409, "AlreadyExists", "already exists"));
        }
        self.uids += 1;
        object["apiVersion"] = key.kind.api_version().into();
        object["kind"] = key.kind.kind.clone().into();
        object["metadata"]["name"] = key.name.clone().into();
        object["metadata"]["uid"] = format!("00000000-0000-4000-8000-{:012}", self.uids).into();
        object["metadata"]["creationTimestamp"] = second(now).into();
        if let Some(schema) = &key.kind.schema {
            object["metadata"]["generation"] = 1.into();
            object.as_object_mut().unwrap().remove("status");
            schema.fill(&mut object);
        }
        if key.kind.plural == "namespaces" {
            object["metadata"]["labels"]["kubernetes.io/metadata.name"] = key.name.clone().into();
            object["spec"]["finalizers"] = json!(["kubernetes"]);
            object["status"]["phase"] = "Active".into();
        }
        Ok(self.put("ADDED", key, object))
    }

    /// Changes an object; `sub` is the subresource that is written.
    pub fn write(
        &mut self,
        key: &Key,
        sub: &str,
        how: Write<'_>,
        with: &Value,
    ) -> Result<Value, Refusal> {
        let was = self.get(key)?;
        check_identity(key, sub, &was, with)?;
        let mut next = was.clone();
        match how {
            Write::Replace => {
                if key.kind.schema.is_some() && !with["metadata"]["resourceVersion"].is_string() {
                    let why = "is invalid: metadata.resourceVersion: Invalid value: 0: must be \
                               specified for an update";
                    return Err(key.refuse(422, "Invalid", why));
                }
                next = with.clone();
            }
            Write::Merge => patch::merge(&mut next, with),
            Write::Apply(manager) => {
                let said = without_identity(with);
                let applied = self.applied.entry(key.clone()).or_default();
                let mine = (manager.to_owned(), sub.to_owned());
                let others: Vec<&Value> =
                    applied.iter().filter(|(who, _)| **who != mine).map(|(_, v)| v).collect();
                patch::apply(&mut next, applied.get(&mine), &said, &others);
                applied.insert(mine, said);
            }
        }
        keep_what_is_not_written(key.kind, sub, &was, &mut next);
        if let Some(schema) = &key.kind.schema {
            schema.fill(&mut next);
        }
        if next == was {
            return Ok(was);
        }
        if is_released(&next) {
            self.remove(key, was);
            return Ok(next);
        }
        Ok(self.put("MODIFIED", key.clone(), next))
    }

    /// Deletes an object, or marks it where it has finalizers; gives what is answered.
    pub fn delete(
        &mut self,
        key: &Key,
        options: &Value,
        now: Timestamp,
    ) -> Result<(Value, bool), Refusal> {
        let was = self.get(key)?;
        let wanted = &options["preconditions"];
        for field in ["uid", "resourceVersion"] {
            let (wanted, is) = (&wanted[field], &was["metadata"][field]);
            if wanted.is_string() && wanted != is {
                let word = if field == "uid" { "UID" } else { "ResourceVersion" };
                let why = format!(
                    "the {word} in the precondition ({}) does not match the {word} in record \
                     ({}). The object might have been deleted and then recreated",
                    wanted.as_str().unwrap(),
                    is.as_str().unwrap()
                );
                return Err(by_kind(key, key.conflict(&why)));
            }
        }
        if was["metadata"]["deletionTimestamp"].is_string() {
            return Ok((was, false));
        }
        let is_space = key.kind.plural == "namespaces";
        let held = was["metadata"]["finalizers"].as_array().is_some_and(|f| !f.is_empty());
        if !held && !is_space {
            let gone = self.remove(key, was);
            return Ok((gone, true));
        }
        let mut next = was;
        next["metadata"]["deletionTimestamp"] = second(now).into();
        if key.kind.schema.is_some() {
            next["metadata"]["deletionGracePeriodSeconds"] = 0.into();
            let generation = next["metadata"]["generation"].as_i64().unwrap();
            next["metadata"]["generation"] = (generation + 1).into();
        }
        if is_space {
            next["status"]["phase"] = "Terminating".into();
        }
        Ok((self.put("MODIFIED", key.clone(), next), false))
    }

    /// What the namespace controller does: empties namespaces that are being deleted, and ends those
    /// that are empty.
    pub fn clear_namespaces(&mut self, now: Timestamp) {
        let spaces = self.objects.iter().filter(|(key, object)| {
            key.kind.plural == "namespaces" && object["metadata"]["deletionTimestamp"].is_string()
        });
        let spaces: Vec<Key> = spaces.map(|(key, _)| key.clone()).collect();
        for space in spaces {
            let inside = self.objects.keys().filter(|key| key.namespace == space.name);
            let inside: Vec<Key> = inside.cloned().collect();
            for key in &inside {
                let _ = self.delete(key, &Value::Null, now);
            }
            let left = self.objects.keys().any(|key| key.namespace == space.name);
            if !left && let Some(was) = self.objects.get(&space).cloned() {
                self.remove(&space, was);
            }
        }
    }

    fn put(&mut self, what: &'static str, key: Key, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(key.clone(), object.clone());
        self.log.push(Change { version: self.version, key, what, object: object.clone() });
        object
    }

    fn remove(&mut self, key: &Key, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.remove(key);
        self.applied.remove(key);
        let change = Change {
            version: self.version,
            key: key.clone(),
            what: "DELETED",
            object: object.clone(),
        };
        self.log.push(change);
        object
    }
}

/// Writes name the object that they mean: by version, and, unless they are of the status, by UID.
fn check_identity(key: &Key, sub: &str, was: &Value, with: &Value) -> Result<(), Refusal> {
    let (is, said) = (&was["metadata"], &with["metadata"]);
    if said["resourceVersion"].is_string() && said["resourceVersion"] != is["resourceVersion"] {
        return Err(key.conflict(MODIFIED));
    }
    if sub.is_empty() && said["uid"].is_string() && said["uid"] != is["uid"] {
        let why = "is invalid: metadata.uid: field is immutable";
        return Err(by_kind(key, key.refuse(422, "Invalid", why)));
    }
    Ok(())
}

/// Some refusals name the kind, others the resource.
fn by_kind(key: &Key, refusal: Refusal) -> Refusal {
    let about = refusal.about.map(|(group, _, name)| (group, key.kind.kind.clone(), name));
    Refusal { about, ..refusal }
}

fn without_identity(patch: &Value) -> Value {
    let mut said = patch.clone();
    for field in ["uid", "resourceVersion", "name", "namespace"] {
        said["metadata"].as_object_mut().unwrap().remove(field);
    }
    said
}

/// A write of the status leaves all else, any other write leaves the status; what the server sets
/// itself stays.
fn keep_what_is_not_written(kind: &Kind, sub: &str, was: &Value, next: &mut Value) {
    if sub == "status" {
        let status = next["status"].take();
        *next = was.clone();
        set(next, "status", status);
    } else if kind.schema.is_some() {
        set(next, "status", was["status"].clone());
    }
    for field in [
        "uid",
        "creationTimestamp",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "generation",
    ] {
        let kept = was["metadata"][field].clone();
        set(&mut next["metadata"], field, kept);
    }
    next["metadata"]["resourceVersion"] = was["metadata"]["resourceVersion"].clone();
    for field in ["finalizers", "annotations", "labels"] {
        let empty = match &next["metadata"][field] {
            Value::Array(list) => list.is_empty(),
            Value::Object(map) => map.is_empty(),
            _ => true,
        };
        if empty {
            set(&mut next["metadata"], field, Value::Null);
        }
    }
    if kind.schema.is_some() && next["spec"] != was["spec"] {
        let generation = was["metadata"]["generation"].as_i64().unwrap();
        next["metadata"]["generation"] = (generation + 1).into();
    }
}

/// Sets a field, or takes it away.
fn set(object: &mut Value, field: &str, value: Value) {
    let fields = object.as_object_mut().unwrap();
    if value.is_null() {
        fields.remove(field);
    } else {
        fields.insert(field.to_owned(), value);
    }
}

fn is_released(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
        && object["spec"]["finalizers"].as_array().is_none_or(Vec::is_empty)
        && object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty)
}

fn second(now: Timestamp) -> String {
    format!("{now:.0}")
}
