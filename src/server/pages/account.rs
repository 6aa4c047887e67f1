//! The accounts of a person, and the front page of one.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use minijinja::{Value, context};
use serde::{Deserialize, Serialize};

use crate::domain::keys::RoleName;
use crate::domain::observed::SeatLimit;
use crate::profile::{MenuEntry, Profile, ServicePermission};
use crate::server::Service;
use crate::server::change::{Change, subscription};
use crate::server::error::ApiError;
use crate::server::pages::browser::{Browser, Sent};
use crate::server::pages::{day, go_to, sentence};
use crate::server::permission::{Actor, At, Place, Right};
use crate::server::routes::Look;
use crate::server::store::members;
use crate::server::store::subscriptions::{self, SubscriptionRow};
use crate::wire::{NewSubscription, SubscriptionState};

/// `GET /`
pub(crate) async fn home(
    State(service): State<Arc<Service>>,
    browser: Browser,
) -> Result<Response, ApiError> {
    let user = browser.person()?;
    let mut snapshot = service.store.snapshot().await?;
    let places: Vec<_> = members::places_of(&mut snapshot, &user.address)
        .await?
        .into_iter()
        .map(|(slug, name, role)| context! { slug, name, role })
        .collect();
    let words = context! {
        places,
        user => user.name,
        mark => browser.form_mark(&service),
    };
    Ok(browser.mark(&service, service.pages.render(StatusCode::OK, "home.html", words)?))
}

/// An entry of the menu. What is not granted stays locked (NP-12).
#[derive(Debug, Serialize)]
struct Entry {
    title: String,
    granted: bool,
    href: Option<String>,
}

/// Pages of this service that a permission opens.
const PAGES: [(ServicePermission, &str); 2] =
    [(ServicePermission::MembersRead, "members"), (ServicePermission::ClientsUse, "clients")];

/// What nobody opens in an account that he is logged in to as an agency.
const KEPT: [ServicePermission; 3] = [
    ServicePermission::ClientsUse,
    ServicePermission::TokensManage,
    ServicePermission::AccountManage,
];

/// The menu of an account for a role. An entry leads to the vendor's page, else to one of the service.
fn menu(profile: &Profile, role: &RoleName, slug: &str, as_client: bool) -> Vec<Entry> {
    let entries = profile.menu.iter().map(|MenuEntry { title, permission }| {
        let kept = as_client && KEPT.iter().any(|kept| kept.as_str() == permission);
        let granted = profile.permits(role, permission) && !kept;
        let of_vendor = profile.permissions.get(permission).and_then(|rule| rule.href.clone());
        let own = PAGES.iter().find(|(opener, _)| opener.as_str() == permission);
        let own = own.map(|(_, page)| format!("/accounts/{slug}/{page}"));
        let href = of_vendor.or(own).filter(|_| granted);
        Entry { title: title.clone(), granted, href }
    });
    let mut entries: Vec<_> = entries.collect();
    let granted = profile.permits_service(role, ServicePermission::MembersRead);
    let href = Some(format!("/accounts/{slug}/members"));
    if granted && !entries.iter().any(|entry| entry.href == href) {
        entries.push(Entry { title: "Members".to_owned(), granted, href });
    }
    entries
}

/// What every page of an account shows around its subject.
pub(super) fn frame(look: &Look, actor: &Actor, browser: &Browser, service: &Service) -> Value {
    let Some(person) = actor.person() else { return context! {} };
    let Some(Place { role, .. }) = person.places.first() else { return context! {} };
    context! {
        account => look.account.name,
        slug => look.account.slug,
        disabled => look.account.disabled,
        role => role.as_str(),
        menu => menu(&look.profile, role, &look.account.slug, person.as_client),
        user => browser.user.as_ref().map_or(&person.address, |user| &user.name),
        as_client => person.as_client,
        mark => browser.form_mark(service),
    }
}

/// Seats as `2 of 3`.
pub(super) async fn seat_words(look: &mut Look) -> Result<Value, ApiError> {
    let seats = look.seats().await?;
    let limit = match seats.limit {
        SeatLimit::Seats(limit) => limit.to_string(),
        SeatLimit::Unlimited => "unlimited".to_owned(),
    };
    Ok(context! { used => seats.used, limit, plan => seats.source.as_str() })
}

/// `GET /accounts/{account}`
pub(crate) async fn show(
    State(service): State<Arc<Service>>,
    Path(account): Path<String>,
    browser: Browser,
) -> Result<Response, ApiError> {
    page(&service, &browser, &account, None).await
}

async fn page(
    service: &Arc<Service>,
    browser: &Browser,
    account: &str,
    problem: Option<&ApiError>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(service, account, Right::ReadAccount).await?;
    let mut look = Look::begin(service, account, &actor, Right::ReadAccount, At::Account).await?;
    let seats = seat_words(&mut look).await?;
    let account_id = look.account.id.clone();
    let seen = look.seen(&actor).await?;
    let shown = |row: &SubscriptionRow| seen.as_ref().is_none_or(|seen| seen.contains(&row.id));
    let held: Vec<_> = subscriptions::running(look.conn(), &account_id)
        .await?
        .into_iter()
        .filter(shown)
        .map(|row| {
            let ends = row.state == SubscriptionState::Ending;
            context! { plan => row.plan, ends, until => day(row.period_end) }
        })
        .collect();
    let waiting: Vec<_> = subscriptions::requested(look.conn(), &account_id)
        .await?
        .into_iter()
        .filter(shown)
        .map(|row| row.plan)
        .collect();
    let may_pick = actor.must(Right::ManageSubscriptions, At::Account, &look.profile).is_ok();
    let plans: Vec<_> = look.profile.plans_to_pick().map(|plan| plan.name.to_string()).collect();
    let words = context! {
        seats,
        held,
        waiting,
        may_pick,
        plans,
        problem => problem.map(sentence),
        ..frame(&look, &actor, browser, service)
    };
    let status = problem.map_or(StatusCode::OK, |problem| problem.kind().status);
    Ok(browser.mark(service, service.pages.render(status, "account.html", words)?))
}

/// The form that picks a plan.
#[derive(Debug, Deserialize)]
pub(crate) struct Pick {
    plan: String,
}

/// `POST /accounts/{account}/subscriptions`
pub(crate) async fn pick(
    State(service): State<Arc<Service>>,
    Path(account): Path<String>,
    Sent { browser, form: Pick { plan } }: Sent<Pick>,
) -> Result<Response, ApiError> {
    let actor = browser.member_of(&service, &account, Right::ManageSubscriptions).await?;
    let mut change = Change::begin(&service, &account, actor).await?;
    match subscription::pick(&mut change, &NewSubscription { plan }).await {
        Ok(_) => change.commit().await?,
        Err(problem) => {
            drop(change);
            return page(&service, &browser, &account, Some(&problem)).await;
        }
    }
    Ok(go_to(&format!("/accounts/{account}")))
}
