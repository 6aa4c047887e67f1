//! The member list: who is in, who is invited, and what can be done.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::{Value, context};
use serde::Deserialize;

use crate::profile::{Profile, RoleWhilePending};
use crate::server::Service;
use crate::server::change::invitation_actions::Standing;
use crate::server::change::{Change, Precondition, invitation, member, notice};
use crate::server::error::ApiError;
use crate::server::pages::account::{frame, seat_words};
use crate::server::pages::browser::{Browser, NoFields, Sent};
use crate::server::pages::{day, go_to, sentence};
use crate::server::permission::{Actor, At, Right, Verb};
use crate::server::routes::Look;
use crate::server::store::Window;
use crate::server::store::invitations::{self, Shown};
use crate::server::store::members;
use crate::server::store::tokens::{self, TokenRow};
use crate::server::views::role_name;
use crate::wire::{
    InvitationPatch, InvitationState, MemberPatch, MemberState, NewInvitation, Principal,
};

/// Rows of one page of the list.
const ROWS: u32 = 200;

/// Where a page of the list begins.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct After {
    #[serde(default)]
    after: String,
}

/// `GET /accounts/{account}/members`
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
    let actor = browser.member_of(service, account, Right::ReadMembers).await?;
    let mut look = Look::begin(service, account, &actor, Right::ReadMembers, At::Account).await?;
    let seats = seat_words(&mut look).await?;
    let window = Window { after: after.to_owned(), size: ROWS + 1 };
    let account_id = look.account.id.clone();
    let mut people =
        members::page(look.conn(), &account_id, members::Shown::default(), &window).await?;
    let more = people.len() > ROWS as usize;
    people.truncate(ROWS as usize);
    let next = if more { people.last().map(|row| row.id.clone()) } else { None };
    let mut rows: Vec<Value> = people.iter().map(|row| member_words(&look, &actor, row)).collect();
    if after.is_empty() {
        let (now, window) = (look.now, Window { after: String::new(), size: ROWS });
        let open =
            invitations::page(look.conn(), &account_id, Shown::default(), now, &window).await?;
        let standing = Standing::new(&look.account, &look.profile, &actor, now);
        let teams = open.iter().filter_map(|row| row.team_id.as_deref());
        let standing = standing.among(look.conn(), teams).await?;
        let words = |row| invitation_words(&look, &actor, row, &standing.actions(row));
        rows.extend(open.iter().map(words));
    }
    let words = context! {
        seats,
        rows,
        next,
        may_invite => actor.must(Right::Invite, At::Account, &look.profile).is_ok(),
        roles => reachable(&look, &actor, Verb::Invite),
        problem => problem.map(sentence),
        ..frame(&look, &actor, browser, service)
    };
    let status = problem.map_or(StatusCode::OK, |problem| problem.kind().status);
    Ok(browser.mark(service, service.pages.render(status, "members.html", words)?))
}

/// Roles that an invitation can give and this actor reaches by `verb`.
fn reachable(look: &Look, actor: &Actor, verb: Verb) -> Vec<String> {
    let roles = look.profile.roles.iter().filter(|role| role.invitable && !role.immutable);
    let roles =
        roles.filter(|role| actor.must_reach(verb, At::Account, &look.profile, &role.name).is_ok());
    roles.map(|role| role.name.to_string()).collect()
}

fn member_words(look: &Look, actor: &Actor, row: &members::MemberRow) -> Value {
    let role = role_name(&row.role);
    let at = At::of(row.team_id.as_deref());
    let agency = row.principal == Principal::Account;
    let reaches = |verb| {
        let reached = actor.must_reach(verb, at, &look.profile, &role).is_ok();
        reached && !(agency && actor.is_agency())
    };
    let rule = look.profile.role(&role);
    let fixed = rule.is_none_or(|role| role.immutable || role.min_holders > 0);
    let removable = rule.is_none_or(|role| role.removable && role.min_holders == 0);
    let roles =
        if !fixed && reaches(Verb::Change) { reachable(look, actor, Verb::Change) } else { vec![] };
    context! {
        kind => "members",
        agency,
        id => row.id,
        name => row.name,
        email => row.address,
        role => row.role,
        tag => if row.state == MemberState::Trimmed { Some("paused") } else { None },
        since => day(row.joined_at),
        roles,
        may_end => removable && reaches(Verb::Remove),
        may_resend => false,
    }
}

fn invitation_words(
    look: &Look,
    actor: &Actor,
    row: &invitations::InvitationRow,
    actions: &[&str],
) -> Value {
    let state = row.state_at(look.now);
    let pending = state == InvitationState::Pending;
    let can = |action| actions.contains(&action);
    let changes = can("change-role") && on_page(&look.profile);
    let roles = if changes { reachable(look, actor, Verb::Change) } else { vec![] };
    context! {
        kind => "invitations",
        agency => false,
        id => row.id,
        name => None::<String>,
        email => row.address,
        role => row.role,
        tag => Some(if pending { "invited" } else { invitations::state_word(state) }),
        since => day(row.created_at),
        roles,
        may_end => can("revoke"),
        may_resend => can("resend"),
    }
}

/// The form that invites.
#[derive(Debug, Deserialize)]
pub(crate) struct Invite {
    email: String,
    role: String,
}

/// `POST /accounts/{account}/members` invites (NP-01).
pub(crate) async fn invite(
    State(service): State<Arc<Service>>,
    Path(account): Path<String>,
    Sent { browser, form: Invite { email, role } }: Sent<Invite>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::Invite).await?;
    let mut change = Change::begin(&service, &account, actor).await?;
    let request = NewInvitation {
        email,
        role,
        team: None,
        name: None,
        message: None,
        expires_in_seconds: None,
        require_secure_sign_in: false,
        external_ref: None,
    };
    let done = invitation::invite(&mut change, &request).await.map(drop);
    finish(&service, &browser, &account, change, done).await
}

/// A form that gives a role.
#[derive(Debug, Deserialize)]
pub(crate) struct Role {
    role: String,
}

/// `POST /accounts/{account}/members/{member}/role` (NP-07)
pub(crate) async fn change_role(
    State(service): State<Arc<Service>>,
    Path((account, id)): Path<(String, String)>,
    Sent { browser, form: Role { role } }: Sent<Role>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::ChangeRoles).await?;
    let mut change = Change::begin(&service, &account, actor).await?;
    let unchecked = Precondition::Unchecked;
    let done = member::change_role(&mut change, &id, &unchecked, &MemberPatch { role }).await;
    finish(&service, &browser, &account, change, done.map(drop)).await
}

/// `POST /accounts/{account}/invitations/{invitation}/role` (X15)
pub(crate) async fn change_pending_role(
    State(service): State<Arc<Service>>,
    Path((account, id)): Path<(String, String)>,
    Sent { browser, form: Role { role } }: Sent<Role>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::ChangeRoles).await?;
    let mut change = Change::begin(&service, &account, actor).await?;
    let (unchecked, request) = (Precondition::Unchecked, InvitationPatch { role });
    let done = if on_page(&change.profile) {
        invitation::change_role(&mut change, &id, &unchecked, &request).await.map(drop)
    } else {
        Err(ApiError::NotOffered("a change of a pending person's role on the page"))
    };
    finish(&service, &browser, &account, change, done).await
}

/// True if people change the role of who is pending; programs do in every product (X15).
fn on_page(profile: &Profile) -> bool {
    profile.invitations.role_while_pending == RoleWhilePending::OnPage
}

/// `GET /accounts/{account}/members/{member}/remove` asks first (NP-09).
pub(crate) async fn confirm_removal(
    State(service): State<Arc<Service>>,
    Path((account, id)): Path<(String, String)>,
    browser: Browser,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::Remove).await?;
    let mut look = Look::begin(&service, &account, &actor, Right::Remove, At::Account).await?;
    let account_id = look.account.id.clone();
    let row = members::by_id(look.conn(), &account_id, &id).await?;
    let row = row.filter(|row| row.state != MemberState::Deleted).ok_or(ApiError::NotFound)?;
    let (maker, now) = (format!("member:{id}"), look.now);
    let made = tokens::made_by(look.conn(), &account_id, &maker, now).await?;
    let words = context! {
        question => format!("Remove {} from {}?", row.address, look.account.name),
        text => removal_words(&made),
        action => format!("/accounts/{account}/members/{id}/remove"),
        button => "Remove",
        ..frame(&look, &actor, &browser, &service)
    };
    Ok(browser.mark(&service, service.pages.render(StatusCode::OK, "confirm.html", words)?))
}

/// What removing a person does, and what it leaves.
fn removal_words(made: &[TokenRow]) -> String {
    let text = "Access ends at once. The person can be invited again later.";
    if made.is_empty() {
        return text.to_owned();
    }
    let names: Vec<_> = made.iter().map(|row| row.name.as_str()).collect();
    let names = names.join(", ");
    format!("{text} Tokens of the account that the person made keep working: {names}.")
}

/// `POST /accounts/{account}/members/{member}/remove`
pub(crate) async fn remove(
    State(service): State<Arc<Service>>,
    Path((account, id)): Path<(String, String)>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::Remove).await?;
    let own = actor.person().is_some_and(|person| person.is(&id));
    let mut change = Change::begin(&service, &account, actor).await?;
    let done = member::remove(&mut change, &id, &Precondition::Unchecked).await.map(drop);
    if own && done.is_ok() {
        change.commit().await?;
        return Ok(go_to("/"));
    }
    finish(&service, &browser, &account, change, done).await
}

/// `POST /accounts/{account}/invitations/{invitation}/resend`
pub(crate) async fn resend(
    State(service): State<Arc<Service>>,
    Path((account, id)): Path<(String, String)>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::Invite).await?;
    let mut change = Change::begin(&service, &account, actor).await?;
    let done = invitation::resend(&mut change, &id, &Precondition::Unchecked).await.map(drop);
    finish(&service, &browser, &account, change, done).await
}

/// `GET /accounts/{account}/invitations/{invitation}/revoke` asks first.
pub(crate) async fn confirm_revocation(
    State(service): State<Arc<Service>>,
    Path((account, id)): Path<(String, String)>,
    browser: Browser,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::Remove).await?;
    let mut look = Look::begin(&service, &account, &actor, Right::Remove, At::Account).await?;
    let account_id = look.account.id.clone();
    let row = invitations::by_id(look.conn(), &account_id, &id).await?;
    let row = row.ok_or(ApiError::NotFound)?;
    let words = context! {
        question => format!("Withdraw the invitation of {}?", row.address),
        text => "Its link stops working and its seat is free again.",
        action => format!("/accounts/{account}/invitations/{id}/revoke"),
        button => "Withdraw",
        ..frame(&look, &actor, &browser, &service)
    };
    Ok(browser.mark(&service, service.pages.render(StatusCode::OK, "confirm.html", words)?))
}

/// `POST /accounts/{account}/invitations/{invitation}/revoke`
pub(crate) async fn revoke(
    State(service): State<Arc<Service>>,
    Path((account, id)): Path<(String, String)>,
    Sent { browser, form: NoFields {} }: Sent<NoFields>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::Remove).await?;
    let mut change = Change::begin(&service, &account, actor).await?;
    let done = invitation::revoke(&mut change, &id, &Precondition::Unchecked).await.map(drop);
    finish(&service, &browser, &account, change, done).await
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
            Ok(go_to(&format!("/accounts/{account}/members")))
        }
        Err(problem) if problem.kind().status.is_client_error() => {
            let problem = notice::given_up(service, change, problem).await;
            page(service, browser, account, "", Some(&problem)).await
        }
        Err(failure) => Err(failure),
    }
}
