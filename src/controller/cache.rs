//! What a watch has told us, one cache a kind, shared by all who read.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;

use crate::controller::object::Guarded;

/// Namespace and name of an object; the namespace of a cluster-wide one is empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name {
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

impl Name {
    /// A name.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The name of an object.
    pub fn of(metadata: &ObjectMeta) -> Self {
        let ObjectMeta { namespace, name, .. } = metadata;
        Self::new(namespace.clone().unwrap_or_default(), name.clone().unwrap_or_default())
    }
}

/// A difference that somebody may have to act on.
pub struct Change<K> {
    /// The object as it was known; `None`: not at all.
    pub old: Option<Guarded<K>>,
    /// The object as it is; `None`: gone.
    pub new: Option<Guarded<K>>,
}

/// All objects of one kind.
pub struct Cache<K>(RwLock<BTreeMap<Name, Guarded<K>>>);

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<K: Resource<DynamicType = ()> + Clone> Cache<K> {
    /// One object.
    pub fn get(&self, name: &Name) -> Option<Guarded<K>> {
        self.read().get(name).cloned()
    }

    /// All objects of a namespace, by name.
    pub fn in_namespace(&self, namespace: &str) -> Vec<Guarded<K>> {
        let from = Bound::Included(Name::new(namespace, ""));
        let objects = self.read();
        let range = objects.range((from, Bound::Unbounded));
        range.take_while(|(name, _)| name.namespace == namespace).map(|(_, o)| o.clone()).collect()
    }

    /// Namespaces of the objects that are as asked for.
    pub fn namespaces(&self, is_wanted: impl Fn(&K) -> bool) -> BTreeSet<String> {
        let objects = self.read();
        let wanted =
            objects.iter().filter(|(_, object)| object.readable().is_some_and(|o| is_wanted(o)));
        wanted.map(|(name, _)| name.namespace.clone()).collect()
    }

    /// Namespaces of all objects.
    pub fn all_namespaces(&self) -> BTreeSet<String> {
        self.read().keys().map(|name| name.namespace.clone()).collect()
    }

    /// All objects, by namespace and name.
    pub fn all(&self) -> Vec<Guarded<K>> {
        self.read().values().cloned().collect()
    }

    /// Takes over an object that the watch showed.
    pub fn apply(&self, object: Guarded<K>) -> Option<Change<K>> {
        let name = Name::of(object.meta());
        let mut objects = self.write();
        let old = objects.get(&name).cloned();
        if old.as_ref().is_some_and(|old| is_older(object.meta(), old.meta())) {
            return None;
        }
        objects.insert(name, object.clone());
        change(old, Some(object))
    }

    /// Takes over what a write of ours answered, so that the next look does not work on a copy from
    /// before it. An object that is gone meanwhile stays gone.
    pub fn wrote(&self, object: Guarded<K>) {
        let name = Name::of(object.meta());
        let mut objects = self.write();
        if let Some(known) = objects.get_mut(&name)
            && known.meta().uid == object.meta().uid
            && !is_older(object.meta(), known.meta())
        {
            *known = object;
        }
    }

    /// Drops an object that the watch showed as gone.
    pub fn delete(&self, object: &Guarded<K>) -> Option<Change<K>> {
        let old = self.write().remove(&Name::of(object.meta()));
        change(old, None)
    }

    /// Takes over a whole list. A relist sends no deletion for what vanished in between.
    pub fn replace(&self, list: Vec<Guarded<K>>) -> Vec<Change<K>> {
        let mut objects = self.write();
        let mut old = std::mem::take(&mut *objects);
        let mut changes = Vec::new();
        for object in list {
            let name = Name::of(object.meta());
            let known = old.remove(&name);
            let newer = known.as_ref().filter(|known| is_older(object.meta(), known.meta()));
            let object = newer.cloned().unwrap_or(object);
            changes.extend(change(known, Some(object.clone())));
            objects.insert(name, object);
        }
        changes.extend(old.into_values().filter_map(|gone| change(Some(gone), None)));
        changes
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<Name, Guarded<K>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<Name, Guarded<K>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// True if `new` is an earlier version of the same object than `old`. Versions of one kind can be
/// compared as numbers; those that are not numbers are taken as they come.
fn is_older(new: &ObjectMeta, old: &ObjectMeta) -> bool {
    let version = |meta: &ObjectMeta| meta.resource_version.as_ref()?.parse::<u64>().ok();
    new.uid == old.uid && version(new).zip(version(old)).is_some_and(|(new, old)| new < old)
}

/// A change, if it is one that matters. Not generation alone: it does not move when a finalizer, a
/// label or an annotation does; and not the version, which our own status moves.
fn change<K>(old: Option<Guarded<K>>, new: Option<Guarded<K>>) -> Option<Change<K>>
where
    K: Resource<DynamicType = ()> + Clone,
{
    let matters = |object: &Guarded<K>| {
        let ObjectMeta {
            uid, generation, deletion_timestamp, finalizers, labels, annotations, ..
        } = object.meta().clone();
        (uid, generation, deletion_timestamp, finalizers, labels, annotations)
    };
    (old.as_ref().map(matters) != new.as_ref().map(matters)).then_some(Change { old, new })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Cache, Change, Name};
    use crate::api::Membership;
    use crate::controller::object::Guarded;

    fn object(name: &str, version: u64, metadata: serde_json::Value) -> Guarded<Membership> {
        let mut object = json!({
            "apiVersion": "seatkeeper.dev/v1alpha1", "kind": "Membership",
            "metadata": {"name": name, "namespace": "web", "uid": format!("uid-{name}")},
            "spec": {"teamRef": {"name": "core"}, "email": "ana@example.com", "role": "member"},
        });
        object["metadata"]["resourceVersion"] = json!(version.to_string());
        for (key, value) in metadata.as_object().unwrap() {
            object["metadata"][key] = value.clone();
        }
        serde_json::from_value(object).unwrap()
    }

    fn names(changes: &[Change<Membership>]) -> Vec<String> {
        let name = |object: &Guarded<Membership>| Name::of(kube::Resource::meta(object)).name;
        let mut names: Vec<_> = changes
            .iter()
            .map(|change| match (&change.old, &change.new) {
                (None, Some(new)) => format!("+{}", name(new)),
                (Some(old), None) => format!("-{}", name(old)),
                (Some(old), Some(_)) => format!("~{}", name(old)),
                (None, None) => unreachable!(),
            })
            .collect();
        names.sort();
        names
    }

    #[test]
    fn only_what_matters_is_a_change() {
        let cache = Cache::default();
        let none = json!({});
        assert!(cache.apply(object("a", 1, none.clone())).is_some());
        assert!(cache.apply(object("a", 2, none.clone())).is_none(), "a status moves the version");
        assert!(cache.apply(object("a", 3, json!({"generation": 2}))).is_some());
        assert!(
            cache.apply(object("a", 4, json!({"generation": 2, "labels": {"b": "c"}}))).is_some()
        );
        let finalizers = json!({"generation": 2, "finalizers": ["d"]});
        assert!(cache.apply(object("a", 5, finalizers)).is_some());
        let deleting = json!({"generation": 2, "deletionTimestamp": "2026-11-22T05:00:00Z"});
        assert!(cache.apply(object("a", 6, deleting)).is_some());
        let again = json!({"uid": "another"});
        assert!(cache.apply(object("a", 7, again)).is_some(), "made anew under the same name");
    }

    #[test]
    fn an_event_from_before_our_own_write_does_not_undo_it() {
        let cache = Cache::default();
        cache.apply(object("a", 1, json!({})));
        cache.wrote(object("a", 9, json!({"finalizers": ["f"]})));
        assert!(cache.apply(object("a", 5, json!({"labels": {"b": "c"}}))).is_none());
        let kept = cache.get(&Name::new("web", "a")).unwrap();
        assert_eq!(kube::Resource::meta(&kept).resource_version.as_deref(), Some("9"));
        assert!(cache.replace(vec![object("a", 5, json!({}))]).is_empty());
    }

    #[test]
    fn what_a_write_answers_does_not_bring_back_what_is_gone() {
        let cache = Cache::default();
        let gone = object("a", 1, json!({}));
        cache.apply(gone.clone());
        assert!(cache.delete(&gone).is_some());
        cache.wrote(object("a", 2, json!({})));
        assert!(cache.get(&Name::new("web", "a")).is_none());
    }

    #[test]
    fn a_relist_tells_what_came_changed_and_vanished() {
        let cache = Cache::default();
        let list = ["a", "b", "c"].map(|name| object(name, 1, json!({})));
        assert_eq!(names(&cache.replace(list.to_vec())), ["+a", "+b", "+c"]);
        let list = vec![
            object("a", 1, json!({})),
            object("b", 7, json!({"generation": 3})),
            object("d", 8, json!({})),
        ];
        assert_eq!(names(&cache.replace(list)), ["+d", "-c", "~b"]);
        assert_eq!(cache.in_namespace("web").len(), 3);
        assert!(cache.in_namespace("we").is_empty());
    }
}
