//! The two ways in which patches are merged.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// A merge patch (RFC 7396).
pub fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *into = patch.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let into = into.as_object_mut().unwrap();
    for (key, value) in patch {
        if value.is_null() {
            into.remove(key);
        } else {
            merge(into.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// What each manager has applied to an object, by manager and subresource.
pub type Applied = BTreeMap<(String, String), Value>;

/// A server-side apply: what the manager applied before and does not apply now goes, unless another
/// manager applies it too. A list is one value.
pub fn apply(into: &mut Value, before: Option<&Value>, now: &Value, others: &[&Value]) {
    if let Some(before) = before {
        forget(into, before, now, others);
    }
    put(into, now);
}

fn put(into: &mut Value, now: &Value) {
    let Value::Object(now) = now else {
        *into = now.clone();
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let into = into.as_object_mut().unwrap();
    for (key, value) in now {
        put(into.entry(key.clone()).or_insert(Value::Null), value);
    }
}

fn forget(into: &mut Value, before: &Value, now: &Value, others: &[&Value]) {
    let (Some(into), Some(before)) = (into.as_object_mut(), before.as_object()) else { return };
    for (key, old) in before {
        let theirs: Vec<&Value> = others.iter().filter_map(|other| other.get(key)).collect();
        match (now.get(key), old) {
            (None, Value::Object(_)) if !theirs.is_empty() => {
                if let Some(into) = into.get_mut(key) {
                    forget(into, old, &Value::Object(Map::new()), &theirs);
                }
            }
            (None, _) if theirs.is_empty() => {
                into.remove(key);
            }
            (None, _) => {}
            (Some(now), _) => {
                if let Some(into) = into.get_mut(key) {
                    forget(into, old, now, &theirs);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{apply, merge};

    #[test]
    fn a_null_takes_a_field_away() {
        let mut object = json!({"a": {"b": 1, "c": 2}, "d": [1]});
        merge(&mut object, &json!({"a": {"b": null}, "d": [2, 3]}));
        assert_eq!(object, json!({"a": {"c": 2}, "d": [2, 3]}));
    }

    #[test]
    fn what_is_applied_no_more_goes_and_what_others_wrote_stays() {
        let mut object = json!({"status": {"a": 1, "b": 2, "theirs": 3}});
        let before = json!({"status": {"a": 1, "b": 2}});
        apply(&mut object, Some(&before), &json!({"status": {"a": 5}}), &[]);
        assert_eq!(object, json!({"status": {"a": 5, "theirs": 3}}));
        let other = json!({"status": {"a": 5}});
        apply(&mut object, Some(&json!({"status": {"a": 5}})), &json!({}), &[&other]);
        assert_eq!(object, json!({"status": {"a": 5, "theirs": 3}}));
    }
}
