//! Invitations: sent, resent, changed, revoked, accepted, declined, expired.

use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use crate::domain::identity::EmailAddress;
use crate::domain::keys::RoleName;
use crate::profile::{Profile, ResendLink, Scope, SecureSignInBy};
use crate::server::auth;
use crate::server::change::account::must_be_name;
use crate::server::change::invitation_actions::{must_give, must_invite};
use crate::server::change::joining::{self, Newcomer};
use crate::server::change::room::{self, Entry};
use crate::server::change::{
    Change, Precondition, invite_limit, member, notice, seats, secure_sign_in, suggestion,
};
use crate::server::error::ApiError;
use crate::server::mail::Template;
use crate::server::permission::{Actor, At, Right, Verb};
use crate::server::store::invitations::{self, InvitationRow};
use crate::server::store::members::{self, MemberRow};
use crate::server::store::outbox::MailRow;
use crate::server::views::{self, role_name};
use crate::wire::{
    Invitation, InvitationPatch, InvitationState, MAX_EXPIRES_IN, MAX_MESSAGE, MAX_REFERENCE,
    MIN_EXPIRES_IN, NewInvitation, Principal,
};

/// Invites a person and queues the mail. The seat is checked in the same transaction.
pub(crate) async fn invite(
    change: &mut Change,
    request: &NewInvitation,
) -> Result<InvitationRow, ApiError> {
    let NewInvitation { email, role, team, name, external_ref, .. } = request;
    let at = At::of(team.as_deref());
    change.must(Right::Invite, at)?;
    change.must_be_open(at).await?;
    let address = address(email)?;
    let role = known_role(&change.profile, role, team.as_deref(), "/team")?;
    if let Some(name) = name {
        must_be_name("/name", name)?;
    }
    must_be_message(request.message.as_deref())?;
    must_be_lifetime(request.expires_in_seconds)?;
    must_be_reference(external_ref.as_deref())?;
    must_be_invitable(change, at, &role)?;
    must_be_new(change, team.as_deref(), address.as_str()).await?;
    let known = joining::known(change, address.as_str()).await?;
    let entry = if known.is_some() { Entry::AtOnce } else { Entry::Invited };
    room::must_have_room(change, at, address.as_str(), entry).await?;
    if known.is_some() {
        member::must_fit_holders(change, &role).await?;
    }

    let mut row = new_row(change, request, &address)?;
    if known.is_some() {
        (row.send_count, row.delivery) = (0, "none".to_owned());
    } else {
        invite_limit::must_fit(change, &row.address).await?;
    }
    create(change, std::slice::from_mut(&mut row)).await?;
    if row.secure_sign_in {
        secure_sign_in::set(change, true, SecureSignInBy::Invitation).await?;
    }
    match known {
        Some(person) => Ok(take(change, row, person.name, "member.added").await?.0),
        None => Ok(row),
    }
}

/// The invitation that a request asks for.
pub(crate) fn new_row(
    change: &Change,
    request: &NewInvitation,
    address: &EmailAddress,
) -> Result<InvitationRow, ApiError> {
    let expires_in = request.expires_in_seconds.and_then(|seconds| i64::try_from(seconds).ok());
    Ok(InvitationRow {
        id: change.id("inv"),
        account_id: change.account.id.clone(),
        team_id: request.team.clone(),
        address: address.as_str().to_owned(),
        name: request.name.clone(),
        message: request.message.clone(),
        expires_in,
        role: request.role.clone(),
        state: InvitationState::Pending,
        secure_sign_in: request.require_secure_sign_in,
        inviter: change.actor.label(At::of(request.team.as_deref())),
        generation: 1,
        created_at: change.now,
        expires_at: expiry(change, expires_in)?,
        last_sent_at: change.now,
        send_count: 1,
        delivery: "queued".to_owned(),
        last_mail: None,
        external_ref: request.external_ref.clone(),
        version: 1,
    })
}

/// Puts in invitations of one scope and role, and queues their mails.
pub(crate) async fn create(
    change: &mut Change,
    rows: &mut [InvitationRow],
) -> Result<(), ApiError> {
    let mut mails = Vec::new();
    for row in rows.iter_mut().filter(|row| row.send_count > 0) {
        let mail = mail(change, Template::Invitation, row)?;
        row.last_mail = Some(mail.id.clone());
        mails.push(mail);
    }
    change.queue(&mails).await?;
    invitations::insert(change.conn(), rows).await?;
    let now = change.now;
    let views = rows.iter().map(|row| (row.id.as_str(), logged(row, now)));
    change.record_new("invitation.created", views).await?;
    for row in rows.iter() {
        settle_suggestion(change, row).await?;
    }
    Ok(())
}

/// Who is suggested for a team is settled by an invitation to it.
async fn settle_suggestion(change: &mut Change, row: &InvitationRow) -> Result<(), ApiError> {
    let Some(team_id) = &row.team_id else { return Ok(()) };
    suggestion::settle_open(change, team_id, &row.address).await
}

fn mail(change: &Change, template: Template, row: &InvitationRow) -> Result<MailRow, ApiError> {
    change.mail_row(template, &row.id, &row.address, json!({ "role": row.role }))
}

/// Turns an invitation into a membership.
async fn take(
    change: &mut Change,
    before: InvitationRow,
    name: Option<String>,
    action: &str,
) -> Result<(InvitationRow, MemberRow), ApiError> {
    let row = InvitationRow { state: InvitationState::Accepted, ..before.clone() };
    let row = save(change, "invitation.accepted", &before, row).await?;
    let newcomer = Newcomer {
        team_id: row.team_id.clone(),
        address: row.address.clone(),
        name,
        role: role_name(&row.role),
        added_at: row.created_at,
        external_ref: row.external_ref.clone(),
    };
    let member = joining::enter(change, newcomer, action).await?;
    Ok((row, member))
}

/// Sends the invitation again; who does that stands for it from now on. An expired one takes its
/// seat again.
pub(crate) async fn resend(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<InvitationRow, ApiError> {
    let mut before = existing(change, id, Some(Right::Invite), precondition).await?;
    let team_id = before.team_id.clone();
    let at = At::of(team_id.as_deref());
    change.must_be_open(at).await?;
    let mut row = before.clone();
    must_be_invitable(change, at, &role_name(&row.role))?;
    match row.state_at(change.now) {
        InvitationState::Pending => (),
        InvitationState::Expired | InvitationState::Failed => {
            if row.state == InvitationState::Pending {
                before = expire(change, row).await?;
                row = before.clone();
            }
            must_be_new(change, team_id.as_deref(), &row.address.clone()).await?;
            room::must_have_room(change, at, &row.address, Entry::Invited).await?;
            row.state = InvitationState::Pending;
        }
        state => return Err(ApiError::InvitationState { state: invitations::state_word(state) }),
    }
    if change.profile.invitations.resend == ResendLink::NewLink {
        row.generation += 1;
    }
    row.inviter = change.actor.label(at);
    row.expires_at = expiry(change, row.expires_in)?;
    row.last_sent_at = change.now;
    row.send_count += 1;
    row.delivery = "queued".to_owned();
    invite_limit::must_fit(change, &row.address).await?;
    let mail = mail(change, Template::Resend, &row)?;
    change.queue(std::slice::from_ref(&mail)).await?;
    row.last_mail = Some(mail.id);
    settle_suggestion(change, &row).await?;
    save(change, "invitation.resent", &before, row).await
}

/// Gives another role to an invitation that waits, for which the actor stands from now on; sends no
/// mail (X15).
pub(crate) async fn change_role(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
    request: &InvitationPatch,
) -> Result<InvitationRow, ApiError> {
    let InvitationPatch { role } = request;
    let before = existing(change, id, Some(Right::ChangeRoles), precondition).await?;
    let at = At::of(before.team_id.as_deref());
    change.must_be_open(at).await?;
    must_wait(&before, change.now)?;
    let role = known_role(&change.profile, role, before.team_id.as_deref(), "/role")?;
    let old = role_name(&before.role);
    must_give(&change.actor, &change.profile, at, &old, &role)?;
    if role == old {
        return Ok(before);
    }
    let inviter = change.actor.label(at);
    let row = InvitationRow { role: role.to_string(), inviter, ..before.clone() };
    save(change, "invitation.role_changed", &before, row).await
}

/// Withdraws an invitation: its link stops working, its seat is free.
pub(crate) async fn revoke(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<InvitationRow, ApiError> {
    let row = existing(change, id, Some(Right::Remove), precondition).await?;
    match row.state_at(change.now) {
        InvitationState::Pending | InvitationState::Expired | InvitationState::Failed => (),
        state => return Err(ApiError::InvitationState { state: invitations::state_word(state) }),
    }
    let at = At::of(row.team_id.as_deref());
    change.actor.must_reach(Verb::Remove, at, &change.profile, &role_name(&row.role))?;
    let row = withdraw(change, row).await?;
    seats::settle(change).await?;
    Ok(row)
}

/// Revokes without asking who does it.
pub(crate) async fn withdraw(
    change: &mut Change,
    before: InvitationRow,
) -> Result<InvitationRow, ApiError> {
    let row = InvitationRow { state: InvitationState::Revoked, ..before.clone() };
    save(change, "invitation.revoked", &before, row).await
}

/// Makes the invited person a member. Everything that the invitation was checked for is checked
/// again; accepting twice gives one member.
pub(crate) async fn accept(
    change: &mut Change,
    id: &str,
    name: &str,
) -> Result<MemberRow, ApiError> {
    let before = existing(change, id, None, &Precondition::Unchecked).await?;
    must_wait(&before, change.now)?;
    let team_id = before.team_id.clone();
    change.must_be_open(At::of(team_id.as_deref())).await?;
    let role = known_role(&change.profile, &before.role, team_id.as_deref(), "/role")?;
    must_still_be_given(change, &before, &role).await?;
    let account_id = change.account.id.clone();
    let there =
        members::by_address(change.conn(), &account_id, team_id.as_deref(), &before.address);
    if let Some(there) = there.await? {
        return Err(member::already(&there));
    }
    member::must_fit_holders(change, &role).await?;
    let address = before.address.clone();
    room::must_have_room(change, At::of(team_id.as_deref()), &address, Entry::Accepting).await?;
    let (_, row) = take(change, before, Some(name.to_owned()), "member.joined").await?;
    seats::settle(change).await?;
    Ok(row)
}

/// The invited person says no.
pub(crate) async fn decline(change: &mut Change, id: &str) -> Result<InvitationRow, ApiError> {
    let before = existing(change, id, None, &Precondition::Unchecked).await?;
    must_wait(&before, change.now)?;
    let row = InvitationRow { state: InvitationState::Declined, ..before.clone() };
    let row = save(change, "invitation.declined", &before, row).await?;
    seats::settle(change).await?;
    Ok(row)
}

/// Notes that the mail `mail` cannot be delivered. If it is the last one of an invitation that
/// waits, the invitation has failed and its seat is free.
pub(crate) async fn fail(change: &mut Change, mail: &str) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    let Some(before) = invitations::by_mail(change.conn(), &account_id, mail).await? else {
        return Ok(());
    };
    if before.state_at(change.now) != InvitationState::Pending {
        return Ok(invitations::note_delivery(change.conn(), mail, "failed").await?);
    }
    let (state, delivery) = (InvitationState::Failed, "failed".to_owned());
    let row = InvitationRow { state, delivery, ..before.clone() };
    save(change, "invitation.failed", &before, row).await?;
    seats::settle(change).await
}

/// Marks every overdue invitation of the account.
pub(crate) async fn expire_overdue(change: &mut Change) -> Result<(), ApiError> {
    let (account_id, now) = (change.account.id.clone(), change.now);
    for row in invitations::overdue(change.conn(), &account_id, now).await? {
        lapse(change, row).await?;
    }
    Ok(())
}

/// Revokes everything that waits, without asking who does it.
pub(crate) async fn revoke_all(change: &mut Change) -> Result<(), ApiError> {
    expire_overdue(change).await?;
    let (account_id, now) = (change.account.id.clone(), change.now);
    for row in invitations::pending_newest_first(change.conn(), &account_id, now).await? {
        withdraw(change, row).await?;
    }
    Ok(())
}

/// Revokes what the person of this membership sent and could not send any more.
pub(crate) async fn revoke_beyond(
    change: &mut Change,
    inviter_row: &MemberRow,
) -> Result<(), ApiError> {
    let (account_id, label) = (change.account.id.clone(), format!("member:{}", inviter_row.id));
    let inviter = inviter(change, &inviter_row.id).await?;
    for row in invitations::pending_by(change.conn(), &account_id, &label).await? {
        let at = At::of(row.team_id.as_deref());
        let still = inviter.as_ref().is_some_and(|inviter| {
            inviter.must(Right::Invite, at, &change.profile).is_ok()
                && inviter
                    .must_reach(Verb::Invite, at, &change.profile, &role_name(&row.role))
                    .is_ok()
        });
        if !still {
            withdraw(change, row).await?;
        }
    }
    Ok(())
}

async fn existing(
    change: &mut Change,
    id: &str,
    right: Option<Right>,
    precondition: &Precondition,
) -> Result<InvitationRow, ApiError> {
    let account_id = change.account.id.clone();
    let row = invitations::by_id(change.conn(), &account_id, id).await?;
    let row = row.ok_or(ApiError::NotFound)?;
    if let Some(right) = right {
        change.must(right, At::of(row.team_id.as_deref()))?;
    }
    precondition.check(row.version)?;
    Ok(row)
}

fn must_wait(row: &InvitationRow, now: Timestamp) -> Result<(), ApiError> {
    match row.state_at(now) {
        InvitationState::Pending => Ok(()),
        state => Err(ApiError::InvitationState { state: invitations::state_word(state) }),
    }
}

/// The inviter may have lost the right meanwhile.
async fn must_still_be_given(
    change: &mut Change,
    row: &InvitationRow,
    role: &RoleName,
) -> Result<(), ApiError> {
    let Some(id) = row.inviter.strip_prefix("member:") else { return Ok(()) };
    let inviter = inviter(change, id).await?.ok_or(ApiError::BeyondManage)?;
    let at = At::of(row.team_id.as_deref());
    inviter.must(Right::Invite, at, &change.profile)?;
    inviter.must_reach(Verb::Invite, at, &change.profile, role)
}

/// The person behind a membership, with the rights of this moment.
async fn inviter(change: &mut Change, member_id: &str) -> Result<Option<Actor>, ApiError> {
    let account_id = change.account.id.clone();
    let Some(row) = members::by_id(change.conn(), &account_id, member_id).await? else {
        return Ok(None);
    };
    let person = match row.principal {
        Principal::Account => auth::agency(&row, &row.address),
        Principal::Person | Principal::Unknown => {
            auth::person(change.conn(), &account_id, &row.address).await?
        }
    };
    Ok(person.map(Actor::Person))
}

/// Refuses a person who is in or invited already, under whatever spelling (OP-09).
pub(crate) async fn must_be_new(
    change: &mut Change,
    team_id: Option<&str>,
    address: &str,
) -> Result<(), ApiError> {
    let account_id = change.account.id.clone();
    if let Some(row) = members::by_address(change.conn(), &account_id, team_id, address).await? {
        return Err(member::already(&row));
    }
    let waiting = invitations::pending_of(change.conn(), &account_id, team_id, address).await?;
    if let Some(row) = waiting {
        if row.expires_at > change.now {
            let href = format!("/v1/accounts/{account_id}/invitations/{}", row.id);
            return Err(ApiError::AlreadyPending { href });
        }
        // The index that keeps one pending a person cannot see time.
        lapse(change, row).await?;
    }
    Ok(())
}

/// True if an invitation of this person waits.
pub(crate) async fn waits(
    change: &mut Change,
    team_id: Option<&str>,
    address: &str,
) -> Result<bool, ApiError> {
    let account_id = change.account.id.clone();
    let waiting = invitations::pending_of(change.conn(), &account_id, team_id, address).await?;
    Ok(waiting.is_some_and(|row| row.expires_at > change.now))
}

/// Withdraws the invitation that waits for a place which the person takes in another way.
pub(crate) async fn settle_pending(
    change: &mut Change,
    team_id: Option<&str>,
    address: &str,
) -> Result<Option<InvitationRow>, ApiError> {
    let account_id = change.account.id.clone();
    let waiting = invitations::pending_of(change.conn(), &account_id, team_id, address).await?;
    let Some(row) = waiting else { return Ok(None) };
    if row.expires_at <= change.now {
        lapse(change, row).await?;
        return Ok(None);
    }
    withdraw(change, row).await.map(Some)
}

/// Refuses what cannot be shown to the person in one line.
fn must_be_message(message: Option<&str>) -> Result<(), ApiError> {
    let Some(message) = message else { return Ok(()) };
    let long = !(1..=MAX_MESSAGE).contains(&message.chars().count());
    if long || message.chars().any(char::is_control) || message.trim().is_empty() {
        return Err(ApiError::field("/message", "has 1 to 500 printable characters in one line"));
    }
    Ok(())
}

/// Refuses a lifetime that no mail could keep, or that the contract excludes. Longer than the profile's
/// it is the profile's.
fn must_be_lifetime(seconds: Option<u64>) -> Result<(), ApiError> {
    if seconds.is_some_and(|seconds| !(MIN_EXPIRES_IN..=MAX_EXPIRES_IN).contains(&seconds)) {
        let detail = format!("is between {MIN_EXPIRES_IN} and {MAX_EXPIRES_IN}");
        return Err(ApiError::field("/expires_in_seconds", detail));
    }
    Ok(())
}

/// Refuses an external reference that is empty or too long.
pub(crate) fn must_be_reference(reference: Option<&str>) -> Result<(), ApiError> {
    let length = reference.map(|text| text.chars().count());
    if length.is_some_and(|length| !(1..=MAX_REFERENCE).contains(&length)) {
        return Err(ApiError::field("/external_ref", "has 1 to 128 characters"));
    }
    Ok(())
}

/// Refuses a role that is not given like this, or not by who asks.
pub(crate) fn must_be_invitable(
    change: &Change,
    at: At<'_>,
    role: &RoleName,
) -> Result<(), ApiError> {
    must_invite(&change.actor, &change.profile, at, role)
}

/// Marks an overdue invitation and tells the inviter.
async fn lapse(change: &mut Change, row: InvitationRow) -> Result<(), ApiError> {
    let row = expire(change, row).await?;
    notice::invitation_expired(change, &row).await
}

async fn expire(change: &mut Change, before: InvitationRow) -> Result<InvitationRow, ApiError> {
    let row = InvitationRow { state: InvitationState::Expired, ..before.clone() };
    save(change, "invitation.expired", &before, row).await
}

/// When a link of now stops working: after the invitation's own lifetime, as long as the profile's
/// is not shorter by now.
fn expiry(change: &Change, own: Option<i64>) -> Result<Timestamp, ApiError> {
    let lifetime = SignedDuration::try_from(change.profile.invitations.lifetime).ok();
    let lifetime =
        lifetime.map(|most| own.map_or(most, |own| SignedDuration::from_secs(own).min(most)));
    lifetime
        .and_then(|lifetime| change.now.checked_add(lifetime).ok())
        .ok_or(ApiError::Corrupt("invitations.lifetime"))
}

async fn save(
    change: &mut Change,
    action: &str,
    before: &InvitationRow,
    mut row: InvitationRow,
) -> Result<InvitationRow, ApiError> {
    row.version += 1;
    invitations::update(change.conn(), before, &row).await?;
    let now = change.now;
    let (old, new) = (logged(before, now), logged(&row, now));
    change.record(action, &row.id, Some(old), Some(new)).await?;
    Ok(row)
}

/// An invitation for audit log and feed. What was written to the person is for the person; what can
/// be done with the invitation is a matter of who asks.
fn logged(row: &InvitationRow, now: Timestamp) -> Invitation {
    Invitation { message: None, ..views::invitation(row, now, vec![]) }
}

/// The person of a request's `email`.
pub(crate) fn address(text: &str) -> Result<EmailAddress, ApiError> {
    EmailAddress::parse(text).map_err(|error| ApiError::field("/email", error.to_string()))
}

/// The role of a request, if the profile has it for this scope. `place` is the field that says the
/// scope, or the role where none does.
pub(crate) fn known_role(
    profile: &Profile,
    name: &str,
    team_id: Option<&str>,
    place: &str,
) -> Result<RoleName, ApiError> {
    let name = role_name(name);
    let scope = if team_id.is_some() { Scope::Team } else { Scope::Account };
    match profile.role(&name) {
        Some(role) if role.scope == scope => Ok(name),
        Some(_) if scope == Scope::Team => {
            Err(ApiError::field(place, "does not fit: the role holds for the whole account"))
        }
        Some(_) => Err(ApiError::field(place, "does not fit: the role holds in one team")),
        None => {
            let known: Vec<_> = profile.roles.iter().map(|role| role.name.as_str()).collect();
            let detail = format!("is not a role of this account; there are {}", known.join(", "));
            Err(ApiError::field("/role", detail))
        }
    }
}
