//! The page behind the links of an ownership change: the owner confirms, the candidate accepts.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;

use crate::server::Service;
use crate::server::change::Change;
use crate::server::change::ownership_change::{self, CANDIDATES_LINK, OWNERS_LINK};
use crate::server::error::ApiError;
use crate::server::link::{Purpose, RowLink};
use crate::server::pages::browser::{Browser, NoFields, Sent};
use crate::server::pages::{day, go_to, sentence, sign_in_path};
use crate::server::permission::Right;
use crate::server::store::accounts::{self, AccountRow};
use crate::server::store::members::{self, MemberRow};
use crate::server::store::ownership_changes::{self, OwnershipChangeRow, state_word};
use crate::wire::OwnershipState;

/// What the link leads to.
struct Asked {
    row: OwnershipChangeRow,
    account: AccountRow,
    candidate: MemberRow,
    /// Address of the one whom the link was mailed to.
    address: String,
    /// The state in which that one can answer.
    while_in: OwnershipState,
}

impl Asked {
    /// Follows a link. The same answer for forged and unknown ones.
    async fn find(service: &Arc<Service>, token: &str) -> Result<Self, ApiError> {
        let link = RowLink::parse(Purpose::Own, token).ok_or(ApiError::DeadLink)?;
        let mut snapshot = service.store.snapshot().await?;
        let row = ownership_changes::by_link(&mut snapshot, link.id).await?;
        let row = row.ok_or(ApiError::DeadLink)?;
        let candidate = members::by_id(&mut snapshot, &row.account_id, &row.candidate_id).await?;
        let candidate = candidate.ok_or(ApiError::DeadLink)?;
        let (address, while_in) = match link.generation {
            OWNERS_LINK => {
                let owner = members::by_id(&mut snapshot, &row.account_id, &row.owner_id).await?;
                (owner.ok_or(ApiError::DeadLink)?.address, OwnershipState::Unconfirmed)
            }
            CANDIDATES_LINK => (candidate.address.clone(), OwnershipState::Unaccepted),
            _ => return Err(ApiError::DeadLink),
        };
        if !link.verifies(&service.key, &address) {
            return Err(ApiError::DeadLink);
        }
        let account = accounts::by_id_or_slug(&mut snapshot, &row.account_id).await?;
        let account = account.ok_or(ApiError::DeadLink)?;
        Ok(Self { row, account, candidate, address, while_in })
    }

    fn page(
        &self,
        service: &Service,
        browser: &Browser,
        token: &str,
        problem: Option<&ApiError>,
    ) -> Result<Response, ApiError> {
        let state = self.row.state_at(service.now());
        let way = match &browser.user {
            Some(user) if user.address == self.address => "straight",
            Some(_) => "other",
            None => "sign-in",
        };
        let words = context! {
            account => self.account.name,
            slug => self.account.slug,
            role => self.row.role,
            candidate => self.candidate.address,
            email => self.address,
            signed_in_as => browser.user.as_ref().map(|user| &user.address),
            state => state_word(state),
            confirms => self.while_in == OwnershipState::Unconfirmed,
            open => state == self.while_in,
            expires => day(self.row.expires_at),
            way,
            sign_in => sign_in_path(&format!("/own/{token}")),
            token,
            mark => browser.form_mark(service),
            problem => problem.map(sentence),
        };
        let status = match (problem, state) {
            (Some(problem), _) => problem.kind().status,
            (None, OwnershipState::Unconfirmed | OwnershipState::Unaccepted) => StatusCode::OK,
            (None, OwnershipState::Done) => StatusCode::OK,
            (None, _) => StatusCode::GONE,
        };
        let response = service.pages.render(status, "ownership_change.html", words)?;
        Ok(browser.mark(service, response))
    }

    /// Begins the answer of the one whom the link was mailed to, who must be signed in.
    async fn answer(&self, service: &Arc<Service>, browser: &Browser) -> Result<Change, ApiError> {
        if browser.person()?.address != self.address {
            return Err(ApiError::Forbidden);
        }
        let right = match self.while_in {
            OwnershipState::Unconfirmed => Right::ManageAccount,
            _ => Right::ReadAccount,
        };
        let begun = async {
            let actor = browser.member_of(service, &self.account.id, right).await?;
            Change::begin(service, &self.account.id, actor).await
        };
        begun.await.map_err(|error| match error {
            ApiError::NotFound => ApiError::OwnershipMoot,
            other => other,
        })
    }
}

/// `GET /own/{token}` shows the change and changes nothing.
pub(crate) async fn show(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    browser: Browser,
) -> Result<Response, ApiError> {
    Asked::find(&service, &token).await?.page(&service, &browser, &token, None)
}

/// `POST /own/{token}/accept`: the owner confirms, the candidate accepts.
pub(crate) async fn accept(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    let asked = Asked::find(&service, &token).await?;
    let done = agree(&service, &browser, &asked).await;
    finish(&service, &browser, &asked, &token, done)
}

/// `POST /own/{token}/decline`
pub(crate) async fn decline(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    let asked = Asked::find(&service, &token).await?;
    let done = refuse(&service, &browser, &asked).await;
    finish(&service, &browser, &asked, &token, done)
}

async fn agree(service: &Arc<Service>, browser: &Browser, asked: &Asked) -> Result<(), ApiError> {
    let mut change = asked.answer(service, browser).await?;
    match asked.while_in {
        OwnershipState::Unconfirmed => {
            ownership_change::confirm(&mut change, &asked.row.id).await?
        }
        _ => ownership_change::accept(&mut change, &asked.row.id).await?,
    }
    change.commit().await
}

async fn refuse(service: &Arc<Service>, browser: &Browser, asked: &Asked) -> Result<(), ApiError> {
    let mut change = asked.answer(service, browser).await?;
    ownership_change::decline(&mut change, &asked.row.id, asked.while_in).await?;
    change.commit().await
}

/// Shows how it stands now, with what went wrong.
fn finish(
    service: &Service,
    browser: &Browser,
    asked: &Asked,
    token: &str,
    done: Result<(), ApiError>,
) -> Result<Response, ApiError> {
    match done {
        Ok(()) => Ok(go_to(&format!("/own/{token}"))),
        Err(problem @ ApiError::Unauthenticated) => Err(problem),
        Err(problem) if problem.kind().status.is_client_error() => {
            asked.page(service, browser, token, Some(&problem))
        }
        Err(failure) => Err(failure),
    }
}
