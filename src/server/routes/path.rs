//! Paths: what stands between the slashes is an id, a short name or a name of the profile.

use axum::extract::Request;
use axum::extract::path::RawPathParams;
use axum::extract::rejection::RawPathParamsRejection;
use axum::middleware::Next;
use axum::response::Response;

use crate::server::error::ApiError;

/// Most characters of a part of a path.
const MAX_PART: usize = 128;

/// Finds nothing under a path with anything else in it, without asking the database. As
/// `KEY_PATTERN` says it.
pub(crate) async fn must_be_keys(
    parts: Result<RawPathParams, RawPathParamsRejection>,
    request: Request,
    next: Next,
) -> Result<Response, ApiError> {
    let is_found = match &parts {
        Ok(parts) => parts.iter().all(|(_, part)| is_key(part)),
        Err(RawPathParamsRejection::MissingPathParams(_)) => true,
        Err(_) => false,
    };
    if is_found { Ok(next.run(request).await) } else { Err(ApiError::NotFound) }
}

/// True if a part of a path is an id or a name.
pub(crate) fn is_key(part: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    (1..=MAX_PART).contains(&part.len()) && !part.starts_with('.') && part.chars().all(fits)
}
