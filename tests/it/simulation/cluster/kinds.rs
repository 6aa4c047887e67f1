//! Which kinds the API server knows, and what a path names.

use std::cmp::Ordering;
use std::sync::OnceLock;

use seatkeeper::api;
use serde_json::Value;

const DEFINITION: &str = "CustomResourceDefinition";
/// Its plural.
pub const DEFINITIONS: &str = "customresourcedefinitions";

/// A kind.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    pub group: String,
    pub version: String,
    pub kind: String,
    pub plural: String,
    pub namespaced: bool,
    /// One of ours: status and spec are written apart, and a change of the spec is a new generation.
    pub schema: Option<Schema>,
}

/// What objects of a kind look like.
#[derive(Debug, PartialEq)]
pub struct Schema(Value);

impl Eq for Schema {}

impl Schema {
    /// Fills in what has a default and is not said.
    pub fn fill(&self, object: &mut Value) {
        fill(&self.0, object);
    }
}

fn fill(schema: &Value, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, of) in schema["properties"].as_object().into_iter().flatten() {
                if let Some(default) = of.get("default") {
                    fields.entry(name.clone()).or_insert_with(|| default.clone());
                }
                if let Some(value) = fields.get_mut(name) {
                    fill(of, value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(&schema["items"], item)),
        _ => {}
    }
}

/// What a request is about.
#[derive(Debug)]
pub struct Target {
    pub kind: &'static Kind,
    /// Empty: all of them, or a kind without.
    pub namespace: String,
    pub name: Option<String>,
    /// `status`, `finalize`; empty: the object itself.
    pub sub: String,
}

/// In the order of the names of resources.
impl Ord for Kind {
    fn cmp(&self, other: &Self) -> Ordering {
        (&self.plural, &self.group).cmp(&(&other.plural, &other.group))
    }
}

impl PartialOrd for Kind {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Kind {
    pub fn api_version(&self) -> String {
        match self.group.as_str() {
            "" => self.version.clone(),
            group => format!("{group}/{}", self.version),
        }
    }

    /// `accounts.seatkeeper.dev`, as messages say it.
    pub fn resource(&self) -> String {
        match self.group.as_str() {
            "" => self.plural.clone(),
            group => format!("{}.{group}", self.plural),
        }
    }
}

fn kinds() -> &'static [Kind] {
    static KINDS: OnceLock<Vec<Kind>> = OnceLock::new();
    KINDS.get_or_init(|| {
        let native = [
            ("", "v1", "Namespace", "namespaces", false),
            ("", "v1", "Secret", "secrets", true),
            ("", "v1", "ConfigMap", "configmaps", true),
            ("events.k8s.io", "v1", "Event", "events", true),
            ("coordination.k8s.io", "v1", "Lease", "leases", true),
            ("apiextensions.k8s.io", "v1", DEFINITION, DEFINITIONS, false),
        ];
        let native = native.map(|(group, version, kind, plural, namespaced)| Kind {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            namespaced,
            schema: None,
        });
        let ours = api::crds().into_iter().map(|(_, crd)| Kind {
            group: crd.spec.group,
            version: crd.spec.versions[0].name.clone(),
            kind: crd.spec.names.kind,
            plural: crd.spec.names.plural,
            namespaced: crd.spec.scope == "Namespaced",
            schema: crd.spec.versions[0]
                .schema
                .as_ref()
                .map(|schema| Schema(serde_json::to_value(&schema.open_api_v3_schema).unwrap())),
        });
        native.into_iter().chain(ours).collect()
    })
}

/// Names of the definitions of our kinds.
pub fn of_ours() -> impl Iterator<Item = String> {
    kinds().iter().filter(|kind| kind.schema.is_some()).map(Kind::resource)
}

/// The kind with this plural.
pub fn kind(plural: &str) -> &'static Kind {
    kinds().iter().find(|kind| kind.plural == plural).unwrap()
}

/// What a path names; `None`: nothing that is known here.
pub fn target(path: &str) -> Option<Target> {
    let mut parts = path.trim_start_matches('/').split('/');
    let (group, version) = match parts.next()? {
        "api" => ("", parts.next()?),
        "apis" => (parts.next()?, parts.next()?),
        _ => return None,
    };
    let rest: Vec<&str> = parts.collect();
    let of = |plural: &str| {
        let known =
            |kind: &&Kind| kind.group == group && kind.version == version && kind.plural == plural;
        kinds().iter().find(known)
    };
    let (namespace, rest) = match rest[..] {
        ["namespaces", namespace, ref rest @ ..]
            if rest.first().is_some_and(|p| of(p).is_some()) =>
        {
            (namespace, rest)
        }
        ref rest => ("", rest),
    };
    let (plural, name, sub) = match rest {
        [plural] => (plural, None, ""),
        [plural, name] => (plural, Some((*name).to_owned()), ""),
        [plural, name, sub] => (plural, Some((*name).to_owned()), *sub),
        _ => return None,
    };
    let kind = of(plural)?;
    Some(Target { kind, namespace: namespace.to_owned(), name, sub: sub.to_owned() })
}
