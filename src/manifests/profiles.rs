//! The profile of a class: built in, or the text in a ConfigMap.

use std::collections::BTreeMap;
use std::sync::Arc;

use kube::ResourceExt as _;

use crate::api::{AccountClass, ProfileConfigMapRef};
use crate::manifests::accounts::Declarations;
use crate::manifests::reason::{Reason, Rejection};
use crate::manifests::source::quote;
use crate::manifests::terms::list;
use crate::profile::{self, Profile, built_in, built_in_names};
use crate::yaml::{Problem, nearest};

/// Texts of ConfigMaps by namespace and name, then by key.
pub type ConfigMaps = BTreeMap<(String, String), BTreeMap<String, String>>;

/// The text that a class takes its profile from, where that is there.
pub(super) fn text(class: &AccountClass, maps: &ConfigMaps) -> Option<String> {
    let ProfileConfigMapRef { namespace, name, key } =
        class.spec.profile_config_map_ref.as_ref()?;
    maps.get(&(namespace.clone(), name.clone()))?.get(key).cloned()
}

impl Declarations {
    /// The profile of the class; `None`: there is no class, or no such profile.
    ///
    /// # Errors
    ///
    /// What is wrong in the text of the ConfigMap.
    pub fn profile(&self) -> Result<Option<Arc<Profile>>, Vec<Problem>> {
        let Some(class) = &self.class else { return Ok(None) };
        let spec = &class.object.spec;
        match (&spec.profile, &spec.profile_config_map_ref, &self.profile_text) {
            (Some(name), _, _) => Ok(built_in(name)),
            (None, Some(at), Some(text)) => Ok(Some(Arc::new(profile::read(&place(at), text)?))),
            (None, _, _) => Ok(None),
        }
    }
}

/// Why a class has no profile.
pub(super) fn missing(declarations: &Declarations, class: &AccountClass) -> Rejection {
    let class_name = quote(&class.name_any());
    match (&class.spec.profile, &class.spec.profile_config_map_ref) {
        (None, Some(at)) => {
            let (message, hint) = match declarations.profile() {
                Err(problems) => (
                    format!("AccountClass {class_name}: {}", said(&problems)),
                    "correct the ConfigMap: it is read again by itself",
                ),
                Ok(_) => (
                    format!(
                        "AccountClass {class_name} names {}, which is not there or cannot be read",
                        place(at)
                    ),
                    "make that ConfigMap with that key, or name one that there is",
                ),
            };
            Rejection::new(Reason::InvalidProfile, "/spec/className", message, hint)
        }
        (name, _) => unknown(name.as_deref().unwrap_or_default(), &class_name),
    }
}

/// The first problem, and how many there are beside it.
fn said(problems: &[Problem]) -> String {
    let first = problems.first().map(ToString::to_string).unwrap_or_default();
    let first = first.lines().next().unwrap_or_default();
    match problems.len() {
        0 | 1 => first.to_owned(),
        n => format!("{first} (and {} more)", n - 1),
    }
}

/// A ConfigMap's key, for people.
fn place(at: &ProfileConfigMapRef) -> String {
    format!("ConfigMap {}/{} key {}", at.namespace, at.name, at.key)
}

/// A class whose profile there is not.
fn unknown(name: &str, class_name: &str) -> Rejection {
    let message = format!("AccountClass {class_name} names unknown profile {}", quote(name));
    let known = || built_in_names().iter().copied();
    let hint = match nearest(name, known()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("built-in profiles are {}", list(known())),
    };
    Rejection::new(Reason::UnknownProfile, "/spec/className", message, hint)
}
