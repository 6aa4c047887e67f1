//! References to other objects.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

/// Names of Kubernetes objects. Source: RFC 1123 sub-domains, as the API server checks them.
pub(super) const OBJECT_NAME: &str =
    r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$";

/// Names of namespaces. Source: RFC 1123 labels.
const NAMESPACE_NAME: &str = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";

/// Ids at the account service, as far as one can be a segment of a path.
pub(super) const SERVICE_ID: &str = "^[A-Za-z0-9_-]{1,128}$";

/// Text in one line that says something, without control characters.
pub(super) const ONE_LINE: &str =
    r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";

/// Keys of a Secret or a ConfigMap, as the API server checks them.
const DATA_KEY: &str = r"^[-._a-zA-Z0-9]+$";

/// An object in the same namespace, by name.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct NameRef {
    /// Name of the object.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub name: String,
}

/// An Account.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AccountRef {
    /// Name of the Account.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub name: String,

    /// Namespace of the Account, which has to allow this one in `allowedNamespaces`. Default: the
    /// namespace of this object.
    #[schemars(length(min = 1, max = 63), regex(pattern = NAMESPACE_NAME))]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// One key of a Secret in the same namespace.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SecretKeyRef {
    /// Name of the Secret.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub name: String,

    /// Key in the Secret's data.
    #[schemars(length(min = 1, max = 253), regex(pattern = DATA_KEY))]
    pub key: String,
}

/// One key of a ConfigMap that holds a profile.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileConfigMapRef {
    /// Namespace of the ConfigMap. Whoever may write there decides about the rules of all accounts
    /// of the class.
    #[schemars(length(min = 1, max = 63), regex(pattern = NAMESPACE_NAME))]
    pub namespace: String,

    /// Name of the ConfigMap.
    #[schemars(length(min = 1, max = 253), regex(pattern = OBJECT_NAME))]
    pub name: String,

    /// Key in the ConfigMap's data. Default `profile.yaml`.
    #[schemars(length(min = 1, max = 253), regex(pattern = DATA_KEY))]
    #[serde(default = "ProfileConfigMapRef::default_key")]
    pub key: String,
}

impl ProfileConfigMapRef {
    /// The schema's default.
    fn default_key() -> String {
        "profile.yaml".to_owned()
    }
}
