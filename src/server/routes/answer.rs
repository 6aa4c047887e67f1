//! Answers, and answers given again under their idempotency key.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::server::auth::Call;
use crate::server::change::Change;
use crate::server::change::due::RETENTION;
use crate::server::error::ApiError;
use crate::server::ids;
use crate::server::store::answers::{self, AnswerRow};
use crate::wire::IDEMPOTENCY_REPLAYED;

/// An answer with a body and, where it is one row, its etag.
pub(crate) fn json(
    status: StatusCode,
    etag: Option<&str>,
    body: &impl Serialize,
) -> Result<Response, ApiError> {
    Ok(text(status, etag, serde_json::to_string(body)?))
}

/// The answer to a read of one row: 304 if the caller has it.
pub(crate) fn row(call: &Call, etag: &str, body: &impl Serialize) -> Result<Response, ApiError> {
    if call.has(etag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        put_etag(&mut response, Some(etag));
        return Ok(response);
    }
    json(StatusCode::OK, Some(etag), body)
}

fn text(status: StatusCode, etag: Option<&str>, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    put_etag(&mut response, etag);
    response
}

fn put_etag(response: &mut Response, etag: Option<&str>) {
    if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
        response.headers_mut().insert(ETAG, etag);
    }
}

/// Whether a call must bring a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyRule {
    /// The call mails.
    Required,
    /// The call can be repeated without harm.
    Optional,
}

/// A POST under its key: either it was answered before, or its answer is kept with its change.
pub(crate) struct Once {
    key: Option<String>,
    fingerprint: String,
}

impl Once {
    /// The key of the call, and what it was used for.
    pub fn of(call: &Call, rule: KeyRule, body: &[u8]) -> Result<Self, ApiError> {
        if call.key.is_none() && rule == KeyRule::Required {
            return Err(ApiError::KeyRequired);
        }
        let digest = Sha256::new()
            .chain_update(call.method.as_str())
            .chain_update([0])
            .chain_update(&call.path)
            .chain_update([0])
            .chain_update(body)
            .finalize();
        Ok(Self { key: call.key.clone(), fingerprint: ids::hex(&digest) })
    }

    /// The answer that was given before. The key belongs to the account, whatever the token.
    pub async fn given(&self, change: &mut Change) -> Result<Option<Response>, ApiError> {
        let (scope, since) = (change.account.id.clone(), change.now - RETENTION);
        self.given_in(change.conn(), &scope, since).await
    }

    /// As [`Once::given`], where there is no account yet.
    pub async fn given_in(
        &self,
        conn: &mut crate::server::store::Connection,
        scope: &str,
        since: jiff::Timestamp,
    ) -> Result<Option<Response>, ApiError> {
        let Some(key) = &self.key else { return Ok(None) };
        let Some(row) = answers::given(conn, scope, key, since).await? else { return Ok(None) };
        if row.fingerprint != self.fingerprint {
            return Err(ApiError::KeyReused);
        }
        let status =
            StatusCode::from_u16(row.status).map_err(|_| ApiError::Corrupt("answers.status"))?;
        let mut response = text(status, row.etag.as_deref(), row.body);
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        Ok(Some(response))
    }

    /// Keeps the answer, makes the change last, and answers.
    pub async fn finish(
        self,
        change: Change,
        status: StatusCode,
        etag: &str,
        body: &impl Serialize,
    ) -> Result<Response, ApiError> {
        let scope = change.account.id.clone();
        self.finish_in(&scope, change, status, etag, body).await
    }

    /// As [`Once::finish`], where the key was looked up before there was an account.
    pub async fn finish_in(
        self,
        scope: &str,
        mut change: Change,
        status: StatusCode,
        etag: &str,
        body: &impl Serialize,
    ) -> Result<Response, ApiError> {
        let body = serde_json::to_string(body)?;
        if let Some(key) = &self.key {
            let row = AnswerRow {
                fingerprint: self.fingerprint,
                status: status.as_u16(),
                etag: Some(etag.to_owned()),
                body: body.clone(),
            };
            let now = change.now;
            answers::keep(change.conn(), scope, key, &row, now).await?;
        }
        change.commit().await?;
        Ok(text(status, Some(etag), body))
    }
}
