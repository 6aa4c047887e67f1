//! Recipients of categories of mail: chosen by somebody, or implied by their role (NP-10, NP-11).

use serde_json::json;

use crate::profile::{self, Profile, Word as _};
use crate::server::change::Change;
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::store::members::{self, MemberRow};
use crate::server::store::{Connection, recipients};
use crate::server::views::role_name;
use crate::wire::{Category, MemberState, Recipient};

/// Makes a member a recipient. Who is one by role already can be chosen too, and stays one when the
/// role goes.
pub(crate) async fn add(change: &mut Change, category: &str, id: &str) -> Result<(), ApiError> {
    let (rules, member) = found(change, category, id).await?;
    change.must_be_enabled()?;
    if !rules.open_to.contains(&role_name(&member.role)) {
        return Err(ApiError::RecipientNotOpen);
    }
    let account_id = change.account.id.clone();
    if !recipients::put(change.conn(), &account_id, category, id).await? {
        return Ok(());
    }
    let after = json!({ "category": category, "member": id });
    change.record("recipient.added", id, None::<()>, Some(after)).await
}

/// Takes a recipient away, unless the role implies it.
pub(crate) async fn remove(change: &mut Change, category: &str, id: &str) -> Result<(), ApiError> {
    let (_, member) = found(change, category, id).await?;
    if is_implied(&change.profile, category, &member.role) {
        return Err(ApiError::RecipientImplied);
    }
    let account_id = change.account.id.clone();
    if !recipients::delete(change.conn(), &account_id, category, id).await? {
        return Ok(());
    }
    let before = json!({ "category": category, "member": id });
    change.record("recipient.removed", id, Some(before), None::<()>).await
}

/// The categories of an account with all who receive them.
pub(crate) async fn categories(
    conn: &mut Connection,
    account_id: &str,
    profile: &Profile,
) -> Result<Vec<Category>, ApiError> {
    let chosen = recipients::chosen(conn, account_id).await?;
    let mut all = Vec::new();
    for category in &profile.categories {
        let mut receivers = Vec::new();
        for role in profile.roles.iter().filter(|role| role.receives.contains(&category.name)) {
            for row in members::holders(conn, account_id, role.name.as_str()).await? {
                receivers.push(Recipient { member: row.id, implied: true, chosen: false });
            }
        }
        for (_, id, role) in chosen.iter().filter(|(name, ..)| *name == category.name) {
            if !category.open_to.contains(&role_name(role)) {
                continue;
            }
            match receivers.iter_mut().find(|there| there.member == *id) {
                Some(there) => there.chosen = true,
                None => receivers.push(Recipient {
                    member: id.clone(),
                    implied: is_implied(profile, &category.name, role),
                    chosen: true,
                }),
            }
        }
        receivers.sort_by(|a, b| a.member.cmp(&b.member));
        all.push(Category {
            name: category.name.clone(),
            title: category.title.clone(),
            about: category.about.word().to_owned(),
            open_to: category.open_to.iter().map(ToString::to_string).collect(),
            recipients: receivers,
        });
    }
    Ok(all)
}

/// True if the role receives the category by itself.
fn is_implied(profile: &Profile, category: &str, role: &str) -> bool {
    profile.role(&role_name(role)).is_some_and(|role| role.receives.contains(category))
}

async fn found(
    change: &mut Change,
    category: &str,
    id: &str,
) -> Result<(profile::Category, MemberRow), ApiError> {
    change.must(Right::ManageRecipients, At::Account)?;
    let rules = change.profile.category(category).cloned().ok_or(ApiError::NotFound)?;
    let account_id = change.account.id.clone();
    let row = members::by_id(change.conn(), &account_id, id).await?;
    let row = row.filter(|row| row.state != MemberState::Deleted).ok_or(ApiError::NotFound)?;
    Ok((rules, row))
}
