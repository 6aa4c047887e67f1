//! Bodies: JSON, at most 1 MiB, unknown fields and control characters refused with their place.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::server::Service;
use crate::server::error::ApiError;

/// A JSON body.
pub(crate) struct Body<T> {
    /// What it says.
    pub value: T,
    /// The bytes, for the fingerprint.
    pub bytes: Bytes,
}

impl<T: Serialize + DeserializeOwned> FromRequest<Arc<Service>> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, ApiError> {
        must_be_json(request.headers())?;
        let bytes = read(request, service).await?;
        let value = parse(&bytes).or_else(|refused| without_points(&bytes, refused))?;
        let said = parse(&bytes)?;
        must_be_plain(&said, &mut Vec::new())?;
        must_be_named(&said, &serde_json::to_value(&value)?, &mut Vec::new())?;
        Ok(Self { value, bytes })
    }
}

/// JSON that is kept as it came; what it says is the client's own.
pub(crate) struct Opaque {
    /// The bytes.
    pub bytes: Bytes,
}

impl FromRequest<Arc<Service>> for Opaque {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, ApiError> {
        must_be_json(request.headers())?;
        let bytes = read(request, service).await?;
        parse::<Value>(&bytes)?;
        Ok(Self { bytes })
    }
}

/// No body, or an empty object.
pub(crate) struct Nothing;

impl FromRequest<Arc<Service>> for Nothing {
    type Rejection = ApiError;

    async fn from_request(request: Request, service: &Arc<Service>) -> Result<Self, ApiError> {
        let is_json = must_be_json(request.headers());
        let bytes = read(request, service).await?;
        if bytes.is_empty() {
            return Ok(Self);
        }
        is_json?;
        let object: serde_json::Map<_, _> = parse(&bytes)?;
        match object.keys().next() {
            None => Ok(Self),
            Some(field) => Err(ApiError::field(pointer([field.clone()]), "is not known here")),
        }
    }
}

fn must_be_json(headers: &HeaderMap) -> Result<(), ApiError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    match kind {
        Some(kind) if kind.eq_ignore_ascii_case("application/json") => Ok(()),
        _ => Err(ApiError::MediaType),
    }
}

/// Reads JSON whose whole numbers are written with a point, as `3.0`: to a schema they are one.
fn without_points<T: DeserializeOwned>(bytes: &[u8], refused: ApiError) -> Result<T, ApiError> {
    let Ok(mut said) = parse::<Value>(bytes) else { return Err(refused) };
    if drop_points(&mut said) {
        serde_json::from_value(said).map_err(|_| refused)
    } else {
        Err(refused)
    }
}

/// Writes whole numbers without a point; false if there was none with one.
fn drop_points(value: &mut Value) -> bool {
    let all: Vec<&mut Value> = match value {
        Value::Array(items) => items.iter_mut().collect(),
        Value::Object(fields) => fields.values_mut().collect(),
        _ => {
            let number = value.as_f64().filter(|number| value.is_f64() && number.fract() == 0.0);
            let bounds = i64::MIN as f64..i64::MAX as f64;
            let Some(number) = number.filter(|number| bounds.contains(number)) else {
                return false;
            };
            *value = (number as i64).into();
            return true;
        }
    };
    let mut any = false;
    for value in all {
        any |= drop_points(value);
    }
    any
}

/// Refuses control characters: nothing that a request says is more than one line, and PostgreSQL
/// takes no NUL.
fn must_be_plain(value: &Value, at: &mut Vec<String>) -> Result<(), ApiError> {
    match value {
        Value::String(text) if text.contains(char::is_control) => {
            Err(ApiError::field(pointer(at.clone()), "has control characters"))
        }
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(index, item)| must_be_plain_at(index.to_string(), item, at))
        }
        Value::Object(fields) => {
            fields.iter().try_for_each(|(name, field)| must_be_plain_at(name.clone(), field, at))
        }
        _ => Ok(()),
    }
}

fn must_be_plain_at(name: String, value: &Value, at: &mut Vec<String>) -> Result<(), ApiError> {
    at.push(name);
    must_be_plain(value, at)?;
    at.pop();
    Ok(())
}

/// Refuses arrays in place of objects, which the reader takes for their fields in order.
fn must_be_named(said: &Value, meant: &Value, at: &mut Vec<String>) -> Result<(), ApiError> {
    let pairs: Vec<(String, &Value, &Value)> = match (said, meant) {
        (Value::Array(_), Value::Object(_)) => {
            return Err(ApiError::field(pointer(at.clone()), "is an object, not an array"));
        }
        (Value::Array(said), Value::Array(meant)) => {
            let pairs = said.iter().zip(meant).enumerate();
            pairs.map(|(index, (said, meant))| (index.to_string(), said, meant)).collect()
        }
        (Value::Object(said), Value::Object(meant)) => {
            let pairs = said.iter().filter_map(|(name, said)| Some((name, said, meant.get(name)?)));
            pairs.map(|(name, said, meant)| (name.clone(), said, meant)).collect()
        }
        _ => return Ok(()),
    };
    for (name, said, meant) in pairs {
        at.push(name);
        must_be_named(said, meant, at)?;
        at.pop();
    }
    Ok(())
}

async fn read(request: Request, service: &Arc<Service>) -> Result<Bytes, ApiError> {
    Bytes::from_request(request, service).await.map_err(|rejection| {
        match axum::response::IntoResponse::into_response(rejection).status() {
            StatusCode::PAYLOAD_TOO_LARGE => ApiError::TooLarge,
            _ => ApiError::NotJson,
        }
    })
}

/// Reads JSON. The reader itself refuses more than 128 levels.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = pointer(segments(error.path()));
        match error.into_inner() {
            inner if inner.is_data() => ApiError::field(place, without_position(&inner)),
            _ => ApiError::NotJson,
        }
    })?;
    reader.end().map_err(|_| ApiError::NotJson)?;
    Ok(value)
}

/// The message without the line and column that the reader appends.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split_once(" at line ").map_or(text.clone(), |(head, _)| head.to_owned())
}

fn segments(path: &Path) -> Vec<String> {
    let names = path.iter().filter_map(|segment| match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        Segment::Enum { variant } => Some(variant.clone()),
        Segment::Unknown => None,
    });
    names.collect()
}

/// Source: RFC 6901, 3.
fn pointer(names: impl IntoIterator<Item = String>) -> String {
    names
        .into_iter()
        .map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1")))
        .collect()
}
