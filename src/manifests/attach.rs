//! Which namespaces may name an Account or an AccountClass.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{ParseExpressionError, Selector, SelectorExt as _};

use crate::api::{AccountNamespaces, AccountNamespacesFrom, ClassNamespaces, ClassNamespacesFrom};
use crate::manifests::reason::{Reason, Rejection};

/// Labels of a namespace.
pub type Labels = BTreeMap<String, String>;

/// Label that every namespace carries. Source: Kubernetes, well-known labels.
const NAME_LABEL: &str = "kubernetes.io/metadata.name";

/// Whether objects of namespace `space` may name an Account of namespace `own`.
pub fn account_takes(
    allowed: &AccountNamespaces,
    own: &str,
    space: &str,
    labels: Option<&Labels>,
) -> bool {
    space == own
        || match allowed.from {
            AccountNamespacesFrom::Same => false,
            AccountNamespacesFrom::All => true,
            AccountNamespacesFrom::Selector => matches(allowed.selector.as_ref(), space, labels),
        }
}

/// Whether Accounts of namespace `space` may be of a class.
pub fn class_takes(allowed: &ClassNamespaces, space: &str, labels: Option<&Labels>) -> bool {
    match allowed.from {
        ClassNamespacesFrom::All => true,
        ClassNamespacesFrom::Selector => matches(allowed.selector.as_ref(), space, labels),
    }
}

/// Refuses a selector that cannot be one: an operator that there is not, or one without its values.
pub fn check(selector: Option<&LabelSelector>) -> Result<(), Rejection> {
    let Some(selector) = selector else { return Ok(()) };
    let Err(error) = parsed(selector) else { return Ok(()) };
    let hint = "operators are In, NotIn (with values), Exists and DoesNotExist (without)";
    let pointer = "/spec/allowedNamespaces/selector/matchExpressions";
    Err(Rejection::new(Reason::InvalidSpec, pointer, error.to_string(), hint))
}

/// A selector that is missing or cannot be one matches nothing. Of a namespace whose labels are not
/// known only the name can be compared.
fn matches(selector: Option<&LabelSelector>, space: &str, labels: Option<&Labels>) -> bool {
    let Some(wanted) = selector else { return false };
    let Ok(selector) = parsed(wanted) else { return false };
    if labels.is_none() && !asks_for_name_only(wanted) {
        return false;
    }
    let mut labels = labels.cloned().unwrap_or_default();
    labels.insert(NAME_LABEL.to_owned(), space.to_owned());
    selector.matches(&labels)
}

/// Whether a selector can be decided by the name of a namespace.
pub fn asks_for_name_only(selector: &LabelSelector) -> bool {
    let labels = selector.match_labels.iter().flat_map(BTreeMap::keys);
    let expressions = selector.match_expressions.iter().flatten();
    labels.chain(expressions.map(|expression| &expression.key)).all(|key| key == NAME_LABEL)
}

fn parsed(selector: &LabelSelector) -> Result<Selector, ParseExpressionError> {
    selector.clone().try_into()
}
