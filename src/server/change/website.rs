//! Websites: reported by the vendor.

use serde_json::json;
use url::Url;

use crate::profile::Topic;
use crate::server::change::{Change, Precondition, notice};
use crate::server::client_views;
use crate::server::error::ApiError;
use crate::server::mail::Template;
use crate::server::permission::{At, Right};
use crate::server::store::websites::{self, WebsiteRow};
use crate::wire::{NewWebsite, WebsitePatch, WebsiteState};

/// Most characters of an address.
const MAX_URL: usize = 500;

/// Notes a website of the account.
pub(crate) async fn add(change: &mut Change, request: &NewWebsite) -> Result<WebsiteRow, ApiError> {
    let NewWebsite { url, state } = request;
    change.must(Right::Report, At::Account)?;
    let row = WebsiteRow {
        id: change.id("web"),
        account_id: change.account.id.clone(),
        url: address(url)?,
        state: known_state(*state)?,
        created_at: change.now,
        version: 1,
    };
    websites::insert(change.conn(), &row).await?;
    change.record("website.added", &row.id, None::<()>, Some(client_views::website(&row))).await?;
    Ok(row)
}

/// Notes the state of a website; who wants to know is told when it is not connected any more.
pub(crate) async fn set_state(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
    request: &WebsitePatch,
) -> Result<WebsiteRow, ApiError> {
    let WebsitePatch { state } = request;
    let before = existing(change, id, precondition).await?;
    let state = known_state(*state)?;
    if state == before.state {
        return Ok(before);
    }
    let row = WebsiteRow { state, version: before.version + 1, ..before.clone() };
    websites::update(change.conn(), &row).await?;
    let (old, new) = (client_views::website(&before), client_views::website(&row));
    change.record("website.changed", &row.id, Some(old), Some(new)).await?;
    if before.state == WebsiteState::Connected {
        for address in notice::recipients_of(change, Topic::Websites).await? {
            let words = json!({ "website": row.url });
            change.mail(Template::WebsiteStatus, &row.id, &address, words).await?;
        }
    }
    Ok(row)
}

/// Takes a website away.
pub(crate) async fn remove(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<(), ApiError> {
    let before = existing(change, id, precondition).await?;
    websites::delete(change.conn(), &before.id).await?;
    change
        .record("website.removed", &before.id, Some(client_views::website(&before)), None::<()>)
        .await
}

async fn existing(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<WebsiteRow, ApiError> {
    change.must(Right::Report, At::Account)?;
    let account_id = change.account.id.clone();
    let row = websites::by_id(change.conn(), &account_id, id).await?.ok_or(ApiError::NotFound)?;
    precondition.check(row.version)?;
    Ok(row)
}

fn known_state(state: WebsiteState) -> Result<WebsiteState, ApiError> {
    match state {
        WebsiteState::Unknown => {
            Err(ApiError::field("/state", "is one of connected, not_connected, major_issue"))
        }
        known => Ok(known),
    }
}

/// The address of a website in one spelling.
fn address(text: &str) -> Result<String, ApiError> {
    let refused =
        || ApiError::field("/url", "is an http or https address of at most 500 characters");
    let url = Url::parse(text).map_err(|_| refused())?;
    let plain = matches!(url.scheme(), "http" | "https")
        && url.username().is_empty()
        && url.password().is_none();
    let long = text.chars().count() > MAX_URL || url.as_str().len() > MAX_URL;
    if plain && !long { Ok(url.into()) } else { Err(refused()) }
}
