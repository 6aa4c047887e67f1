//! The clients of an agency (NC-05), and logging in as one (NC-11).

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::{Value, context};
use serde::Deserialize;

use crate::server::auth;
use crate::server::change::{Change, Precondition, client_access, client_login};
use crate::server::client_views::{self, Can};
use crate::server::error::ApiError;
use crate::server::link::{self, Purpose, RowLink};
use crate::server::pages::account::frame;
use crate::server::pages::browser::{Browser, NoFields, Sent, leave_client, set_client};
use crate::server::pages::{go_to, sentence};
use crate::server::permission::{Actor, At, Right};
use crate::server::routes::Look;
use crate::server::store::client_accesses::{self, AccessRow, state_word};
use crate::server::store::login_links::{self, LinkRow};
use crate::server::store::{Connection, Window, members};
use crate::server::{Service, ids};
use crate::wire::{ClientAccess, ClientAccessState, ClientHealth, NewClientAccess};

/// Rows of one page of the list.
const ROWS: u32 = 200;

/// Where a page of the list begins.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct After {
    #[serde(default)]
    after: String,
}

/// `GET /accounts/{account}/clients`
pub(crate) async fn show(
    State(service): State<Arc<Service>>,
    Path(account): Path<String>,
    Query(After { after }): Query<After>,
    browser: Browser,
) -> Result<Response, ApiError> {
    page(&service, &browser, &account, &after, None).await
}

async fn page(
    service: &Arc<Service>,
    browser: &Browser,
    account: &str,
    after: &str,
    problem: Option<&ApiError>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(service, account, Right::ReadClients).await?;
    let mut look = Look::begin(service, account, &actor, Right::ReadClients, At::Account).await?;
    let window = Window { after: after.to_owned(), size: ROWS + 1 };
    let account_id = look.account.id.clone();
    let mut rows = client_accesses::page(look.conn(), &account_id, None, &window).await?;
    let more = rows.len() > ROWS as usize;
    rows.truncate(ROWS as usize);
    let next = if more { rows.last().map(|row| row.id.clone()) } else { None };
    let can = Can::of(&actor, &look.account, &look.profile);
    let clients = client_views::clients(look.conn(), &rows, can).await?;
    let rules = look.profile.client_access.as_ref().filter(|_| look.account.agency);
    let roles = rules.iter().flat_map(|rules| &rules.roles).map(ToString::to_string);
    let words = context! {
        roles => roles.collect::<Vec<_>>(),
        rows => clients.iter().map(client_words).collect::<Vec<_>>(),
        next,
        problem => problem.map(sentence),
        ..frame(&look, &actor, browser, service)
    };
    let status = problem.map_or(StatusCode::OK, |problem| problem.kind().status);
    Ok(browser.mark(service, service.pages.render(status, "clients.html", words)?))
}

fn client_words(client: &ClientAccess) -> Value {
    let tag = match client.state {
        ClientAccessState::Granted => None,
        ClientAccessState::Requested => Some("Requested"),
        ClientAccessState::Trimmed => Some("paused"),
        other => Some(state_word(other)),
    };
    let can = |action| client.actions.iter().any(|known| known == action);
    let health = match client.health {
        ClientHealth::NoData | ClientHealth::Unknown => "No data",
        ClientHealth::MajorIssue => "Major issue",
        ClientHealth::NotConnected => "Not connected",
        ClientHealth::AllGood => "All good",
    };
    context! {
        id => client.id,
        name => client.client.as_ref().map(|client| &client.name),
        email => client.email,
        role => client.role_held.as_ref().unwrap_or(&client.role),
        tag,
        health,
        count => client.website_count,
        urls => client.websites.iter().map(|website| &website.url).collect::<Vec<_>>(),
        may_resend => can("resend"),
        may_remove => can("remove"),
        may_log_in => can("log-in"),
    }
}

/// The form that asks.
#[derive(Debug, Deserialize)]
pub(crate) struct Ask {
    email: String,
    role: String,
}

/// `POST /accounts/{account}/clients` asks a client (NC-01).
pub(crate) async fn ask(
    State(service): State<Arc<Service>>,
    Path(account): Path<String>,
    Sent { browser, form: Ask { email, role } }: Sent<Ask>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::UseClients).await?;
    let mut change = Change::begin(&service, &account, actor).await?;
    let request = NewClientAccess { email, role, external_ref: None };
    let done = client_access::request(&mut change, &request).await.map(drop);
    finish(&service, &browser, &account, change, done).await
}

/// `POST /accounts/{account}/clients/{access}/resend` (NC-09)
pub(crate) async fn resend(
    State(service): State<Arc<Service>>,
    Path((account, id)): Path<(String, String)>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::UseClients).await?;
    let mut change = Change::begin(&service, &account, actor).await?;
    let done = client_access::resend(&mut change, &id, &Precondition::Unchecked).await.map(drop);
    finish(&service, &browser, &account, change, done).await
}

/// `POST /accounts/{account}/clients/{access}/remove` (NC-10)
pub(crate) async fn remove(
    State(service): State<Arc<Service>>,
    Path((account, id)): Path<(String, String)>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::EndClients).await?;
    let mut change = Change::begin(&service, &account, actor).await?;
    let done = client_access::withdraw(&mut change, &id, &Precondition::Unchecked).await.map(drop);
    finish(&service, &browser, &account, change, done).await
}

/// `POST /accounts/{account}/clients/{access}/log-in` leads to a link of one's own.
pub(crate) async fn log_in(
    State(service): State<Arc<Service>>,
    Path((account, id)): Path<(String, String)>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::UseClients).await?;
    let mut change = Change::begin(&service, &account, actor).await?;
    match client_login::link(&mut change, &id).await {
        Ok(row) => {
            change.commit().await?;
            let token = link::row_token(&service.key, Purpose::LogIn, &row.id, 1, &row.address);
            Ok(go_to(&format!("{}{token}", Purpose::LogIn.path())))
        }
        Err(problem) => finish(&service, &browser, &account, change, Err(problem)).await,
    }
}

/// What a link leads to. Used, late, forged ones and those of others give the same answer.
async fn follow(
    service: &Service,
    conn: &mut Connection,
    browser: &Browser,
    token: &str,
) -> Result<(LinkRow, AccessRow), ApiError> {
    let address = &browser.person()?.address;
    let parsed = RowLink::parse(Purpose::LogIn, token).ok_or(ApiError::DeadLink)?;
    let link = login_links::by_id(conn, parsed.id).await?.ok_or(ApiError::DeadLink)?;
    let works = link.used_at.is_none() && link.expires_at > service.now();
    if !works || link.address != *address || !parsed.verifies(&service.key, &link.address) {
        return Err(ApiError::DeadLink);
    }
    let access = client_accesses::by_link(conn, &link.client_access_id).await?;
    Ok((link, access.ok_or(ApiError::DeadLink)?))
}

/// `GET /log-in-as/{token}` asks, and uses nothing up.
pub(crate) async fn show_link(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    browser: Browser,
) -> Result<Response, ApiError> {
    let mut snapshot = service.store.snapshot().await?;
    let (_, access) = follow(&service, &mut snapshot, &browser, &token).await?;
    let words = context! {
        client => access.client.as_ref().map_or(&access.address, |client| &client.name),
        agency => access.agency_name,
        slug => access.agency_slug,
        role => access.held_role.as_ref().unwrap_or(&access.role),
        token,
        mark => browser.form_mark(&service),
    };
    Ok(browser.mark(&service, service.pages.render(StatusCode::OK, "log_in_as.html", words)?))
}

/// `POST /log-in-as/{token}` begins the session.
pub(crate) async fn enter(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    let mut snapshot = service.store.snapshot().await?;
    let (link, access) = follow(&service, &mut snapshot, &browser, &token).await?;
    let client = access.client.as_ref().ok_or(ApiError::DeadLink)?;
    let own = auth::person(&mut snapshot, &access.account_id, &link.address).await?;
    drop(snapshot);
    let agency = (access.account_id.as_str(), browser.acting(own.ok_or(ApiError::DeadLink)?));
    let mut change = Change::begin_two(&service, (&client.id, Actor::Invitee), agency).await?;
    // The client may have ended or changed it meanwhile.
    let access = client_accesses::by_link(change.conn(), &access.id).await?;
    let access = access.ok_or(ApiError::DeadLink)?;
    let member_id = access.member_id.as_deref().unwrap_or_default();
    let place = members::by_id(change.conn(), &client.id, member_id).await?;
    let there = place.and_then(|place| auth::agency(&place, &link.address));
    change.actor = Actor::Person(there.ok_or(ApiError::DeadLink)?);
    let secret = ids::secret();
    client_login::enter(&mut change, &access, &link, &ids::hash(&secret)).await?;
    leave_client(change.conn(), &browser).await?;
    let mut response = go_to(&format!("/accounts/{}", change.account.slug));
    change.commit().await?;
    set_client(&service, &mut response, Some(&secret));
    Ok(response)
}

/// `POST /leave-client` ends the session in the client's account; the person's own goes on.
pub(crate) async fn leave(
    State(service): State<Arc<Service>>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    let mut tx = service.store.begin().await?;
    leave_client(&mut tx, &browser).await?;
    tx.commit().await?;
    let mut response = go_to("/");
    set_client(&service, &mut response, None);
    Ok(response)
}

/// Makes the change last and shows the list, or shows the list with what went wrong.
async fn finish(
    service: &Arc<Service>,
    browser: &Browser,
    account: &str,
    change: Change,
    done: Result<(), ApiError>,
) -> Result<Response, ApiError> {
    match done {
        Ok(()) => {
            change.commit().await?;
            Ok(go_to(&format!("/accounts/{account}/clients")))
        }
        Err(problem) if problem.kind().status.is_client_error() => {
            drop(change);
            page(service, browser, account, "", Some(&problem)).await
        }
        Err(failure) => Err(failure),
    }
}
