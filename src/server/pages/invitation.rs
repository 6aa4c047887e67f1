//! The page behind an invitation's link.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::context;
use serde::Deserialize;

use crate::server::Service;
use crate::server::change::{Change, invitation, join_request, notice};
use crate::server::error::ApiError;
use crate::server::link::{Purpose, RowLink};
use crate::server::pages::browser::{Browser, NoFields, Sent, begin_session};
use crate::server::pages::sign_up::{self, NewPerson};
use crate::server::pages::{day, go_to, sentence};
use crate::server::permission::Actor;
use crate::server::store::accounts::{self, AccountRow};
use crate::server::store::invitations::{self, InvitationRow};
use crate::server::store::users::{self, UserRow};
use crate::wire::InvitationState;

/// What the link leads to.
struct Invited {
    invitation: InvitationRow,
    account: AccountRow,
    /// The person of the invited address, if it can sign in.
    user: Option<UserRow>,
}

/// How the person who followed the link can go on (NP-05).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Signed in as the invited person.
    Straight,
    /// Has a user account.
    SignIn,
    /// Has none.
    SignUp,
    /// Signed in as someone else.
    Other,
}

impl Invited {
    /// Follows a link. The same answer for forged, replaced and unknown ones.
    async fn find(service: &Arc<Service>, token: &str) -> Result<Self, ApiError> {
        let link = RowLink::parse(Purpose::Invitation, token).ok_or(ApiError::DeadLink)?;
        let mut snapshot = service.store.snapshot().await?;
        let row = invitations::by_link(&mut snapshot, link.id).await?;
        let invitation = row.ok_or(ApiError::DeadLink)?;
        if !link.verifies(&service.key, &invitation.address)
            || link.generation != invitation.generation
        {
            return Err(ApiError::DeadLink);
        }
        let account = accounts::by_id_or_slug(&mut snapshot, &invitation.account_id).await?;
        let account = account.ok_or(ApiError::DeadLink)?;
        let user = users::by_address(&mut snapshot, &invitation.address).await?;
        let user = user.filter(UserRow::is_verified);
        Ok(Self { invitation, account, user })
    }

    fn way(&self, browser: &Browser) -> Way {
        match (&browser.user, &self.user) {
            (Some(user), _) if user.address == self.invitation.address => Way::Straight,
            (Some(_), _) => Way::Other,
            (None, Some(_)) => Way::SignIn,
            (None, None) => Way::SignUp,
        }
    }

    fn page(
        &self,
        service: &Service,
        browser: &Browser,
        token: &str,
        problem: Option<&ApiError>,
    ) -> Result<Response, ApiError> {
        let state = self.invitation.state_at(service.now());
        let way = match self.way(browser) {
            Way::Straight => "straight",
            Way::SignIn => "sign-in",
            Way::SignUp => "sign-up",
            Way::Other => "other",
        };
        let words = context! {
            account => self.account.name,
            slug => self.account.slug,
            role => self.invitation.role,
            message => self.invitation.message,
            email => self.invitation.address,
            signed_in_as => browser.user.as_ref().map(|user| &user.address),
            state => invitations::state_word(state),
            expires => day(self.invitation.expires_at),
            way,
            token,
            mark => browser.form_mark(service),
            problem => problem.map(sentence),
        };
        let status = match problem {
            Some(problem) => problem.kind().status,
            None if state == InvitationState::Pending => StatusCode::OK,
            None => StatusCode::GONE,
        };
        let response = service.pages.render(status, "invitation.html", words)?;
        Ok(browser.mark(service, response))
    }
}

/// `GET /i/{token}` shows the invitation and changes nothing.
pub(crate) async fn show(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    browser: Browser,
) -> Result<Response, ApiError> {
    Invited::find(&service, &token).await?.page(&service, &browser, &token, None)
}

/// What the form may carry, by way.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Acceptance {
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: String,
}

/// `POST /i/{token}/accept`: straight, by signing in, or by signing up.
pub(crate) async fn accept(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    Sent { browser, form }: Sent<Acceptance>,
) -> Result<Response, ApiError> {
    let invited = Invited::find(&service, &token).await?;
    match join(&service, &browser, &invited, &form).await {
        Ok(response) => Ok(response),
        Err(refused @ ApiError::RateLimited { .. }) => Err(refused),
        Err(problem) if problem.kind().status.is_client_error() => {
            let team = invited.invitation.team_id.as_deref();
            notice::refused(&service, &invited.account.id, team, &problem).await;
            // The state may have moved on under this request: show it as it is now.
            let invited = Invited::find(&service, &token).await?;
            invited.page(&service, &browser, &token, Some(&problem))
        }
        Err(failure) => Err(failure),
    }
}

async fn join(
    service: &Arc<Service>,
    browser: &Browser,
    invited: &Invited,
    form: &Acceptance,
) -> Result<Response, ApiError> {
    let Acceptance { name, password } = form;
    let home = go_to(&format!("/accounts/{}", invited.account.slug));
    let id = &invited.invitation.id;
    let way = invited.way(browser);
    let (user, is_new) = match (way, &browser.user, &invited.user) {
        (Way::Straight, Some(user), _) => (user.clone(), false),
        (Way::SignIn, _, Some(user)) => {
            service.limiter.try_for(&user.address)?;
            let hash = user.password_hash.clone();
            if !service.passwords.matches(password, hash).await? {
                return Err(ApiError::field("/password", "is not the one of this address"));
            }
            (user.clone(), false)
        }
        (Way::SignUp, _, _) => {
            let address = &invited.invitation.address;
            let person = NewPerson { name, password, address };
            (sign_up::new_user(service, &person).await?, true)
        }
        _ => return Err(ApiError::Forbidden),
    };
    let mut change = Change::begin(service, &invited.account.id, Actor::Invitee).await?;
    let mut arrival = None;
    if is_new {
        // The link proves the address: who has it is who may set the password, unless someone
        // has just done so.
        let there = users::by_address(change.conn(), &user.address).await?;
        if there.is_some_and(|user| user.is_verified()) {
            return Err(ApiError::field("", "you have an account meanwhile: sign in instead"));
        }
        users::verify(change.conn(), &user).await?;
        arrival = join_request::arrive(change.conn(), &user.address, service.now()).await?;
    }
    invitation::accept(&mut change, id, &user.name).await?;
    let user = users::by_address(change.conn(), &user.address).await?;
    change.commit().await?;
    join_request::admit(service, arrival).await;
    match user {
        Some(user) if way != Way::Straight => begin_session(service, browser, &user, home).await,
        _ => Ok(home),
    }
}

/// `POST /i/{token}/decline`
pub(crate) async fn decline(
    State(service): State<Arc<Service>>,
    Path(token): Path<String>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    let invited = Invited::find(&service, &token).await?;
    if invited.way(&browser) == Way::Other {
        return invited.page(&service, &browser, &token, Some(&ApiError::Forbidden));
    }
    let mut change = Change::begin(&service, &invited.account.id, Actor::Invitee).await?;
    match invitation::decline(&mut change, &invited.invitation.id).await {
        Ok(_) => change.commit().await?,
        Err(problem) => return invited.page(&service, &browser, &token, Some(&problem)),
    }
    let title = "You have declined";
    let text = format!("{} will not hear from you again through this link.", invited.account.name);
    let words = context! { title, text, link => "/", link_title => "Your accounts" };
    service.pages.render(StatusCode::OK, "message.html", words)
}
