//! Categories of mail and their recipients over the account API.

use std::collections::BTreeMap;

use http::{Method, StatusCode};

use crate::backend::BackendError;
use crate::backend::Executed;
use crate::backend::account_api::{AccountApi, row_gone};
use crate::backend::call::Call;
use crate::backend::problem;
use crate::backend::rows;
use crate::domain::keys::{CategoryName, MemberId, RoleName};
use crate::domain::recipients::{ObservedCategory, ReceivesBy};
use crate::plan::notification::{RecipientAction, RecipientChange};
use crate::wire;

/// Reads all categories with all who receive them. An account without them is one that we know
/// nothing of: it was there a moment ago.
pub(super) async fn read(
    api: &AccountApi,
    account: &str,
) -> Result<BTreeMap<CategoryName, ObservedCategory>, BackendError> {
    let path = format!("/v1/accounts/{account}/notification-categories");
    let answer = api.ask(Call::new(Method::GET, path)).await;
    let list: wire::CategoryList = answer.map_err(|error| match error {
        BackendError::NoSuchAccount => BackendError::Rejected { code: "not-found".to_owned() },
        other => other,
    })?;
    let mut categories = BTreeMap::new();
    for category in list.items {
        let name = CategoryName(category.name.clone());
        if categories.insert(name, observed(category)?).is_some() {
            return Err(BackendError::Malformed { what: "a row that came twice" });
        }
    }
    Ok(categories)
}

fn observed(category: wire::Category) -> Result<ObservedCategory, BackendError> {
    let mut recipients = BTreeMap::new();
    for wire::Recipient { member, implied, chosen } in category.recipients {
        let member = MemberId(rows::id(&member)?.to_owned());
        if recipients.insert(member, ReceivesBy { implied, chosen }).is_some() {
            return Err(BackendError::Malformed { what: "a row that came twice" });
        }
    }
    let open_to = category.open_to.into_iter().map(RoleName).collect();
    Ok(ObservedCategory { open_to, recipients })
}

/// Runs one action on a recipient, once. It mails nobody, and twice is the same as once.
pub(super) async fn execute(
    api: &AccountApi,
    account: &str,
    action: &RecipientAction,
) -> Result<Executed, BackendError> {
    let (category, member) =
        (rows::id(action.category.as_str())?, rows::id(action.member.as_str())?);
    let path =
        format!("/v1/accounts/{account}/notification-categories/{category}/recipients/{member}");
    match action.change {
        RecipientChange::Remove => api.end(account, Call::new(Method::DELETE, path)).await,
        RecipientChange::Add => {
            let answer = api.exchange(Call::new(Method::PUT, path)).await?;
            match answer.status() {
                StatusCode::NO_CONTENT => Ok(Executed::Recipient),
                status if status.is_success() => {
                    Err(BackendError::Malformed { what: "an answer that does not show the change" })
                }
                _ => Err(row_gone(problem::error(&answer))),
            }
        }
    }
}
