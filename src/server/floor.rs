//! What the service does without HTTP, on the same pool: the floor of its figures. Compiled only
//! with the feature `bench-floor`.

use std::sync::Arc;

use axum::extract::FromRequestParts as _;
use axum::http::{Request, StatusCode, header};

use crate::server::Service;
use crate::server::auth::Call;
use crate::server::change::{Change, invitation, invitation_actions};
use crate::server::error::{ApiError, ServerError};
use crate::server::ids;
use crate::server::permission::Right;
use crate::server::routes::{self, Answer, KeyRule, Once, Opened};
use crate::server::store::answers::{self, AnswerRow};
use crate::server::store::members::{self, Shown};
use crate::server::store::{Connection, Window};
use crate::server::views;
use crate::wire::{Member, NewInvitation, Page};

/// The service's own work in one account.
#[derive(Clone)]
pub struct Floor {
    service: Arc<Service>,
    account_id: String,
    call: Call,
}

impl std::fmt::Debug for Floor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Floor").field("account_id", &self.account_id).finish_non_exhaustive()
    }
}

impl Floor {
    /// Authenticates once: the calls do not.
    pub(crate) async fn new(service: &Arc<Service>, token: &str) -> Result<Self, ApiError> {
        let request = Request::post("/").header(header::AUTHORIZATION, format!("Bearer {token}"));
        let (mut parts, ()) = request.body(()).map_err(|_| ApiError::Unauthenticated)?.into_parts();
        let call = Call::from_request_parts(&mut parts, service).await?;
        let account_id = call.actor.account_id().ok_or(ApiError::Forbidden)?.to_owned();
        Ok(Self { service: Arc::clone(service), account_id, call })
    }

    /// The select of the first page of members, and its rows as JSON.
    ///
    /// # Errors
    ///
    /// [`ServerError::Work`] when the store failed.
    pub async fn members(&self, size: u32) -> Result<String, ServerError> {
        self.page(size).await.map_err(ServerError::Work)
    }

    async fn page(&self, size: u32) -> Result<String, ApiError> {
        let mut snapshot = self.service.store.snapshot().await?;
        // The service reads one row more, which tells whether another page follows.
        let window = Window { after: String::new(), size: size + 1 };
        let all = Shown::default();
        let rows = members::page(&mut snapshot, &self.account_id, all, &window).await?;
        // The token may see how people sign in, which is in another table.
        let methods = routes::methods(&mut snapshot, true, &rows).await?;
        drop(snapshot);
        let shown = usize::try_from(size).unwrap_or(usize::MAX);
        let items: Vec<Member> =
            rows.iter().take(shown).map(|row| views::member_with(row, &methods)).collect();
        let page = Page { total: 0, as_of: 0, next_cursor: None, items };
        Ok(serde_json::to_string(&page)?)
    }

    /// One invitation: every statement of the operation, but for the authentication.
    ///
    /// # Errors
    ///
    /// [`ServerError::Work`] when it was refused or the store failed.
    pub async fn invite(&self, key: &str, request: &NewInvitation) -> Result<(), ServerError> {
        self.one(key, request).await.map_err(ServerError::Work)
    }

    async fn one(&self, key: &str, request: &NewInvitation) -> Result<(), ApiError> {
        let mut call = self.call.clone();
        call.key = Some(key.to_owned());
        let (service, account, body) =
            (&self.service, &self.account_id, serde_json::to_vec(request)?);
        let opened =
            Once::open(service, account, &call, KeyRule::Required, Right::Invite, &body).await?;
        let Opened::New(once, mut change) = opened else { return Err(ApiError::KeyReused) };
        let row = invitation::invite(&mut change, request).await?;
        let view = invitation_actions::view(&mut change, &row).await?;
        once.finish(change, Answer::row(StatusCode::CREATED, &view.etag, &view)).await?;
        Ok(())
    }

    /// The rows that a batch of invitations writes, by one statement for each table.
    ///
    /// # Errors
    ///
    /// [`ServerError::Work`] when the store failed.
    pub async fn insert_batch(
        &self,
        key: &str,
        emails: &[String],
        role: &str,
    ) -> Result<(), ServerError> {
        self.batch(key, emails, role).await.map_err(ServerError::Work)
    }

    async fn batch(&self, key: &str, emails: &[String], role: &str) -> Result<(), ApiError> {
        let actor = self.call.actor.clone();
        let mut change = Change::begin(&self.service, &self.account_id, actor).await?;
        let rows = emails.iter().map(|email| {
            let request = NewInvitation {
                email: email.clone(),
                role: role.to_owned(),
                team: None,
                name: None,
                message: None,
                expires_in_seconds: None,
                require_secure_sign_in: false,
                external_ref: None,
            };
            invitation::new_row(&change, &request, &invitation::address(email)?)
        });
        let mut rows = rows.collect::<Result<Vec<_>, ApiError>>()?;
        invitation::create(&mut change, &mut rows).await?;
        let views: Vec<_> =
            rows.iter().map(|row| views::invitation(row, change.now, vec![])).collect();
        let body = serde_json::to_string(&views)?;
        let now = change.now;
        keep(change.conn(), &self.account_id, key, body, now).await?;
        change.commit().await
    }
}

async fn keep(
    conn: &mut Connection,
    account_id: &str,
    key: &str,
    body: String,
    now: jiff::Timestamp,
) -> Result<(), sqlx::Error> {
    let fingerprint = ids::hash(&body);
    let row = AnswerRow { fingerprint, status: 200, etag: None, body: Some(body) };
    answers::keep(conn, account_id, key, &row, now).await
}
