//! Client of the account API, over any [`Transport`].
//!
//! A read is complete or an error. A write is sent once; whoever sent it reads the outcome from
//! [`BackendError::outcome_unknown`]. Nothing of an answer's text gets into errors.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use http::{Method, Response, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::backend::Backend;
use crate::backend::BackendError;
use crate::backend::Executed;
use crate::backend::Guarantees;
use crate::backend::call::{Call, json};
use crate::backend::clients;
use crate::backend::domains;
use crate::backend::endings;
use crate::backend::joining;
use crate::backend::owners;
use crate::backend::pace::Share;
use crate::backend::pages;
use crate::backend::problem;
use crate::backend::recipients;
use crate::backend::rows;
use crate::backend::teams;
use crate::backend::transport::{Transport, TransportError};
use crate::domain::clients::ObservedClient;
use crate::domain::domains::{DomainName, ObservedDomain};
use crate::domain::endings::Endings;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::joining::{Joining, ObservedJoinRequest};
use crate::domain::keys::{AccountKey, CategoryName, ETag, InstallationId, RequestKey, RoleName};
use crate::domain::observed::{Claim, Observed, ReadEvidence};
use crate::domain::ownership::ObservedOwnershipChange;
use crate::domain::particulars::Particulars;
use crate::domain::recipients::ObservedCategory;
use crate::plan::action::{Action, InvitationRow, MemberRow};
use crate::plan::client_access::ClientAction;
use crate::plan::domains::DomainAction;
use crate::plan::notification::RecipientAction;
use crate::plan::teams::TeamAction;
use crate::profile::{Profile, Teams};
use crate::wire;

/// Time for one call, unless the caller sets another.
pub const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);

/// The account API as a [`Backend`].
pub struct AccountApi {
    transport: Arc<dyn Transport>,
    token: SecretString,
    deadline: Duration,
    /// Feed position of our last write; 0: none since it was asked for.
    written: AtomicU64,
    share: Option<Share>,
}

/// A token that cannot be sent.
#[derive(Debug, Error)]
#[error("the token is empty or holds characters that a header cannot carry")]
pub struct InvalidToken;

impl AccountApi {
    /// Makes a client that shows `token` to the service behind `transport`. White space round the
    /// token, as files end with, is cut.
    ///
    /// # Errors
    ///
    /// [`InvalidToken`] when it is empty or cannot be sent in a header.
    pub fn new(transport: Arc<dyn Transport>, token: &SecretString) -> Result<Self, InvalidToken> {
        let token = token.expose_secret().trim();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(InvalidToken);
        }
        let (deadline, written) = (DEFAULT_DEADLINE, AtomicU64::new(0));
        Ok(Self { transport, token: token.into(), deadline, written, share: None })
    }

    /// Sets the time for one call, connection and body included.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// Waits before each call until `share` lets it begin.
    #[must_use]
    pub fn with_share(mut self, share: Share) -> Self {
        self.share = Some(share);
        self
    }

    /// Name of the profile that the service follows in an account.
    ///
    /// # Errors
    ///
    /// The account cannot be read.
    pub async fn profile_name(&self, account: &AccountKey) -> Result<String, BackendError> {
        let path = format!("/v1/accounts/{}", rows::id(account.as_str())?);
        Ok(self.ask::<wire::Account>(Call::new(Method::GET, path)).await?.profile)
    }

    /// Sends one call and reads the JSON of a success.
    pub(super) async fn ask<T: DeserializeOwned>(&self, call: Call<'_>) -> Result<T, BackendError> {
        json(&self.send(call).await?)
    }

    /// Sends one call, once; gives the answer if it is a success.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Response<Vec<u8>>, BackendError> {
        let response = self.exchange(call).await?;
        if response.status().is_success() { Ok(response) } else { Err(problem::error(&response)) }
    }

    /// Sends one call, once; gives the answer, whatever it says.
    pub(super) async fn exchange(&self, call: Call<'_>) -> Result<Response<Vec<u8>>, BackendError> {
        let request = call.request(&self.token)?;
        if let Some(share) = &self.share {
            share.turn().await; // No call has begun: its deadline does not run yet.
        }
        match tokio::time::timeout(self.deadline, self.transport.send(request)).await {
            Err(_) => {
                let late = format!("no answer within {:?}", self.deadline);
                Err(BackendError::Unreachable(late.into()))
            }
            Ok(Err(TransportError::TooLarge)) => {
                Err(BackendError::Malformed { what: "larger than 8 MiB" })
            }
            Ok(Err(error @ TransportError::Broken(_))) => {
                Err(BackendError::Unreachable(Box::new(error)))
            }
            Ok(Ok(response)) => {
                let position = position(&response).unwrap_or_default();
                self.written.fetch_max(position, Ordering::Relaxed);
                Ok(response)
            }
        }
    }

    /// Ends a row. Already gone is done, once it is sure that the account still answers: where
    /// the account is gone for us, so is every row, and that says nothing of the person.
    pub(super) async fn end(
        &self,
        account: &str,
        call: Call<'_>,
    ) -> Result<Executed, BackendError> {
        match self.send(call).await {
            Ok(response) if response.status() == StatusCode::NO_CONTENT => Ok(Executed::Gone),
            Ok(response) => json::<Ended>(&response)?.gone(),
            Err(BackendError::NoSuchAccount) => {
                let path = format!("/v1/accounts/{account}");
                self.ask::<wire::Account>(Call::new(Method::GET, path)).await?;
                Ok(Executed::Gone)
            }
            Err(error) => Err(error),
        }
    }

    async fn change_member(
        &self,
        call: Call<'_>,
        person: &MemberKey,
        expected: impl FnOnce(&wire::Member) -> bool,
    ) -> Result<Executed, BackendError> {
        let row = self.ask(call).await.map_err(row_gone)?;
        rows::written_member(row, person, expected).map(Executed::Member)
    }

    async fn trim_or_reinstate(
        &self,
        members: &str,
        member: &MemberRow,
        key: &RequestKey,
        person: &MemberKey,
        (verb, state): (&str, wire::MemberState),
    ) -> Result<Executed, BackendError> {
        let path = format!("{members}/{}/{verb}", rows::id(member.id.as_str())?);
        let call = Call::new(Method::POST, path).if_match(&member.etag).key(key);
        self.change_member(call, person, |row| row.state == state).await
    }

    async fn change_role(
        &self,
        members: &str,
        member: &MemberRow,
        person: &MemberKey,
        to: &RoleName,
    ) -> Result<Executed, BackendError> {
        let path = format!("{members}/{}", rows::id(member.id.as_str())?);
        let patch = wire::MemberPatch { role: to.as_str().to_owned() };
        let call = Call::new(Method::PATCH, path).if_match(&member.etag).json(&patch)?;
        self.change_member(call, person, |row| row.role == to.as_str()).await
    }

    async fn change_invited_role(
        &self,
        invitations: &str,
        invitation: &InvitationRow,
        person: &MemberKey,
        to: &RoleName,
    ) -> Result<Executed, BackendError> {
        let path = format!("{invitations}/{}", rows::id(invitation.id.as_str())?);
        let patch = wire::InvitationPatch { role: to.as_str().to_owned() };
        let call = Call::new(Method::PATCH, path).if_match(&invitation.etag).json(&patch)?;
        let row = self.ask(call).await.map_err(row_gone)?;
        rows::written_invitation(row, person, to).map(Executed::Invitation)
    }

    async fn resend(
        &self,
        invitations: &str,
        invitation: &InvitationRow,
        person: &MemberKey,
        role: &RoleName,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let path = format!("{invitations}/{}/resend", rows::id(invitation.id.as_str())?);
        let call = Call::new(Method::POST, path).if_match(&invitation.etag).key(key);
        let row = self.ask(call).await.map_err(row_gone)?;
        rows::written_invitation(row, person, role).map(Executed::Invitation)
    }

    async fn add(
        &self,
        members: &str,
        person: &MemberKey,
        role: &RoleName,
        particulars: &Particulars,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let new = wire::NewMember {
            email: Some(person.person.as_str().to_owned()),
            name: particulars.name.clone(),
            role: role.as_str().to_owned(),
            team: person.team.as_ref().map(|team| team.as_str().to_owned()),
            external_ref: None,
        };
        let call = Call::new(Method::POST, members.to_owned()).key(key).json(&new)?;
        self.change_member(call, person, |row| row.role == role.as_str()).await
    }

    async fn invite(
        &self,
        invitations: &str,
        person: &MemberKey,
        role: &RoleName,
        particulars: &Particulars,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let new = wire::NewInvitation {
            email: person.person.as_str().to_owned(),
            role: role.as_str().to_owned(),
            team: person.team.as_ref().map(|team| team.as_str().to_owned()),
            name: particulars.name.clone(),
            message: particulars.message.clone(),
            expires_in_seconds: particulars.expires_in.map(|time| time.as_secs()),
            require_secure_sign_in: false,
            external_ref: Some(key.as_str().to_owned()),
        };
        let call = Call::new(Method::POST, invitations.to_owned()).key(key).json(&new)?;
        let row: wire::Invitation = self.ask(call).await?;
        if row.state == wire::InvitationState::Accepted {
            // Somebody put the person into the account meanwhile, and no mail went out.
            return Err(BackendError::Changed { code: "added-at-once".to_owned() });
        }
        rows::written_invitation(row, person, role).map(Executed::Invitation)
    }
}

#[async_trait]
impl Backend for AccountApi {
    /// Invitations are read before members: who accepts in between is then seen in both lists,
    /// and not in neither. Both are asked for under the account's id, so a short name that moves
    /// to another account cannot mix two.
    async fn observe(
        &self,
        account: &AccountKey,
        profile: &Profile,
    ) -> Result<Observed, BackendError> {
        let path = format!("/v1/accounts/{}", asked(account)?);
        let response = self.send(Call::new(Method::GET, path)).await?;
        let answer: wire::Account = json(&response)?;
        let mut position = answer.as_of.unwrap_or_default();
        let mut evidence = ReadEvidence {
            as_of: answer.as_of,
            actor: answer.caller.actor.clone(),
            answered_at: problem::answered_at(response.headers()),
            ..ReadEvidence::default()
        };
        let account = rows::account(answer, account)?;
        let path = format!("/v1/accounts/{}", account.key);

        let teams = match profile.teams {
            Teams::One => BTreeMap::new(),
            Teams::Many => teams::read(self, &path, &mut position).await?,
        };
        let mut invitations = rows::Invitations::default();
        let list = format!("{path}/invitations");
        let take = |row| invitations.take(row, profile, &mut evidence);
        let listed = pages::read(self, &list, &mut position, take).await?;
        evidence.invitation_rows = listed.rows;
        evidence.invitation_total = listed.total;

        let mut members = rows::Members::default();
        let list = format!("{path}/members");
        let take = |row| members.take(row, profile, &mut evidence);
        let listed = pages::read(self, &list, &mut position, take).await?;
        evidence.member_rows = listed.rows;
        evidence.member_total = listed.total;
        members.aside(&invitations, &mut evidence);

        evidence.up_to = evidence.as_of.and(Some(position));
        let (members, invitations) = (members.people, invitations.people);
        Ok(Observed {
            account,
            members,
            invitations,
            teams,
            client_accesses: None,
            categories: None,
            ownership_changes: None,
            joining: Joining::default(),
            evidence,
        })
    }

    async fn endings(&self, look: &Observed, after: u64) -> Result<Option<Endings>, BackendError> {
        endings::read(self, look, after).await
    }

    fn take_written(&self) -> Option<u64> {
        Some(self.written.swap(0, Ordering::Relaxed)).filter(|position| *position > 0)
    }

    async fn guarantees(&self, account: &AccountKey) -> Result<Guarantees, BackendError> {
        let roles = format!("/v1/accounts/{}/roles", asked(account)?);
        let path = "/v1/capabilities".to_owned();
        let capabilities = self.ask(Call::new(Method::GET, path)).await?;
        let rules = self.ask(Call::new(Method::GET, roles)).await?;
        Ok(rows::guarantees(&capabilities, rules))
    }

    async fn execute(
        &self,
        account: &AccountKey,
        action: &Action,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let account = asked(account)?;
        let members = format!("/v1/accounts/{account}/members");
        let invitations = format!("/v1/accounts/{account}/invitations");
        match action {
            Action::RevokeInvitation { invitation, .. } => {
                let path = format!("{invitations}/{}/revoke", rows::id(invitation.id.as_str())?);
                let call = Call::new(Method::POST, path).if_match(&invitation.etag).key(key);
                self.end(account, call).await
            }
            Action::CancelOwnerChange { change, .. } => {
                owners::cancel(self, account, change, key).await
            }
            Action::ChangeOwner { member, .. } => owners::ask(self, account, member, key).await,
            Action::Trim { person, member } => {
                let to = ("trim", wire::MemberState::Trimmed);
                self.trim_or_reinstate(&members, member, key, person, to).await
            }
            Action::Remove { member, .. } => {
                let path = format!("{members}/{}", rows::id(member.id.as_str())?);
                let call = Call::new(Method::DELETE, path).if_match(&member.etag);
                self.end(account, call).await
            }
            Action::ChangeRole { person, member, to, .. } => {
                self.change_role(&members, member, person, to).await
            }
            Action::ChangeInvitedRole { person, invitation, to, .. } => {
                self.change_invited_role(&invitations, invitation, person, to).await
            }
            Action::Reinstate { person, member } => {
                let to = ("reinstate", wire::MemberState::Active);
                self.trim_or_reinstate(&members, member, key, person, to).await
            }
            Action::Resend { person, invitation, role, .. } => {
                self.resend(&invitations, invitation, person, role, key).await
            }
            Action::Approve { person, request, .. } => {
                joining::approve(self, account, (person, request), key).await
            }
            Action::Add { person, role, particulars, .. } => {
                self.add(&members, person, role, particulars, key).await
            }
            Action::Invite { person, role, particulars, .. } => {
                self.invite(&invitations, person, role, particulars, key).await
            }
        }
    }

    async fn execute_team(
        &self,
        account: &AccountKey,
        action: &TeamAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        asked(account)?;
        teams::execute(self, account, action, key).await
    }

    async fn client_accesses(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<EmailAddress, ObservedClient>, BackendError> {
        clients::read(self, asked(account)?).await
    }

    async fn execute_client(
        &self,
        account: &AccountKey,
        action: &ClientAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        clients::execute(self, asked(account)?, action, key).await
    }

    async fn ownership_changes(
        &self,
        account: &AccountKey,
    ) -> Result<Vec<ObservedOwnershipChange>, BackendError> {
        owners::read(self, asked(account)?).await
    }

    async fn categories(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<CategoryName, ObservedCategory>, BackendError> {
        recipients::read(self, asked(account)?).await
    }

    async fn execute_recipient(
        &self,
        account: &AccountKey,
        action: &RecipientAction,
    ) -> Result<Executed, BackendError> {
        recipients::execute(self, asked(account)?, action).await
    }

    async fn domains(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<DomainName, ObservedDomain>, BackendError> {
        domains::read(self, asked(account)?).await
    }

    async fn execute_domain(
        &self,
        account: &AccountKey,
        action: &DomainAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        domains::execute(self, asked(account)?, action, key).await
    }

    async fn join_requests(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<EmailAddress, ObservedJoinRequest>, BackendError> {
        joining::requests(self, asked(account)?).await
    }

    async fn suggestions(&self, account: &AccountKey) -> Result<BTreeSet<MemberKey>, BackendError> {
        joining::suggestions(self, asked(account)?).await
    }

    async fn claim(
        &self,
        account: &AccountKey,
        claim: &Claim,
        replaces: Option<&InstallationId>,
        etag: &ETag,
    ) -> Result<ETag, BackendError> {
        let path = format!("/v1/accounts/{}", asked(account)?);
        let ours = wire::Claim {
            installation_id: claim.installation.as_str().to_owned(),
            fingerprint: claim.fingerprint.clone(),
        };
        let patch = wire::AccountPatch {
            claim: Some(ours),
            claim_replaces: replaces.map(ToString::to_string),
            ..wire::AccountPatch::default()
        };
        let call = Call::new(Method::PATCH, path).if_match(etag).json(&patch)?;
        let answer: wire::Account = self.ask(call).await?;
        if answer.claim.map(rows::claim).as_ref() == Some(claim) {
            Ok(ETag(answer.etag))
        } else {
            Err(BackendError::Malformed { what: "an answer that does not show the change" })
        }
    }
}

/// Where a write stands in the feed, if its answer says so.
fn position(response: &Response<Vec<u8>>) -> Option<u64> {
    response.headers().get(wire::FEED_POSITION)?.to_str().ok()?.parse().ok()
}

/// The row of a write is gone: our picture is old.
pub(super) fn row_gone(error: BackendError) -> BackendError {
    match error {
        BackendError::NoSuchAccount => BackendError::Changed { code: "not-found".to_owned() },
        other => other,
    }
}

/// The account as a segment of a path. What cannot be one is no account: it was never asked for.
pub(super) fn asked(account: &AccountKey) -> Result<&str, BackendError> {
    rows::id(account.as_str())
        .map_err(|_| BackendError::Rejected { code: "not-an-account-id".to_owned() })
}

/// The row that a write ended.
#[derive(serde::Deserialize)]
struct Ended {
    state: String,
}

impl Ended {
    fn gone(&self) -> Result<Executed, BackendError> {
        match self.state.as_str() {
            "revoked" | "deleted" | "cancelled" => Ok(Executed::Gone),
            _ => Err(BackendError::Malformed { what: "an answer that does not show the change" }),
        }
    }
}
