//! From the text of a file to objects, each with its place. No I/O.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::json;

use crate::api;
use crate::api::GROUP;
use crate::api::VERSION;
use crate::manifests::accounts::Objects;
use crate::manifests::attach::Labels;
use crate::manifests::metadata;
use crate::manifests::schema::Fault;
use crate::manifests::schema::Schema;
use crate::manifests::schema::unknown;
use crate::manifests::source::DEFAULT_NAMESPACE;
use crate::manifests::source::Declared;
use crate::manifests::source::Source;
use crate::manifests::source::quote;
use crate::manifests::terms::list;
use crate::yaml;
use crate::yaml::Problem;
use crate::yaml::nearest;

/// Kinds that people write.
const KINDS: [&str; 6] =
    ["AccountClass", "Account", "Team", "Membership", "ClientAccess", "NotificationSubscription"];

/// Reads the texts of files and collects their objects.
pub struct Collector {
    /// What was read.
    pub objects: Objects,
    /// What was left out, for people.
    pub notes: Vec<String>,
    /// What is wrong.
    pub problems: Vec<Problem>,
    /// Schema of each kind.
    schemas: BTreeMap<String, Schema>,
    /// Place of each object, by kind, namespace and name.
    seen: BTreeMap<(String, String, String), String>,
}

impl Collector {
    /// Starts with nothing read.
    pub fn new() -> Self {
        let schemas = api::crds().into_iter().filter_map(|(_, crd)| {
            let version = crd.spec.versions.into_iter().next()?;
            let schema = serde_json::to_value(version.schema?.open_api_v3_schema?).ok()?;
            Some((crd.spec.names.kind, Schema::new(schema)))
        });
        Self {
            objects: Objects::default(),
            notes: Vec::new(),
            problems: Vec::new(),
            schemas: schemas.collect(),
            seen: BTreeMap::new(),
        }
    }

    /// Reads the text of one file.
    pub fn file(&mut self, file: &str, text: &str) {
        let (documents, problems) = yaml::read(file, text);
        self.problems.extend(problems);
        for document in documents {
            let source = Source { document: Arc::new(document), pointer: String::new() };
            self.document(source);
        }
    }

    /// Reads one document, or one item of a `List`.
    fn document(&mut self, source: Source) {
        let Some(value) = source.document.value.pointer(&source.pointer) else { return };
        if !value.is_object() {
            return self.wrong(
                &source,
                "",
                "is not an object",
                "start with `apiVersion` and `kind`",
            );
        }
        let word = |name: &str| value.get(name).and_then(Value::as_str);
        let (Some(version), Some(kind)) = (word("apiVersion"), word("kind")) else {
            return self.no_kind(&source);
        };
        let ours = version.split('/').next() == Some(GROUP);
        match kind {
            "List" if version == "v1" => self.list(&source),
            "Namespace" if version == "v1" => self.namespace(&source),
            "ConfigMap" if version == "v1" => self.config_map(&source),
            "Secret" if version == "v1" => self.secret(&source),
            "AccountLedger" if ours => {
                let hint = "take it out: it is not for people to declare";
                self.wrong(&source, "/kind", "AccountLedger is written by the operator only", hint);
            }
            _ if KINDS.contains(&kind) && version == format!("{GROUP}/{VERSION}") => {
                self.object(&source, kind);
            }
            _ if KINDS.contains(&kind) => {
                let message = format!("unknown apiVersion {} of {kind}", quote(version));
                self.wrong(&source, "/apiVersion", &message, &format!("use `{GROUP}/{VERSION}`"));
            }
            _ => self.unknown_kind(&source, kind),
        }
    }

    /// Reads the items of a `List`.
    fn list(&mut self, source: &Source) {
        let pointer = format!("{}/items", source.pointer);
        let Some(items) = source.document.value.pointer(&pointer).and_then(Value::as_array) else {
            return self.wrong(source, "/items", "is not a list", "give the objects as a list");
        };
        for position in 0..items.len() {
            let document = Arc::clone(&source.document);
            self.document(Source { document, pointer: format!("{pointer}/{position}") });
        }
    }

    /// Reads the labels of a namespace: they may decide who may name an account.
    fn namespace(&mut self, source: &Source) {
        let Some(value) = source.document.value.pointer(&source.pointer) else { return };
        let metadata = &value["metadata"];
        let Some(name) = metadata["name"].as_str() else {
            return self.wrong(source, "/metadata/name", "is missing", "name the namespace");
        };
        let mut labels = Labels::new();
        for (key, value) in metadata["labels"].as_object().into_iter().flatten() {
            let pointer = yaml::child("/metadata/labels", key);
            match value.as_str() {
                Some(text) => drop(labels.insert(key.clone(), text.to_owned())),
                None => self.wrong(source, &pointer, "must be a text", "put it in quotes"),
            }
        }
        if !self.is_twin(source, "Namespace", value) {
            self.objects.namespaces.insert(name.to_owned(), labels);
        }
    }

    /// Reads the texts of a ConfigMap: one may be the profile of a class.
    fn config_map(&mut self, source: &Source) {
        let Some(value) = source.document.value.pointer(&source.pointer) else { return };
        let Some(name) = value["metadata"]["name"].as_str() else {
            return self.wrong(source, "/metadata/name", "is missing", "name the ConfigMap");
        };
        let space = value["metadata"]["namespace"].as_str().unwrap_or(DEFAULT_NAMESPACE);
        let texts = value["data"].as_object().into_iter().flatten();
        let texts = texts.filter_map(|(key, text)| Some((key.clone(), text.as_str()?.to_owned())));
        if !self.is_twin(source, "ConfigMap", value) {
            self.objects.config_maps.insert((space.to_owned(), name.to_owned()), texts.collect());
        }
    }

    /// Leaves out a Secret: it usually stands beside our objects.
    fn secret(&mut self, source: &Source) {
        let document = &source.document;
        let line = document.position(&source.pointer).map_or(0, |position| position.line);
        self.notes.push(format!("{}:{line}: Secret left out: not ours to read", document.file));
    }

    /// Reads an object of one of our kinds.
    fn object(&mut self, source: &Source, kind: &str) {
        let (Some(value), Some(schema)) =
            (source.document.value.pointer(&source.pointer), self.schemas.get(kind))
        else {
            return;
        };
        let (mut clean, mut faults) = schema.check(value);
        let known = ["apiVersion", "kind", "metadata", "spec", "status"];
        for name in value.as_object().into_iter().flat_map(serde_json::Map::keys) {
            if !known.contains(&name.as_str()) {
                faults.push(unknown(yaml::child("", name), name, known.into_iter()));
            }
        }
        let (meta, wrong) = metadata::check(value.get("metadata"));
        faults.extend(wrong);
        clean["apiVersion"] = json!(format!("{GROUP}/{VERSION}"));
        clean["kind"] = json!(kind);
        clean["metadata"] = meta;
        if faults.is_empty() {
            self.keep(source, kind, clean);
        }
        for Fault { pointer, message, hint } in faults {
            self.wrong(source, &pointer, &message, &hint);
        }
    }

    /// Keeps an object that is in order.
    fn keep(&mut self, source: &Source, kind: &str, value: Value) {
        if self.is_twin(source, kind, &value) {
            return;
        }
        let kept = match kind {
            "AccountClass" => decode(source, value).map(|class| self.objects.classes.push(class)),
            "Account" => decode(source, value).map(|account| self.objects.accounts.push(account)),
            "Team" => decode(source, value).map(|team| self.objects.teams.push(team)),
            "ClientAccess" => {
                decode(source, value).map(|access| self.objects.client_accesses.push(access))
            }
            "NotificationSubscription" => {
                decode(source, value).map(|object| self.objects.subscriptions.push(object))
            }
            _ => decode(source, value).map(|member| self.objects.memberships.push(member)),
        };
        if let Err(error) = kept {
            self.wrong(source, "", &error.to_string(), "see `kubectl explain` for what fits here");
        }
    }

    /// Says so if there is an object of the same kind, namespace and name.
    fn is_twin(&mut self, source: &Source, kind: &str, value: &Value) -> bool {
        let text = |name: &str| value["metadata"][name].as_str().map(str::to_owned);
        // Objects of the cluster have no namespace, whatever the file says.
        let space = text("namespace").filter(|_| !matches!(kind, "AccountClass" | "Namespace"));
        let space = space.unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned());
        let name = text("name").unwrap_or_default();
        let document = &source.document;
        let line = document.position(&source.pointer).map_or(0, |position| position.line);
        let place = format!("{}:{line}", document.file);
        match self.seen.entry((kind.to_owned(), space, name)) {
            Entry::Vacant(entry) => {
                entry.insert(place);
                false
            }
            Entry::Occupied(entry) => {
                let (_, _, name) = entry.key();
                let message =
                    format!("{kind} `{name}` is declared twice; first at {}", entry.get());
                self.wrong(source, "/metadata/name", &message, "keep one of the two");
                true
            }
        }
    }

    /// Says that a document has no kind.
    fn no_kind(&mut self, source: &Source) {
        let hint = format!("start with `apiVersion: {GROUP}/{VERSION}` and `kind`");
        self.wrong(source, "", "has no apiVersion or no kind", &hint);
    }

    /// Says that a kind is not one of ours.
    fn unknown_kind(&mut self, source: &Source, kind: &str) {
        let hint = match nearest(kind, KINDS) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("kinds that are read: {}", list(KINDS.into_iter())),
        };
        self.wrong(source, "/kind", &format!("unknown kind {}", quote(kind)), &hint);
    }

    /// Says that something is wrong.
    fn wrong(&mut self, source: &Source, pointer: &str, message: &str, hint: &str) {
        let pointer = format!("{}{pointer}", source.pointer);
        self.problems.push(source.document.problem(&pointer, message, hint));
    }
}

/// The object as its type.
fn decode<T: DeserializeOwned>(
    source: &Source,
    value: Value,
) -> Result<Declared<T>, serde_json::Error> {
    let object = Arc::new(serde_json::from_value(value)?);
    Ok(Declared { object, source: Some(source.clone()) })
}
