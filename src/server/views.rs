//! Rows as the account API shows them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::domain::keys::RoleName;
use crate::domain::observed::SeatLimit;
use crate::profile::{self, Profile, Word as _};
use crate::server::change::domain;
use crate::server::change::seats::SeatCount;
use crate::server::change::token::VERSION;
use crate::server::error::ApiError;
use crate::server::ids;
use crate::server::permission::{Actor, At, Scope};
use crate::server::store::accounts::AccountRow;
use crate::server::store::audit::AuditRow;
use crate::server::store::domains::DomainRow;
use crate::server::store::invitations::{self, InvitationRow};
use crate::server::store::join_requests::JoinRequestRow;
use crate::server::store::members::MemberRow;
use crate::server::store::ownership_changes::{self, OwnershipChangeRow};
use crate::server::store::subscriptions::SubscriptionRow;
use crate::server::store::suggestions::SuggestionRow;
use crate::server::store::teams::TeamRow;
use crate::server::store::tokens::TokenRow;
use crate::server::store::users;
use crate::wire;

/// A member.
pub(crate) fn member(row: &MemberRow) -> wire::Member {
    wire::Member {
        id: row.id.clone(),
        etag: format!("\"{}\"", row.version),
        team: row.team_id.clone(),
        principal: row.principal,
        email: row.address.clone(),
        name: row.name.clone(),
        role: row.role.clone(),
        state: row.state,
        sign_in_method: None,
        added_at: row.added_at,
        joined_at: row.joined_at,
        trimmed_at: row.trimmed_at,
        external_ref: row.external_ref.clone(),
        ended_by: row.ended_by.clone(),
    }
}

/// A member with the way of signing in, where it is among `methods`. Its etag carries it, but
/// `If-Match` only weighs the version.
pub(crate) fn member_with(
    row: &MemberRow,
    methods: &BTreeMap<String, wire::SignInMethod>,
) -> wire::Member {
    let mut view = member(row);
    if row.principal == wire::Principal::Person
        && let Some(method) = methods.get(&row.address)
    {
        view.etag = format!("\"{}-{}\"", row.version, users::sign_in_word(*method));
        view.sign_in_method = Some(*method);
    }
    view
}

/// An invitation as it stands at `now`, with what can be done by who sees it.
///
/// Its etag also carries state, delivery and actions, which change without a new version: `If-Match`
/// only weighs the version, so that a mail going out spoils nobody's change.
pub(crate) fn invitation(
    row: &InvitationRow,
    now: Timestamp,
    actions: Vec<String>,
) -> wire::Invitation {
    let state = row.state_at(now);
    let word = invitations::state_word(state);
    wire::Invitation {
        id: row.id.clone(),
        etag: format!("\"{}-{word}-{}-{}\"", row.version, row.delivery, actions.join(".")),
        team: row.team_id.clone(),
        email: row.address.clone(),
        name: row.name.clone(),
        message: row.message.clone(),
        role: row.role.clone(),
        state,
        created_at: row.created_at,
        expires_at: row.expires_at,
        last_sent_at: row.last_sent_at,
        send_count: row.send_count,
        delivery: row.delivery.clone(),
        actions,
        external_ref: row.external_ref.clone(),
    }
}

/// A change of owner as it stands at `now`. As of an invitation, `If-Match` only weighs the version.
pub(crate) fn ownership_change(row: &OwnershipChangeRow, now: Timestamp) -> wire::OwnershipChange {
    let state = row.state_at(now);
    let word = ownership_changes::state_word(state);
    wire::OwnershipChange {
        id: row.id.clone(),
        etag: format!("\"{}-{word}\"", row.version),
        kind: row.kind,
        role: row.role.clone(),
        owner: row.owner_id.clone(),
        member: row.candidate_id.clone(),
        state,
        requested_by: row.requested_by.clone(),
        created_at: row.created_at,
        expires_at: row.expires_at,
        ended_at: row.ended_at,
        actions: if row.is_open_at(now) { vec!["cancel".to_owned()] } else { vec![] },
    }
}

/// A token, without its secret and its hash.
pub(crate) fn token(row: &TokenRow) -> wire::Token {
    wire::Token {
        id: row.id.clone(),
        etag: format!("\"{VERSION}\""),
        kind: row.kind,
        name: row.name.clone(),
        scopes: row.scopes.split(' ').map(str::to_owned).collect(),
        made_by: row.made_by.clone(),
        email: row.address.clone(),
        created_at: row.created_at,
        expires_at: row.expires_at,
    }
}

/// A subscription.
pub(crate) fn subscription(row: &SubscriptionRow) -> wire::Subscription {
    wire::Subscription {
        id: row.id.clone(),
        etag: format!("\"{}\"", row.version),
        plan: row.plan.clone(),
        state: row.state,
        created_at: row.created_at,
        period_end: row.period_end,
        ends_at: row.ends_at,
    }
}

/// A domain. Its etag also carries when it was checked, which changes without a new version.
pub(crate) fn domain(row: &DomainRow) -> wire::Domain {
    let checked = row.checked_at.map_or(0, Timestamp::as_microsecond);
    wire::Domain {
        id: row.id.clone(),
        etag: format!("\"{}-{checked}\"", row.version),
        name: row.name.clone(),
        state: row.state,
        auto_join: row.auto_join,
        challenge: domain::challenge(row),
        created_at: row.created_at,
        verified_at: row.verified_at,
        checked_at: row.checked_at,
    }
}

/// A join request.
pub(crate) fn join_request(row: &JoinRequestRow) -> wire::JoinRequest {
    wire::JoinRequest {
        id: row.id.clone(),
        etag: format!("\"{}\"", row.version),
        domain: row.domain.clone(),
        email: row.address.clone(),
        name: row.name.clone(),
        state: row.state,
        created_at: row.created_at,
        member: None,
    }
}

/// A team with what surrounds it. Its etag carries all of that; `If-Match` weighs the version.
pub(crate) fn team(
    row: &TeamRow,
    subscription: Option<&SubscriptionRow>,
    state: wire::TeamState,
    members: u32,
) -> Result<wire::Team, ApiError> {
    let linked = |row: &SubscriptionRow| wire::LinkedSubscription {
        id: row.id.clone(),
        plan: row.plan.clone(),
        state: row.state,
        period_end: row.period_end,
    };
    let mut view = wire::Team {
        id: row.id.clone(),
        etag: String::new(),
        name: row.name.clone(),
        external_ref: row.external_ref.clone(),
        subscription: subscription.map(linked),
        state,
        members,
        created_at: row.created_at,
    };
    view.etag = etag_of(row.version, &view)?;
    Ok(view)
}

/// A suggestion.
pub(crate) fn suggestion(row: &SuggestionRow) -> wire::Suggestion {
    wire::Suggestion {
        id: row.id.clone(),
        etag: format!("\"{}\"", row.version),
        team: row.team_id.clone(),
        email: row.address.clone(),
        name: row.name.clone(),
        role: row.role.clone(),
        state: row.state,
        suggested_by: row.suggested_by.clone(),
        created_at: row.created_at,
    }
}

/// The etag of a view that holds more than its row: a digest of all of it makes it strong.
fn etag_of(version: i64, view: &impl Serialize) -> Result<String, ApiError> {
    let digest = Sha256::digest(serde_json::to_vec(view)?);
    Ok(format!("\"{version}-{}\"", ids::hex(&digest[..8])))
}

/// The seats of an account, and of its subscriptions where seats belong to those.
pub(crate) fn seats(
    account: &AccountRow,
    count: &SeatCount,
    pools: &[(SubscriptionRow, SeatCount)],
) -> wire::Seats {
    wire::Seats {
        limit: seat_limit(count.limit),
        used: count.used,
        breakdown: count.breakdown.clone(),
        source: count.source.as_str().to_owned(),
        over_limit_since: account.over_limit_since,
        enforce_at: account.enforce_at,
        pools: pools.iter().map(|(row, count)| seat_pool(row, count)).collect(),
    }
}

/// The seats of one subscription.
fn seat_pool(row: &SubscriptionRow, count: &SeatCount) -> wire::SeatPool {
    wire::SeatPool {
        subscription: row.id.clone(),
        plan: row.plan.clone(),
        limit: seat_limit(count.limit),
        used: count.used,
        breakdown: count.breakdown.clone(),
    }
}

fn seat_limit(limit: SeatLimit) -> Option<u32> {
    match limit {
        SeatLimit::Seats(seats) => Some(seats),
        SeatLimit::Unlimited => None,
    }
}

/// An account, for the one who asks.
pub(crate) fn account(
    row: &AccountRow,
    profile: &Profile,
    (count, pools): (&SeatCount, &[(SubscriptionRow, SeatCount)]),
    subscriptions: &[SubscriptionRow],
    usage: Vec<wire::Usage>,
    actor: &Actor,
) -> Result<wire::Account, ApiError> {
    let mut view = wire::Account {
        id: row.id.clone(),
        slug: row.slug.clone(),
        name: row.name.clone(),
        etag: String::new(),
        profile: row.profile.clone(),
        profile_digest: profile.digest.clone(),
        state: match row.disabled {
            true => wire::AccountState::Disabled,
            false => wire::AccountState::Active,
        },
        created_at: row.created_at,
        agency: row.agency,
        secure_sign_in_required: row.secure_sign_in_since.is_some(),
        claim: row.claim.clone(),
        seats: seats(row, count, pools),
        subscriptions: subscriptions.iter().map(subscription).collect(),
        usage,
        caller: caller(actor),
        as_of: u64::try_from(row.position).ok(),
    };
    view.etag = etag_of(row.version, &view)?;
    Ok(view)
}

fn caller(actor: &Actor) -> wire::Caller {
    let word = |scope: &Scope| scope.word().to_owned();
    let mut scopes: Vec<_> = actor.scopes().into_iter().flatten().map(word).collect();
    if let Actor::Vendor { .. } = actor {
        scopes.push("vendor".to_owned());
    }
    let place = actor.person().and_then(|person| person.places.first());
    wire::Caller {
        scopes,
        role: place.map(|place| place.role.to_string()),
        member_id: place.map(|place| place.member_id.clone()),
        actor: Some(actor.label(At::Account)),
    }
}

/// The rules that a client compares with its own profile.
pub(crate) fn roles(profile: &Profile) -> wire::RoleList {
    let items = profile.roles.iter().zip(0..).map(|(role, rank)| wire::Role {
        name: role.name.to_string(),
        rank,
        invitable: role.invitable,
        permissions: role.permissions.iter().cloned().collect(),
    });
    wire::RoleList {
        items: items.collect(),
        plans: profile.plans.iter().map(plan).collect(),
        counts: profile.seats.counts.iter().map(|counted| counted.word().to_owned()).collect(),
        on_shrink: profile.seats.on_shrink.word().to_owned(),
    }
}

fn plan(plan: &profile::Plan) -> wire::Plan {
    wire::Plan { name: plan.name.to_string(), seats: seat_limit(plan.seats), paid: plan.paid }
}

/// A row of the audit log.
pub(crate) fn audit_event(row: &AuditRow) -> Result<wire::AuditEvent, ApiError> {
    let json = |text: &Option<String>| text.as_deref().map(serde_json::from_str).transpose();
    Ok(wire::AuditEvent {
        id: row.id.clone(),
        position: u64::try_from(row.position).unwrap_or_default(),
        at: row.at,
        actor: row.actor.clone(),
        action: row.action.clone(),
        subject: row.subject.clone(),
        before: json(&row.before)?,
        after: json(&row.after)?,
    })
}

/// An entry of the feed: the audit row without what the row was before and after.
pub(crate) fn feed_entry(row: &AuditRow) -> wire::FeedEntry {
    wire::FeedEntry {
        position: u64::try_from(row.position).unwrap_or_default(),
        at: row.at,
        actor: row.actor.clone(),
        action: row.action.clone(),
        subject: row.subject.clone(),
    }
}

/// The role of a stored word.
pub(crate) fn role_name(word: &str) -> RoleName {
    RoleName::from(word)
}
