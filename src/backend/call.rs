//! One call of the account API: the request that goes out, and the JSON that comes back.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, IF_MATCH, IF_NONE_MATCH};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};

use crate::backend::BackendError;
use crate::backend::problem;
use crate::domain::keys::{ETag, RequestKey};
use crate::wire;

/// Deepest nesting of an answer; the API's own has six levels.
const MAX_DEPTH: usize = 32;

const JSON: &str = "application/json";

/// One call. Paths are made of ids that were checked, so that none leads elsewhere.
pub(super) struct Call<'a> {
    method: Method,
    path: String,
    etag: Option<&'a ETag>,
    key: Option<&'a RequestKey>,
    first: bool,
    body: Vec<u8>,
}

impl<'a> Call<'a> {
    /// A call without a body.
    pub(super) fn new(method: Method, path: String) -> Self {
        Self { method, path, etag: None, key: None, first: false, body: Vec::new() }
    }

    /// Only if the row is still at `etag`.
    pub(super) fn if_match(mut self, etag: &'a ETag) -> Self {
        self.etag = Some(etag);
        self
    }

    /// Only if nothing is there yet.
    pub(super) fn first(mut self) -> Self {
        self.first = true;
        self
    }

    /// With a body that is JSON already.
    pub(super) fn body(mut self, body: Vec<u8>) -> Self {
        self.body = body;
        self
    }

    /// Once under `key`.
    pub(super) fn key(mut self, key: &'a RequestKey) -> Self {
        self.key = Some(key);
        self
    }

    /// With a body.
    pub(super) fn json(mut self, body: &impl Serialize) -> Result<Self, BackendError> {
        self.body = serde_json::to_vec(body).map_err(|_| unsendable())?;
        Ok(self)
    }

    /// The request that shows `token`.
    pub(super) fn request(self, token: &SecretString) -> Result<Request<Vec<u8>>, BackendError> {
        let Self { method, path, etag, key, first, body } = self;
        let bearer = format!("Bearer {}", token.expose_secret());
        let mut bearer = HeaderValue::try_from(bearer).map_err(|_| unsendable())?;
        bearer.set_sensitive(true);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(AUTHORIZATION, bearer)
            .header(ACCEPT, HeaderValue::from_static(JSON));
        if let Some(etag) = etag {
            request = request.header(IF_MATCH, etag.as_str());
        }
        if first {
            request = request.header(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        if let Some(key) = key {
            let name = HeaderName::from_static(wire::IDEMPOTENCY_KEY);
            request = request.header(name, key.as_str());
        }
        if !body.is_empty() {
            request = request.header(CONTENT_TYPE, HeaderValue::from_static(JSON));
        }
        request.body(body).map_err(|_| unsendable())
    }
}

fn unsendable() -> BackendError {
    BackendError::Malformed { what: "a value that cannot be sent back" }
}

/// Reads the JSON of a success.
pub(super) fn json<T: DeserializeOwned>(response: &Response<Vec<u8>>) -> Result<T, BackendError> {
    if !problem::is(response.headers(), JSON) {
        return Err(BackendError::Malformed { what: "not JSON" });
    }
    if too_deep(response.body()) {
        return Err(BackendError::Malformed { what: "nested too deeply" });
    }
    if serde_json::from_slice::<Failure>(response.body()).is_ok_and(|failure| failure.is_one()) {
        return Err(BackendError::Malformed { what: "an error under a status of success" });
    }
    serde_json::from_slice(response.body())
        .map_err(|_| BackendError::Malformed { what: "not the JSON of this API" })
}

/// What services say beside, or in place of, what was asked for: no answer of this API has it.
#[derive(Deserialize)]
struct Failure {
    #[serde(default)]
    error: Option<IgnoredAny>,
    #[serde(default)]
    errors: Option<IgnoredAny>,
}

impl Failure {
    fn is_one(&self) -> bool {
        self.error.is_some() || self.errors.is_some()
    }
}

/// True if brackets outside strings nest deeper than [`MAX_DEPTH`].
fn too_deep(json: &[u8]) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in json {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'[' | b'{') => depth += 1,
            (false, b']' | b'}') => depth = depth.saturating_sub(1),
            _ => (),
        }
        if depth > MAX_DEPTH {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use http::Method;
    use secrecy::SecretString;

    use super::{Call, too_deep};

    #[test]
    fn a_request_that_is_printed_keeps_the_token_to_itself() {
        let call = Call::new(Method::GET, "/v1/accounts/acc_1".to_owned());
        let request = call.request(&SecretString::from("canary")).unwrap();
        assert_eq!(request.headers()["authorization"], "Bearer canary");
        assert!(!format!("{request:?}").contains("canary"));
    }

    #[test]
    fn depth_counts_brackets_outside_strings() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(!too_deep(nested(32).as_bytes()));
        assert!(too_deep(nested(33).as_bytes()));
        assert!(!too_deep(format!("[{}]", vec!["[]"; 100].join(",")).as_bytes()));
        assert!(!too_deep(format!(r#"["{}\"{}"]"#, "[".repeat(50), "{".repeat(50)).as_bytes()));
    }
}
