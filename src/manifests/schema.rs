//! Checks a value against the schema of its kind, as the API server would, and fills in defaults.

use jiff::Timestamp;
use kube::core::cel::CompiledSchema;
use kube::core::cel::ErrorKind;
use kube::core::cel::ValidationError;
use kube::core::cel::compile_schema;
use kube::core::cel::validate_compiled;
use serde_json::Value;
use serde_json::json;

use crate::manifests::source::quote;
use crate::manifests::terms::list;
use crate::yaml::child;
use crate::yaml::nearest;

/// Something wrong with a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where, as a JSON pointer (RFC 6901); need not exist (a field that is missing).
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do next.
    pub hint: String,
}

/// The schema of one kind.
pub struct Schema {
    /// As in the definition.
    schema: Value,
    /// Its CEL rules, and one for each pattern.
    rules: CompiledSchema,
}

impl Schema {
    /// Prepares the schema of a definition.
    pub fn new(schema: Value) -> Self {
        let mut with_patterns = schema.clone();
        patterns_to_rules(&mut with_patterns);
        keep_rules(&mut with_patterns);
        Self { schema, rules: compile_schema(&with_patterns) }
    }

    /// The object with all defaults, and everything that is wrong with it.
    ///
    /// Only `spec` is looked at. Stricter than the API server in one thing: an empty value (null) is
    /// not dropped but refused, since `roster:` without lines would be an empty roster.
    pub fn check(&self, object: &Value) -> (Value, Vec<Fault>) {
        let mut faults = Vec::new();
        let spec = Node::new(&self.schema["properties"]["spec"], "/spec".to_owned());
        let defaulted = match object.get("spec") {
            Some(value) => {
                spec.check(value, &mut faults);
                json!({"spec": with_defaults(spec.schema, value)})
            }
            None => {
                faults.push(spec.fault("is missing"));
                return (json!({}), faults);
            }
        };
        // A rule cannot be evaluated on a value of the wrong type: that is said already.
        let broken = !faults.is_empty();
        let errors = validate_compiled(&self.rules, &defaulted, None).err();
        for error in errors.into_iter().flatten() {
            if !broken || error.kind == ErrorKind::ValidationFailure {
                faults.push(self.rule_fault(&error));
            }
        }
        (defaulted, faults)
    }

    /// A rule that was not kept.
    fn rule_fault(&self, error: &ValidationError) -> Fault {
        let pointer = pointer_of(&error.field_path);
        let hint = match pointer.as_str() {
            // What several fields are together has no explanation of its own.
            "/spec" => "see `kubectl explain` for what each field means".to_owned(),
            _ => hint(self.node(&pointer)),
        };
        Fault { pointer, message: error.message.clone(), hint }
    }

    /// The schema of the field at `pointer`.
    fn node(&self, pointer: &str) -> &Value {
        pointer.split('/').skip(1).fold(&self.schema, |schema, step| match schema.get("items") {
            Some(items) => items,
            None => &schema["properties"][step],
        })
    }
}

/// One place in the schema.
struct Node<'a> {
    /// What fits here.
    schema: &'a Value,
    /// What explains it: the schema, or for items the schema of their list.
    explained: &'a Value,
    /// Where.
    pointer: String,
}

impl<'a> Node<'a> {
    /// A place that is explained by its own schema.
    fn new(schema: &'a Value, pointer: String) -> Self {
        Self { schema, explained: schema, pointer }
    }

    /// Something wrong here.
    fn fault(&self, message: impl Into<String>) -> Fault {
        Fault { pointer: self.pointer.clone(), message: message.into(), hint: hint(self.explained) }
    }

    /// Checks a value and everything in it.
    fn check(&self, value: &Value, faults: &mut Vec<Fault>) {
        let wanted = self.schema["type"].as_str().unwrap_or_default();
        match (wanted, value) {
            ("object", Value::Object(_)) => self.check_object(value, faults),
            ("array", Value::Array(items)) => self.check_list(items, faults),
            ("string", Value::String(text)) => self.check_text(text, faults),
            ("integer", Value::Number(number)) => match number.as_i64() {
                Some(number) => self.check_number(number, faults),
                None => faults.push(self.fault("must be a whole number")),
            },
            ("boolean", Value::Bool(_)) => (),
            (_, Value::Null) => faults.push(self.fault("has no value")),
            (_, other) => {
                let message = format!("must be {}, not {}", a_type(wanted), a_type(type_of(other)));
                faults.push(self.fault(message));
            }
        }
    }

    /// Checks the fields of an object.
    fn check_object(&self, value: &Value, faults: &mut Vec<Fault>) {
        let empty = serde_json::Map::new();
        let known = self.schema["properties"].as_object().unwrap_or(&empty);
        for (name, value) in value.as_object().unwrap_or(&empty) {
            let pointer = child(&self.pointer, name);
            match (known.get(name), self.schema.get("additionalProperties")) {
                (Some(schema), _) => Node::new(schema, pointer).check(value, faults),
                (None, Some(schema)) => {
                    Node { schema, explained: self.explained, pointer }.check(value, faults);
                }
                (None, None) => {
                    faults.push(unknown(pointer, name, known.keys().map(String::as_str)))
                }
            }
        }
        for name in self.schema["required"].as_array().into_iter().flatten() {
            let name = name.as_str().unwrap_or_default();
            if value.get(name).is_none() {
                let schema = &self.schema["properties"][name];
                faults.push(Node::new(schema, child(&self.pointer, name)).fault("is missing"));
            }
        }
    }

    /// Checks a list.
    fn check_list(&self, items: &[Value], faults: &mut Vec<Fault>) {
        if let Some(most) = self.limit("maxItems").filter(|most| items.len() > *most) {
            let message = format!("has {} entries; at most {most} are allowed", items.len());
            faults.push(self.fault(message));
        }
        for (position, item) in items.iter().enumerate() {
            let pointer = child(&self.pointer, &position.to_string());
            let schema = &self.schema["items"];
            let own = schema.get("description").is_some();
            let explained = if own { schema } else { self.explained };
            let node = Node { schema, explained, pointer };
            node.check(item, faults);
            let set = self.schema["x-kubernetes-list-type"] == "set";
            if set && items.iter().take(position).any(|earlier| earlier == item) {
                faults.push(node.fault("is there twice"));
            }
        }
    }

    /// Checks a text.
    fn check_text(&self, text: &str, faults: &mut Vec<Fault>) {
        if let Some(words) = self.schema["enum"].as_array() {
            let words: Vec<&str> = words.iter().filter_map(Value::as_str).collect();
            if !words.contains(&text) {
                let hint = match nearest(text, words.iter().copied()) {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("words that fit: {}", list(words.iter().copied())),
                };
                let message = format!("{} is not a word that fits here", quote(text));
                faults.push(Fault { pointer: self.pointer.clone(), message, hint });
            }
        }
        if self.schema["format"] == "date-time" && text.parse::<Timestamp>().is_err() {
            faults.push(self.fault(format!(
                "{} is not a time; write it as `2027-03-31T00:00:00Z`",
                quote(text)
            )));
        }
        let length = text.chars().count();
        if let Some(least) = self.limit("minLength").filter(|least| length < *least) {
            faults.push(self.fault(match least {
                1 => "must not be empty".to_owned(),
                _ => format!("is shorter than {least} characters"),
            }));
        }
        if let Some(most) = self.limit("maxLength").filter(|most| length > *most) {
            faults.push(self.fault(format!("is longer than {most} characters")));
        }
    }

    /// Checks a number.
    fn check_number(&self, number: i64, faults: &mut Vec<Fault>) {
        let int32 = self.schema["format"] == "int32";
        let bounds = if int32 { (i32::MIN.into(), i32::MAX.into()) } else { (i64::MIN, i64::MAX) };
        let least = whole(&self.schema["minimum"]).unwrap_or(bounds.0);
        let most = whole(&self.schema["maximum"]).unwrap_or(bounds.1);
        if number < least {
            faults.push(self.fault(format!("is {number}; at least {least} is needed")));
        }
        if number > most {
            faults.push(self.fault(format!("is {number}; at most {most} is allowed")));
        }
    }

    /// A limit of the schema.
    fn limit(&self, name: &str) -> Option<usize> {
        usize::try_from(self.schema[name].as_u64()?).ok()
    }
}

/// A bound of the schema; the definitions keep them as `1.0`.
#[expect(clippy::cast_possible_truncation, reason = "bounds of our own schemas are small")]
fn whole(bound: &Value) -> Option<i64> {
    bound.as_f64().map(|bound| bound as i64)
}

/// A field that there is not.
pub fn unknown<'a>(
    pointer: String,
    name: &str,
    known: impl Iterator<Item = &'a str> + Clone,
) -> Fault {
    let hint = match nearest(name, known.clone()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("fields here: {}", list(known)),
    };
    Fault { pointer, message: format!("unknown field {}", quote(name)), hint }
}

/// What `kubectl explain` says of a field.
fn hint(schema: &Value) -> String {
    let text = schema["description"].as_str().unwrap_or("see `kubectl explain` for what fits here");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Type of a value, in the words of the schema.
fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// A type in words for people.
fn a_type(name: &str) -> &'static str {
    match name {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "`true` or `false`",
        "array" => "a list",
        "object" => "a mapping",
        _ => "nothing",
    }
}

/// Fills in defaults, those inside of defaults too.
fn with_defaults(schema: &Value, value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields = fields.clone();
            for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
                let value = fields.get(name).or_else(|| schema.get("default"));
                if let Some(value) = value.map(|value| with_defaults(schema, value)) {
                    fields.insert(name.clone(), value);
                }
            }
            Value::Object(fields)
        }
        Value::Array(items) => {
            items.iter().map(|item| with_defaults(&schema["items"], item)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Adds a rule for each `pattern`, so that one engine evaluates both.
fn patterns_to_rules(schema: &mut Value) {
    if let Some(pattern) = schema["pattern"].as_str() {
        let quoted = pattern.replace('\\', "\\\\").replace('\'', "\\'");
        let rule = json!({
            "rule": format!("self.matches('{quoted}')"),
            "message": format!("is not of the form {pattern}"),
        });
        match schema.get_mut("x-kubernetes-validations").and_then(Value::as_array_mut) {
            Some(rules) => rules.push(rule),
            None => schema["x-kubernetes-validations"] = json!([rule]),
        }
    }
    for property in schema["properties"].as_object_mut().into_iter().flat_map(|p| p.values_mut()) {
        patterns_to_rules(property);
    }
    if schema.get("items").is_some() {
        patterns_to_rules(&mut schema["items"]);
    }
}

/// What is left to do below a place of a schema.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rules {
    Some,
    None,
}

/// Drops fields without a rule, so that a roster without rules is not walked line by line.
fn keep_rules(schema: &mut Value) -> Rules {
    let mut rules = match schema.get("x-kubernetes-validations") {
        Some(_) => Rules::Some,
        None => Rules::None,
    };
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.retain(|_, property| keep_rules(property) == Rules::Some);
        if !properties.is_empty() {
            rules = Rules::Some;
        }
    }
    if let Some(fields) = schema.as_object_mut()
        && let Some(items) = fields.get_mut("items")
    {
        match keep_rules(items) {
            Rules::Some => rules = Rules::Some,
            Rules::None => drop(fields.remove("items")),
        }
    }
    rules
}

/// `spec.roster[3].email` as a JSON pointer. No field of our kinds has a dot or a bracket.
fn pointer_of(path: &str) -> String {
    let steps = path.split(['.', '[']).map(|step| step.trim_end_matches(']'));
    steps.filter(|step| !step.is_empty()).map(|step| format!("/{step}")).collect()
}
