//! Which namespaces may name an Account or an AccountClass.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// Namespaces whose objects may name this Account.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.from == 'Selector') == has(self.selector)")
    .message("selector goes with `from: Selector`, and that needs one"))]
pub struct AccountNamespaces {
    /// `Same` (default): the Account's own namespace only. `All`: every namespace. `Selector`: also
    /// those whose labels match `selector`.
    #[serde(default)]
    pub from: AccountNamespacesFrom,

    /// Labels of the namespaces, for `from: Selector`. Every namespace has the label
    /// `kubernetes.io/metadata.name`.
    #[schemars(schema_with = "selector")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// Which namespaces may name an Account.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum AccountNamespacesFrom {
    /// The Account's own.
    #[default]
    Same,
    /// Every one.
    All,
    /// The Account's own, and those whose labels match.
    Selector,
}

/// Namespaces whose Accounts may be of this class.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("(self.from == 'Selector') == has(self.selector)")
    .message("selector goes with `from: Selector`, and that needs one"))]
pub struct ClassNamespaces {
    /// `All` (default): every namespace. `Selector`: those whose labels match `selector`.
    #[serde(default)]
    pub from: ClassNamespacesFrom,

    /// Labels of the namespaces, for `from: Selector`. Every namespace has the label
    /// `kubernetes.io/metadata.name`.
    #[schemars(schema_with = "selector")]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

/// Which namespaces may have Accounts of a class.
#[derive(JsonSchema, Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub enum ClassNamespacesFrom {
    /// Every one.
    #[default]
    All,
    /// Those whose labels match.
    Selector,
}

/// A selector of labels with limits; the derived schema of `LabelSelector` has none.
fn selector(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "x-kubernetes-map-type": "atomic",
        "properties": {
            "matchLabels": {
                "description": "Labels with the values that they must have.",
                "type": "object",
                "maxProperties": 32,
                "additionalProperties": {"type": "string", "maxLength": 63},
            },
            "matchExpressions": {
                "description": "What labels must be like. All of it has to be so.",
                "type": "array",
                "maxItems": 32,
                "x-kubernetes-list-type": "atomic",
                "items": {
                    "type": "object",
                    "required": ["key", "operator"],
                    "properties": {
                        "key": {
                            "description": "Name of the label.",
                            "type": "string",
                            "minLength": 1,
                            "maxLength": 317,
                        },
                        "operator": {
                            "description": "`In` and `NotIn` (with `values`), `Exists` and `DoesNotExist` (without).",
                            "type": "string",
                            "enum": ["In", "NotIn", "Exists", "DoesNotExist"],
                        },
                        "values": {
                            "description": "Values for `In` and `NotIn`.",
                            "type": "array",
                            "maxItems": 64,
                            "x-kubernetes-list-type": "atomic",
                            "items": {"type": "string", "maxLength": 63},
                        },
                    },
                },
            },
        },
    })
}
