//! Permission checks: may this member do that, and why not?

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use crate::profile::{Meter, PermissionKind, Pool};
use crate::server::SharedService;
use crate::server::auth::Call;
use crate::server::change::{meter, team};
use crate::server::error::ApiError;
use crate::server::permission::{At, Right};
use crate::server::routes::Look;
use crate::server::routes::answer::{self, KeyRule};
use crate::server::routes::body::Body;
use crate::server::routes::operation::{OfAccount, Operation};
use crate::server::store::members::{self, MemberRow};
use crate::server::store::teams::{self, TeamRow};
use crate::server::views::role_name;
use crate::wire::{MemberState, PermissionAnswer, PermissionCheck, Refusal, TeamState};

/// The operation.
pub(crate) fn operations() -> Vec<Operation> {
    // It changes nothing: there is nothing to keep under a key.
    let check = Operation::post("/accounts/{account}/permission-checks", check);
    vec![
        Operation { key: KeyRule::None, ..check }
            .named("checkPermission", "Whether a member may do something now, and why not")
            .needs(Right::ReadAccount)
            .takes::<PermissionCheck>()
            .gives::<PermissionAnswer>(StatusCode::OK),
    ]
}

async fn check(
    State(service): State<SharedService>,
    Path(id): OfAccount,
    call: Call,
    body: Body<PermissionCheck>,
) -> Result<Response, ApiError> {
    let PermissionCheck { member, team, permission } = &body.value;
    let mut look = Look::begin(&service, &id, &call.actor, Right::ReadAccount, At::Account).await?;
    let account_id = look.account.id.clone();
    let row = members::by_id(look.conn(), &account_id, member).await?;
    let row = row.ok_or_else(|| ApiError::field("/member", "is not a member of this account"))?;
    if call.actor.person().is_some_and(|person| !person.is(&row.id)) {
        look.must(&call.actor, Right::ReadMembers, At::of(row.team_id.as_deref()))?;
    }
    let kind = look.profile.permission_kind(permission).ok_or_else(|| {
        let detail = "is neither a permission of this account's profile nor one of the service";
        ApiError::field("/permission", detail)
    })?;
    let team = match team.as_deref().or(row.team_id.as_deref()) {
        None => None,
        Some(id) => {
            let team = teams::by_id(look.conn(), &account_id, id).await?;
            Some(team.ok_or_else(|| ApiError::field("/team", "is not a team of this account"))?)
        }
    };
    let reason = refusal(&mut look, &row, team.as_ref(), (permission, kind)).await?;
    let answer = PermissionAnswer { allowed: reason.is_none(), reason };
    answer::json(StatusCode::OK, None, &answer)
}

async fn refusal(
    look: &mut Look,
    row: &MemberRow,
    team: Option<&TeamRow>,
    (permission, kind): (&str, PermissionKind),
) -> Result<Option<Refusal>, ApiError> {
    let profile = look.profile.clone();
    let elsewhere = row.team_id.as_deref().is_some_and(|own| team.is_none_or(|at| at.id != own));
    let of_member = match row.state {
        MemberState::Deleted | MemberState::Unknown => Some(Refusal::NotMember),
        MemberState::Trimmed => Some(Refusal::Trimmed),
        MemberState::Active if elsewhere => Some(Refusal::OtherTeam),
        MemberState::Active if !profile.permits(&role_name(&row.role), permission) => {
            Some(Refusal::Role)
        }
        MemberState::Active => None,
    };
    if of_member.is_some() || kind.stays() {
        return Ok(of_member);
    }
    if look.account.disabled {
        return Ok(Some(Refusal::AccountDisabled));
    }
    if let Some(team) = team {
        match team::state(look.conn(), team, &profile).await? {
            TeamState::Active => (),
            TeamState::Pending => return Ok(Some(Refusal::TeamPending)),
            TeamState::Inactive | TeamState::Unknown => return Ok(Some(Refusal::TeamInactive)),
        }
    }
    match profile.meter_of(permission) {
        Some(meter) if is_full(look, team, meter).await? => Ok(Some(Refusal::MeterFull)),
        _ => Ok(None),
    }
}

async fn is_full(look: &mut Look, team: Option<&TeamRow>, meter: &Meter) -> Result<bool, ApiError> {
    let (account, profile, now) = (look.account.clone(), look.profile.clone(), look.now);
    let subscription = match (profile.seats.pool, team) {
        (Pool::Subscription, Some(team)) => team.subscription_id.as_deref(),
        (Pool::Subscription, None) => {
            let detail = "is missing: how much is left depends on the team's subscription";
            return Err(ApiError::field("/team", detail));
        }
        (Pool::Account | Pool::None, _) => None,
    };
    let all = meter::usage(look.conn(), &account, &profile, now).await?;
    let counted = all
        .iter()
        .find(|usage| usage.meter == meter.name && usage.subscription.as_deref() == subscription);
    Ok(counted.is_some_and(|usage| meter::is_full(usage, meter)))
}
