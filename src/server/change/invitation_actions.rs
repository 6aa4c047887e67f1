//! What a caller can do with an invitation now: the right, the reach of the profile's `manage`, the
//! account and the team, as the changes themselves weigh them.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::domain::keys::RoleName;
use crate::profile::{Profile, Scope};
use crate::server::change::{Change, member, team};
use crate::server::error::ApiError;
use crate::server::permission::{Actor, At, Right, Verb};
use crate::server::store::Connection;
use crate::server::store::accounts::AccountRow;
use crate::server::store::invitations::InvitationRow;
use crate::server::views::{self, role_name};
use crate::wire::{Invitation, InvitationState};

/// A caller in an account.
pub(crate) struct Standing {
    actor: Actor,
    profile: Arc<Profile>,
    now: Timestamp,
    account_id: String,
    disabled: bool,
    /// Teams in which nobody is invited now.
    closed: BTreeSet<String>,
}

impl Standing {
    /// A caller in an account, in which all teams are open.
    pub fn new(
        account: &AccountRow,
        profile: &Arc<Profile>,
        actor: &Actor,
        now: Timestamp,
    ) -> Self {
        Self {
            actor: actor.clone(),
            profile: Arc::clone(profile),
            now,
            account_id: account.id.clone(),
            disabled: account.disabled,
            closed: BTreeSet::new(),
        }
    }

    /// As [`Standing::new`], with these teams as they are, all of them read at once.
    pub async fn among<'a>(
        mut self,
        conn: &mut Connection,
        teams: impl Iterator<Item = &'a str>,
    ) -> Result<Self, ApiError> {
        let teams: BTreeSet<&str> = teams.collect();
        self.closed = team::closed(conn, &self.profile, &self.account_id, &teams).await?;
        Ok(self)
    }

    /// Who makes a change, with the team that it is in.
    pub async fn of_change(change: &mut Change, team: Option<&str>) -> Result<Self, ApiError> {
        let own = Self::new(&change.account, &change.profile, &change.actor, change.now);
        own.among(change.conn(), team.into_iter()).await
    }

    /// An invitation for this caller.
    pub fn view(&self, row: &InvitationRow) -> Invitation {
        let actions = self.actions(row).into_iter().map(str::to_owned).collect();
        views::invitation(row, self.now, actions)
    }

    /// What this caller can do with an invitation now.
    pub fn actions(&self, row: &InvitationRow) -> Vec<&'static str> {
        let (actor, profile) = (&self.actor, &self.profile);
        let (at, role) = (At::of(row.team_id.as_deref()), role_name(&row.role));
        let may = |right| actor.must(right, at, profile).is_ok();
        let closed = row.team_id.as_ref().is_some_and(|team| self.closed.contains(team));
        let open = !self.disabled && !closed;
        let (waits, there) = match row.state_at(self.now) {
            InvitationState::Pending => (true, true),
            InvitationState::Expired | InvitationState::Failed => (false, true),
            InvitationState::Accepted
            | InvitationState::Declined
            | InvitationState::Revoked
            | InvitationState::Unknown => (false, false),
        };
        let reached = actor.must_reach(Verb::Remove, at, profile, &role).is_ok();
        let resend = open && may(Right::Invite) && must_invite(actor, profile, at, &role).is_ok();
        let revoke = may(Right::Remove) && reached;
        let change = waits && open && may(Right::ChangeRoles) && self.has_other(at, &role);
        let all = [("resend", resend), ("revoke", revoke), ("change-role", change)];
        all.into_iter().filter(|(_, can)| there && *can).map(|(action, _)| action).collect()
    }

    /// True if there is another role that this caller could give instead.
    fn has_other(&self, at: At<'_>, old: &RoleName) -> bool {
        let scope = if at == At::Account { Scope::Account } else { Scope::Team };
        let mut others =
            self.profile.roles.iter().filter(|role| role.scope == scope && role.name != *old);
        others.any(|new| must_give(&self.actor, &self.profile, at, old, &new.name).is_ok())
    }
}

/// An invitation for who makes a change.
pub(crate) async fn view(change: &mut Change, row: &InvitationRow) -> Result<Invitation, ApiError> {
    Ok(Standing::of_change(change, row.team_id.as_deref()).await?.view(row))
}

/// Refuses a role that no invitation gives, or not one by this actor.
pub(crate) fn must_invite(
    actor: &Actor,
    profile: &Profile,
    at: At<'_>,
    role: &RoleName,
) -> Result<(), ApiError> {
    if !profile.role(role).is_some_and(|role| role.invitable) {
        return Err(ApiError::NotInvitable);
    }
    actor.must_reach(Verb::Invite, at, profile, role)
}

/// Refuses to put a role in an invitation that waits in place of another.
pub(crate) fn must_give(
    actor: &Actor,
    profile: &Profile,
    at: At<'_>,
    old: &RoleName,
    new: &RoleName,
) -> Result<(), ApiError> {
    must_invite(actor, profile, at, new)?;
    actor.must_reach(Verb::Change, at, profile, old)?;
    actor.must_reach(Verb::Change, at, profile, new)?;
    member::must_demote(actor, profile, old, new)
}
