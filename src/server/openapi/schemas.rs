//! Schemas of the types of `wire`: exact for requests, open to growth for answers.

use schemars::generate::{Contract, SchemaSettings};
use schemars::transform::{RecursiveTransform, Transform as _};
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::server::openapi::problems;
use crate::server::routes::SchemaOf;
use crate::wire::{Problem, TEXT_PATTERN};

/// Where the schemas of answers are, and in the end all of them.
const ANSWERS: &str = "/components/schemas";

/// Where the schemas of requests are until the document is complete.
const REQUESTS: &str = "/components/requests";

/// What every address that the service takes looks like; it takes the international ones too.
const ADDRESS_PATTERN: &str = r"^[^\x00-\x1f\x7f-\x9f]+@[^@\x00-\x1f\x7f-\x9f]+$";

/// Most characters of an address.
const MAX_ADDRESS: u32 = 254;

/// Least and greatest number of each kind of integer.
const BOUNDS: [(&str, i64, u64); 4] = [
    ("int32", i32::MIN as i64, i32::MAX as u64),
    ("int64", i64::MIN, i64::MAX as u64),
    ("uint32", 0, u32::MAX as u64),
    ("uint64", 0, u64::MAX),
];

/// The schemas that the document needs so far.
pub(super) struct Schemas {
    requests: SchemaGenerator,
    answers: SchemaGenerator,
}

impl Schemas {
    /// None yet.
    pub fn new() -> Self {
        let settings = |path: &'static str, contract: Contract| {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = path.into();
            settings.meta_schema = None;
            settings.contract = contract;
            settings
        };
        let requests = settings(REQUESTS, Contract::Deserialize);
        let answers = settings(ANSWERS, Contract::Serialize);
        Self {
            requests: requests.with_transform(RecursiveTransform(say_what_is_taken)).into(),
            answers: answers.with_transform(RecursiveTransform(leave_room)).into(),
        }
    }

    /// Schema of a body that is sent.
    pub fn request(&mut self, of: SchemaOf) -> Value {
        of(&mut self.requests).to_value()
    }

    /// The parameters of a query, each with its schema.
    pub fn query(of: SchemaOf) -> Vec<(String, Value)> {
        let settings = SchemaSettings::draft2020_12().with(|settings| {
            settings.inline_subschemas = true;
            settings.contract = Contract::Deserialize;
        });
        let mut schema = of(&mut settings.into_generator());
        RecursiveTransform(say_what_is_taken).transform(&mut schema);
        // A parameter is there or is not.
        RecursiveTransform(never_null).transform(&mut schema);
        let schema = schema.to_value();
        let fields = schema["properties"].as_object().cloned().unwrap_or_default();
        fields.into_iter().collect()
    }

    /// Schema of a body that is answered.
    pub fn answer(&mut self, of: SchemaOf) -> Value {
        of(&mut self.answers).to_value()
    }

    /// Schema of the body of a refusal.
    pub fn problem(&mut self) -> Value {
        let problem = self.answers.subschema_for::<Problem>().to_value();
        if let Some(code) = self.definition(&problem).pointer("/properties/code") {
            let code = problems::code(code);
            let name = name(&problem).to_owned();
            let definitions = self.answers.definitions_mut();
            if let Some(definition) = definitions.get_mut(&name) {
                definition["properties"]["code"] = code;
            }
        }
        problem
    }

    /// What an answer's schema stands for.
    pub fn definition(&self, schema: &Value) -> Value {
        self.answers.definitions().get(name(schema)).unwrap_or(schema).clone()
    }

    /// The document with all schemas in it.
    pub fn put_into(mut self, mut document: Value) -> Value {
        let mut schemas = self.answers.take_definitions(true);
        let requests = self.requests.take_definitions(true);
        let names: Map<String, Value> = requests
            .iter()
            .map(|(name, schema)| {
                let differs = schemas.get(name).is_some_and(|other| other != schema);
                let own = if differs { format!("{name}Request") } else { name.clone() };
                (name.clone(), own.into())
            })
            .collect();
        for (name, schema) in requests {
            let own = names[&name].as_str().unwrap_or(&name).to_owned();
            schemas.insert(own, schema);
        }
        document["components"]["schemas"] = Value::Object(schemas);
        settle(&mut document, &names);
        document
    }
}

/// Name of the definition that a schema refers to; empty if it refers to none.
fn name(schema: &Value) -> &str {
    let path = schema["$ref"].as_str().unwrap_or_default();
    path.rsplit_once('/').map_or("", |(_, name)| name)
}

/// Leads references to schemas of requests to where they are in the end.
fn settle(value: &mut Value, names: &Map<String, Value>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(path)) = map.get_mut("$ref")
                && let Some(name) = path.strip_prefix(&format!("#{REQUESTS}/"))
            {
                let own = names.get(name).and_then(Value::as_str).unwrap_or(name);
                *path = format!("#{ANSWERS}/{own}");
            }
            map.values_mut().for_each(|value| settle(value, names));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| settle(value, names)),
        _ => (),
    }
}

/// Says of texts of a request what holds for all of them.
fn say_what_is_taken(schema: &mut Schema) {
    if schema.get("format").and_then(Value::as_str) == Some("email") {
        schema.insert("format".to_owned(), "idn-email".into());
        schema.insert("pattern".to_owned(), ADDRESS_PATTERN.into());
        schema.insert("maxLength".to_owned(), MAX_ADDRESS.into());
    }
    let format = schema.get("format").and_then(Value::as_str);
    if let Some((_, least, most)) = BOUNDS.iter().find(|(name, ..)| format == Some(name)) {
        let bounds = schema.ensure_object();
        bounds.entry("minimum").or_insert((*least).into());
        bounds.entry("maximum").or_insert((*most).into());
    }
    let free = ["enum", "const", "pattern", "format"].iter().all(|key| schema.get(*key).is_none());
    if free && may_be(schema, "string") {
        schema.insert("pattern".to_owned(), TEXT_PATTERN.into());
    }
}

/// Lets answers gain fields. What is not there is left out, never null.
fn leave_room(schema: &mut Schema) {
    schema.remove("additionalProperties");
    schema.remove("default");
    never_null(schema);
}

fn never_null(schema: &mut Schema) {
    if let Some(Value::Array(types)) = schema.get_mut("type") {
        types.retain(|word| word != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            schema.insert("type".to_owned(), only);
        }
    }
    let Some(Value::Array(choices)) = schema.get_mut("anyOf") else { return };
    choices.retain(|choice| *choice != json!({ "type": "null" }));
    if let [Value::Object(only)] = choices.as_slice() {
        let only = only.clone();
        schema.remove("anyOf");
        schema.ensure_object().extend(only);
    }
}

fn may_be(schema: &Schema, kind: &str) -> bool {
    match schema.get("type") {
        Some(Value::String(only)) => only == kind,
        Some(Value::Array(kinds)) => kinds.iter().any(|word| word == kind),
        _ => false,
    }
}
