//! The definitions of all kinds, as they are installed in a cluster.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSON, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt as _;
use serde_json::json;

use super::{
    Account, AccountClass, AccountLedger, ClientAccess, Membership, NotificationSubscription, Team,
};

/// All definitions with the name of their file in `crds/`, in order of that name.
#[must_use]
pub fn crds() -> Vec<(&'static str, CustomResourceDefinition)> {
    let mut crds = vec![
        ("accountclasses.yaml", AccountClass::crd()),
        ("accountledgers.yaml", AccountLedger::crd()),
        ("accounts.yaml", Account::crd()),
        ("clientaccesses.yaml", ClientAccess::crd()),
        ("memberships.yaml", Membership::crd()),
        ("notificationsubscriptions.yaml", NotificationSubscription::crd()),
        ("teams.yaml", Team::crd()),
    ];
    for (_, crd) in &mut crds {
        for version in &mut crd.spec.versions {
            if let Some(root) =
                version.schema.as_mut().and_then(|schema| schema.open_api_v3_schema.as_mut())
            {
                finish(root);
            }
        }
    }
    crds
}

/// Completes a derived schema: `status` gets its default, and nothing is nullable.
///
/// The default makes every tool see "not looked at yet" in a new object. Without `nullable` the API
/// server drops an explicit null as if the field were absent, so `has(self.x)` is enough in CEL.
fn finish(root: &mut JSONSchemaProps) {
    strip_nullable(root);
    let properties = root.properties.get_or_insert_default();
    if let Some(status) = properties.get_mut("status") {
        status.default = Some(JSON(json!({"observedGeneration": -1})));
        status.description =
            Some("What we last found. Written by the operator only; never read from files.".into());
    }
    if let Some(spec) = properties.get_mut("spec") {
        spec.description = Some("What is wanted.".into());
    }
}

/// Removes `nullable` from a schema and all below it.
fn strip_nullable(schema: &mut JSONSchemaProps) {
    schema.nullable = None;
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        strip_nullable(property);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        strip_nullable(items);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        strip_nullable(values);
    }
}
