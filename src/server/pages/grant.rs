//! The page behind the link by which a client lets an agency in, or says no (NC-03).

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use serde::Deserialize;

use crate::profile::Profile;
use crate::server::Service;
use crate::server::auth;
use crate::server::change::access_request::{self, Approval};
use crate::server::change::{Change, account};
use crate::server::error::ApiError;
use crate::server::link::{Purpose, RowLink};
use crate::server::pages::browser::{Browser, NoFields, Sent, begin_session};
use crate::server::pages::sign_up::{self, NewPerson};
use crate::server::pages::{go_to, sentence, sign_in_path};
use crate::server::permission::Actor;
use crate::server::store::accounts::{self, AccountRow};
use crate::server::store::client_accesses::{self, AccessRow, state_word};
use crate::server::store::users::{self, UserRow};
use crate::server::views::role_name;
use crate::wire::{ClientAccessState, NewAccount};

/// Most characters of the part of a slug that comes from a name.
const MAX_STEM: usize = 36;

/// What the link leads to.
struct Asked {
    access: AccessRow,
    /// Name and rules of the agency's product, which the client's account must have too.
    product: String,
    profile: Arc<Profile>,
    /// Whether the person of the address can sign in.
    known: bool,
}

impl Asked {
    /// Follows a link. The same answer for forged, replaced and unknown ones.
    async fn find(service: &Service, token: &str) -> Result<Self, ApiError> {
        let link = RowLink::parse(Purpose::Grant, token).ok_or(ApiError::DeadLink)?;
        let mut snapshot = service.store.snapshot().await?;
        let access = client_accesses::by_link(&mut snapshot, link.id).await?;
        let access = access.ok_or(ApiError::DeadLink)?;
        if !link.verifies(&service.key, &access.address) || link.generation != access.generation {
            return Err(ApiError::DeadLink);
        }
        let agency = accounts::by_id_or_slug(&mut snapshot, &access.account_id).await?;
        let product = agency.ok_or(ApiError::DeadLink)?.profile;
        let profile = service.profile(&product)?;
        let user = users::by_address(&mut snapshot, &access.address).await?;
        let known = user.is_some_and(|user| user.is_verified());
        Ok(Self { access, product, profile, known })
    }

    /// How the person who followed the link goes on (NC-02).
    fn way(&self, browser: &Browser) -> &'static str {
        match &browser.user {
            Some(user) if user.address == self.access.address => "straight",
            Some(_) => "other",
            None if self.known => "sign-in",
            None => "sign-up",
        }
    }

    /// The person who was asked, signed in.
    fn person<'b>(&self, browser: &'b Browser) -> Result<&'b UserRow, ApiError> {
        let user = browser.person()?;
        if user.address == self.access.address { Ok(user) } else { Err(ApiError::Forbidden) }
    }

    /// Accounts to which the person, who sits at this browser, may let the agency in.
    async fn accounts(
        &self,
        service: &Service,
        browser: &Browser,
    ) -> Result<Vec<(AccountRow, Actor)>, ApiError> {
        let (address, role) = (&self.access.address, role_name(&self.access.role));
        let mut snapshot = service.store.snapshot().await?;
        let mut open = Vec::new();
        for row in accounts::of_member(&mut snapshot, address, &self.product).await? {
            let person = auth::person(&mut snapshot, &row.id, address).await?;
            let person = person.map(|person| browser.acting(person));
            let may = |actor: &Actor| access_request::may_grant(actor, &self.profile, &role);
            if row.id != self.access.account_id
                && let Some(actor) = person.filter(may)
            {
                open.push((row, actor));
            }
        }
        Ok(open)
    }

    async fn page(
        &self,
        service: &Service,
        browser: &Browser,
        token: &str,
        problem: Option<&ApiError>,
    ) -> Result<Response, ApiError> {
        let (way, state) = (self.way(browser), self.access.state);
        let accounts = match way {
            "straight" => self.accounts(service, browser).await?,
            _ => vec![],
        };
        let accounts = accounts.iter().map(|(row, _)| context! { id => row.id, name => row.name });
        let role = role_name(&self.access.role);
        let menu = self.profile.menu.iter();
        let opens = menu.filter(|entry| self.profile.permits(&role, &entry.permission));
        let words = context! {
            agency => self.access.agency_name,
            role => self.access.role,
            email => self.access.address,
            opens => opens.map(|entry| &entry.title).collect::<Vec<_>>(),
            signed_in_as => browser.user.as_ref().map(|user| &user.address),
            sign_in => sign_in_path(&format!("/grant/{token}")),
            accounts => accounts.collect::<Vec<_>>(),
            state => state_word(state),
            way,
            token,
            mark => browser.form_mark(service),
            problem => problem.map(sentence),
        };
        let status = match problem {
            Some(problem) => problem.kind().status,
            None if state == ClientAccessState::Requested => StatusCode::OK,
            None => StatusCode::GONE,
        };
        let response = service.pages.render(status, "grant.html", words)?;
        Ok(browser.mark(service, response))
    }
}

/// `GET /grant/{token}` shows the request and changes nothing.
pub(crate) async fn show(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    browser: Browser,
) -> Result<Response, ApiError> {
    Asked::find(&service, &token).await?.page(&service, &browser, &token, None).await
}

/// The form of someone without a user.
#[derive(Debug, Deserialize)]
pub(crate) struct SignUp {
    name: String,
    password: String,
}

/// `POST /grant/{token}/sign-up` makes the user: the link proves the address.
pub(crate) async fn sign_up(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    Sent { browser, form: SignUp { name, password } }: Sent<SignUp>,
) -> Result<Response, ApiError> {
    let asked = Asked::find(&service, &token).await?;
    let waits = asked.access.state == ClientAccessState::Requested;
    if !waits || asked.way(&browser) != "sign-up" {
        return asked.page(&service, &browser, &token, None).await;
    }
    let person = NewPerson { name: &name, password: &password, address: &asked.access.address };
    match sign_up::register(&service, &person).await {
        Ok(user) => {
            begin_session(&service, &browser, &user, go_to(&format!("/grant/{token}"))).await
        }
        Err(problem) => refused(&service, &browser, &token, problem).await,
    }
}

/// The form that grants.
#[derive(Debug, Deserialize)]
pub(crate) struct Approve {
    /// Id of one of the person's accounts; none: one is opened.
    #[serde(default)]
    account: String,
    /// Name of the account that is opened.
    #[serde(default)]
    name: String,
}

/// `POST /grant/{token}/approve`
pub(crate) async fn approve(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    Sent { browser, form }: Sent<Approve>,
) -> Result<Response, ApiError> {
    let asked = Asked::find(&service, &token).await?;
    match grant(&service, &browser, &asked, &form).await {
        Ok(slug) => Ok(go_to(&format!("/accounts/{slug}/members"))),
        Err(problem) => refused(&service, &browser, &token, problem).await,
    }
}

/// Grants the access; gives the slug of the client's account.
async fn grant(
    service: &Arc<Service>,
    browser: &Browser,
    asked: &Asked,
    form: &Approve,
) -> Result<String, ApiError> {
    asked.person(browser)?;
    let Approve { account, name } = form;
    let mut accounts = asked.accounts(service, browser).await?;
    let mut change = if accounts.is_empty() {
        open(service, browser, asked, name).await?
    } else {
        let place = accounts.iter().position(|(row, _)| row.id == *account);
        let place = place
            .ok_or_else(|| ApiError::field("/account", "is not one that you may let anyone in"))?;
        let (row, actor) = accounts.swap_remove(place);
        let agency = (asked.access.account_id.as_str(), Actor::Invitee);
        Change::begin_two(service, (&row.id, actor), agency).await?
    };
    let row = client_accesses::by_link(change.conn(), &asked.access.id).await?;
    let row = row.ok_or(ApiError::DeadLink)?;
    let slug = change.account.slug.clone();
    match access_request::approve(&mut change, row).await? {
        Approval::Granted(_) => {
            change.commit().await?;
            Ok(slug)
        }
        Approval::NoSeat(refusal) => {
            change.commit().await?;
            Err(refusal)
        }
    }
}

/// Opens an account of the same product for the person, without a plan.
async fn open(
    service: &Arc<Service>,
    browser: &Browser,
    asked: &Asked,
    name: &str,
) -> Result<Change, ApiError> {
    let user = asked.person(browser)?;
    let request = NewAccount {
        name: name.trim().to_owned(),
        slug: slug(service, name),
        profile: asked.product.clone(),
        owner_email: user.address.clone(),
    };
    let tx = service.store.begin().await?;
    let owner_name = Some(user.name.clone());
    let mut change = account::open(service, tx, Actor::Invitee, &request, owner_name).await?;
    // Nobody waits for an account that is not there yet.
    change.join(&asked.access.account_id, Actor::Invitee).await?;
    let account_id = change.account.id.clone();
    let person = auth::person(change.conn(), &account_id, &user.address).await?;
    change.act_as(browser.acting(person.ok_or(ApiError::Forbidden)?)).await?;
    Ok(change)
}

/// A short name that nobody has: what can be kept of the name, and a random end.
fn slug(service: &Service, name: &str) -> String {
    let known = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let stem: String = name.to_ascii_lowercase().chars().take(MAX_STEM).map(known).collect();
    let end = service.ids.next_ulid(service.now()).to_string().to_ascii_lowercase();
    let end = end.get(end.len() - 10..).unwrap_or(&end).to_owned();
    let words: Vec<&str> = stem.split('-').filter(|word| !word.is_empty()).chain([&*end]).collect();
    words.join("-")
}

/// `POST /grant/{token}/reject`
pub(crate) async fn reject(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    let asked = Asked::find(&service, &token).await?;
    if asked.way(&browser) == "other" {
        return asked.page(&service, &browser, &token, Some(&ApiError::Forbidden)).await;
    }
    let mut change = Change::begin(&service, &asked.access.account_id, Actor::Invitee).await?;
    let row = client_accesses::by_link(change.conn(), &asked.access.id).await?;
    match access_request::reject(&mut change, row.ok_or(ApiError::DeadLink)?).await {
        Ok(_) => change.commit().await?,
        Err(problem) => {
            drop(change);
            return refused(&service, &browser, &token, problem).await;
        }
    }
    let title = "You have said no";
    let text = format!("{} has no access to anything of yours.", asked.access.agency_name);
    let words = context! { title, text, link => "/", link_title => "Your accounts" };
    service.pages.render(StatusCode::OK, "message.html", words)
}

/// Shows what went wrong, with the request as it is now.
async fn refused(
    service: &Service,
    browser: &Browser,
    token: &str,
    problem: ApiError,
) -> Result<Response, ApiError> {
    let mine = problem.kind().status.is_client_error();
    if !mine || matches!(problem, ApiError::RateLimited { .. } | ApiError::Unauthenticated) {
        return Err(problem);
    }
    Asked::find(service, token).await?.page(service, browser, token, Some(&problem)).await
}
