//! Answers, and answers given again under their idempotency key.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, ETAG};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::Change;
use crate::server::change::retention::ANSWERS;
use crate::server::error::ApiError;
use crate::server::ids;
use crate::server::permission::Right;
use crate::server::routes::Look;
use crate::server::routes::limit::{self, INVITE_MAIL};
use crate::server::store::Connection;
use crate::server::store::answers::{self, AnswerRow};
use crate::wire::{FEED_POSITION, IDEMPOTENCY_REPLAYED};

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
    Ok(stored(call, etag, serde_json::to_string(body)?))
}

/// As [`row`], of JSON that is kept as it came.
pub(crate) fn stored(call: &Call, etag: &str, body: String) -> Response {
    if call.has(etag) {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        put_etag(&mut response, Some(etag));
        return response;
    }
    text(StatusCode::OK, Some(etag), body)
}

fn text(status: StatusCode, etag: Option<&str>, body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let kind = HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    put_etag(&mut response, etag);
    response
}

/// Makes a change last, and says on its answer where it stands in the feed.
pub(crate) async fn changed(change: Change, mut response: Response) -> Result<Response, ApiError> {
    let position = change.account.position;
    change.commit().await?;
    put_position(&mut response, position);
    Ok(response)
}

fn put_position(response: &mut Response, position: i64) {
    response.headers_mut().insert(FEED_POSITION, HeaderValue::from(position));
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
    /// The call takes none.
    None,
}

/// A POST under its key: its answer is kept with its change.
pub(crate) struct Once {
    /// What the key belongs to: an account, or the vendor.
    scope: String,
    key: Option<String>,
    fingerprint: String,
}

/// A POST that was begun.
#[expect(clippy::large_enum_variant, reason = "taken apart where it is made, never kept")]
pub(crate) enum Opened {
    /// It was answered before: the same answer again.
    Given(Response),
    /// It was not.
    New(Once, Change),
}

/// An answer in the making.
pub(crate) struct Answer<'a, T> {
    /// Status.
    pub status: StatusCode,
    /// Version of the row, where it is one.
    pub etag: Option<&'a str>,
    /// Body.
    pub body: &'a T,
    /// Whether it holds a secret, which is never kept.
    pub secret: bool,
}

impl<'a, T: Serialize> Answer<'a, T> {
    /// A row.
    pub fn row(status: StatusCode, etag: &'a str, body: &'a T) -> Self {
        Self { status, etag: Some(etag), body, secret: false }
    }
}

impl Once {
    /// Begins a change of an account under the key of the call. The key belongs to the account,
    /// whatever the token, and is looked up before anything else is checked but the right. A call
    /// under the same key that is still running holds the account: this one waits for its answer.
    pub async fn open(
        service: &SharedService,
        account: &str,
        call: &Call,
        rule: KeyRule,
        right: Right,
        body: &[u8],
    ) -> Result<Opened, ApiError> {
        let once = Self::of(call, rule, body)?;
        let change = Change::begin(service, account, call.actor.clone()).await?;
        once.within(change, right).await
    }

    /// As [`Once::open`], in a change that was begun.
    pub async fn within(mut self, mut change: Change, right: Right) -> Result<Opened, ApiError> {
        change.actor.must_somewhere(right, &change.profile)?;
        self.scope.clone_from(&change.account.id);
        let since = change.now - ANSWERS;
        Ok(match self.given(change.conn(), since).await? {
            Some(mut given) => {
                // Whatever came since, the change that was answered then stands before it.
                put_position(&mut given, change.account.position);
                Opened::Given(given)
            }
            None => Opened::New(self, change),
        })
    }

    /// The key of a call and what it is used for; the vendor's until it is [`Once::within`] a change.
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
        let (scope, key) = ("vendor".to_owned(), call.key.clone());
        Ok(Self { scope, key, fingerprint: ids::hex(&digest) })
    }

    /// The answer that was given before, for a call that does something else before its change. The
    /// caller has checked the right.
    pub async fn earlier(&mut self, look: &mut Look) -> Result<Option<Response>, ApiError> {
        self.scope.clone_from(&look.account.id);
        let since = look.now - ANSWERS;
        self.given(look.conn(), since).await
    }

    /// The answer that was given after `since`.
    pub async fn given(
        &self,
        conn: &mut Connection,
        since: Timestamp,
    ) -> Result<Option<Response>, ApiError> {
        let Some(key) = &self.key else { return Ok(None) };
        let row = answers::given(conn, &self.scope, key, since).await?;
        let Some(row) = row else { return Ok(None) };
        if row.fingerprint != self.fingerprint {
            return Err(ApiError::KeyReused);
        }
        let body = row.body.ok_or(ApiError::SecretNotRepeatable)?;
        let status =
            StatusCode::from_u16(row.status).map_err(|_| ApiError::Corrupt("answers.status"))?;
        let mut response = text(status, row.etag.as_deref(), body);
        response.headers_mut().insert(IDEMPOTENCY_REPLAYED, HeaderValue::from_static("true"));
        Ok(Some(response))
    }

    /// Keeps the answer, makes the change last, and answers.
    pub async fn finish<T: Serialize>(
        self,
        mut change: Change,
        answer: Answer<'_, T>,
    ) -> Result<Response, ApiError> {
        let Answer { status, etag, body, secret } = answer;
        let body = serde_json::to_string(body)?;
        if let Some(key) = &self.key {
            let row = AnswerRow {
                fingerprint: self.fingerprint,
                status: status.as_u16(),
                etag: etag.map(str::to_owned),
                body: (!secret).then(|| body.clone()),
            };
            let now = change.now;
            answers::keep(change.conn(), &self.scope, key, &row, now).await?;
        }
        let invite_mail = change.invite_mail;
        let position = Some(change.account.position).filter(|_| change.account.id == self.scope);
        change.commit().await?;
        let mut response = text(status, etag, body);
        if let Some(position) = position {
            put_position(&mut response, position);
        }
        if let Some(allowance) = invite_mail {
            limit::tell(response.headers_mut(), INVITE_MAIL, allowance);
        }
        Ok(response)
    }
}
