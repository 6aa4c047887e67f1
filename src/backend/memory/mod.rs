//! An account service in memory: one account, with [`simulate::step`] as the only meaning of an
//! action. For tests and trials of everything above a backend.
//!
//! It keeps the guarantees that the account API promises (keys, versions, seats, owners), fails
//! where a test says so, and moves as the people and the service behind a real one do.

mod rules;
mod state;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::backend::Backend;
use crate::backend::BackendError;
use crate::backend::Executed;
use crate::backend::Guarantees;
use crate::backend::ServiceRules;
use crate::backend::memory::rules::{Todo, changed, rejected};
use crate::backend::memory::state::{Answer, State, lost};
use crate::domain::clients::ObservedClient;
use crate::domain::domains::{DomainName, ObservedDomain};
use crate::domain::endings::Endings;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::joining::{Joining, ObservedJoinRequest};
use crate::domain::keys::{AccountKey, CategoryName, ETag, InstallationId, MemberId, RequestKey};
use crate::domain::observed::{
    Claim, InvitationState, MemberState, Observed, ObservedInvitation, ObservedMember, RoleSeen,
    SeatLimit,
};
use crate::domain::ownership::ObservedOwnershipChange;
use crate::domain::recipients::ObservedCategory;
use crate::plan::action::Action;
use crate::plan::client_access::ClientAction;
use crate::plan::domains::DomainAction;
use crate::plan::notification::RecipientAction;
use crate::plan::simulate;
use crate::plan::teams::TeamAction;
use crate::profile::Profile;

pub use crate::backend::memory::state::Fault;

/// How long a key is remembered: as the embedded service does.
const KEY_RETENTION: Duration = Duration::from_secs(24 * 60 * 60);

/// One account in memory.
pub struct Memory {
    profile: Profile,
    state: Mutex<State>,
}

impl Memory {
    /// Holds `observed` at `now`, under the rules of `profile`; counts are taken anew.
    #[must_use]
    pub fn new(profile: Profile, mut observed: Observed, now: Timestamp) -> Self {
        simulate::recount(&mut observed, &profile);
        let state = State {
            observed,
            now,
            answers: BTreeMap::new(),
            effects: Vec::new(),
            calls: BTreeMap::new(),
            faults: BTreeMap::new(),
        };
        Self { profile, state: Mutex::new(state) }
    }

    /// The account as it is, without a call.
    pub async fn observed(&self) -> Observed {
        self.state.lock().await.observed.clone()
    }

    /// Every action that took effect, in order, once each.
    pub async fn effects(&self) -> Vec<Action> {
        self.state.lock().await.effects.clone()
    }

    /// Calls so far by kind: `observe`, `guarantees`, `claim` and those of [`Action::kind`].
    pub async fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.state.lock().await.calls.clone()
    }

    /// Makes the `nth` call of `kind` from now on fail; 1 is the next one.
    pub async fn fail(&self, kind: &'static str, nth: u64, fault: Fault) {
        let mut state = self.state.lock().await;
        let so_far = state.calls.get(kind).copied().unwrap_or_default();
        state.faults.insert((kind, so_far + nth), fault);
    }

    /// Time passes: invitations that are over their date expire.
    pub async fn advance_to(&self, now: Timestamp) {
        self.change(|observed, _| {
            for invitation in observed.invitations.values_mut() {
                if invitation.state == InvitationState::Pending && invitation.expires_at <= now {
                    invitation.state = InvitationState::Expired;
                }
            }
        })
        .await;
        self.state.lock().await.now = now;
    }

    /// The person takes the invitation that waits. Without one, nothing happens.
    pub async fn accept(&self, person: &MemberKey) {
        self.change(|observed, now| {
            let pending =
                |invitation: &ObservedInvitation| invitation.state == InvitationState::Pending;
            if !observed.invitations.get(person).is_some_and(pending) {
                return;
            }
            let Some(invitation) = observed.invitations.remove(person) else { return };
            let member = ObservedMember {
                id: MemberId(format!("mem_{}_{}", observed.members.len(), now.as_microsecond())),
                etag: ETag("0".to_owned()),
                role: invitation.role,
                state: MemberState::Active,
                added_at: invitation.created_at,
                joined_at: now,
                agency: false,
            };
            observed.members.insert(person.clone(), member);
        })
        .await;
    }

    /// The person says no to the invitation that waits.
    pub async fn decline(&self, person: &MemberKey) {
        self.change(|observed, _| {
            if let Some(invitation) = observed.invitations.get_mut(person) {
                invitation.state = InvitationState::Declined;
            }
        })
        .await;
    }

    /// The person leaves, or is removed by someone else.
    pub async fn leave(&self, person: &MemberKey) {
        self.change(|observed, _| {
            observed.members.remove(person);
        })
        .await;
    }

    /// The plan changes. The service itself trims nobody: see [`Self::trim_over_limit`].
    pub async fn set_limit(&self, limit: SeatLimit) {
        self.change(|observed, _| observed.account.seats.limit = limit).await;
    }

    /// The service enforces the limit: members that are not owners lose access, latest-added
    /// first, until the rest fits.
    pub async fn trim_over_limit(&self) {
        let State { observed, .. } = &mut *self.state.lock().await;
        loop {
            let seats = &observed.account.seats;
            let latest = observed
                .members
                .values_mut()
                .filter(|member| member.state == MemberState::Active)
                .filter(|member| !member.role.known().is_some_and(|r| self.profile.is_owner(r)))
                .max_by(|a, b| (a.added_at, &a.id).cmp(&(b.added_at, &b.id)));
            match latest {
                Some(member) if !seats.limit.allows(seats.used) => {
                    member.state = MemberState::Trimmed;
                    member.etag = ETag(format!("{}+", member.etag));
                }
                _ => return,
            }
            simulate::recount(observed, &self.profile);
        }
    }

    async fn change(&self, change: impl FnOnce(&mut Observed, Timestamp)) {
        let State { observed, now, .. } = &mut *self.state.lock().await;
        change(observed, *now);
        simulate::recount(observed, &self.profile);
    }
}

#[async_trait]
impl Backend for Memory {
    async fn observe(
        &self,
        account: &AccountKey,
        profile: &Profile,
    ) -> Result<Observed, BackendError> {
        let mut state = self.state.lock().await;
        let answer = state.arrive("observe")?;
        state.is_ours(account)?;
        let mut observed = Observed {
            ownership_changes: None,
            joining: Joining::default(),
            ..state.observed.clone()
        };
        let unknown = |role: &RoleSeen| role.known().is_none_or(|r| profile.role(r).is_none());
        let members = observed.members.values_mut().map(|member| &mut member.role);
        let invited = observed.invitations.values_mut().map(|invitation| &mut invitation.role);
        members.chain(invited).filter(|role| unknown(role)).for_each(|r| *r = RoleSeen::Unknown);
        match answer {
            Answer::Given => Ok(observed),
            Answer::Lost => Err(lost()),
        }
    }

    async fn endings(
        &self,
        _look: &Observed,
        _after: u64,
    ) -> Result<Option<Endings>, BackendError> {
        Ok(None)
    }

    fn take_written(&self) -> Option<u64> {
        None
    }

    async fn guarantees(&self, account: &AccountKey) -> Result<Guarantees, BackendError> {
        let mut state = self.state.lock().await;
        let answer = state.arrive("guarantees")?;
        state.is_ours(account)?;
        match answer {
            Answer::Given => Ok(Guarantees {
                key_retention: KEY_RETENTION,
                missing: BTreeSet::new(),
                rules: ServiceRules::of(&self.profile),
            }),
            Answer::Lost => Err(lost()),
        }
    }

    async fn execute(
        &self,
        account: &AccountKey,
        action: &Action,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let mut state = self.state.lock().await;
        let answer = state.arrive(action.kind())?;
        state.is_ours(account)?;
        let executed = match state.replay(action, key)? {
            Some(before) => before,
            None => match rules::check(&self.profile, &state.observed, action)? {
                Todo::Done => Executed::Gone,
                Todo::Do => state.perform(action, key, &self.profile),
            },
        };
        match answer {
            Answer::Given => Ok(executed),
            Answer::Lost => Err(lost()),
        }
    }

    async fn execute_team(
        &self,
        _: &AccountKey,
        _: &TeamAction,
        _: &RequestKey,
    ) -> Result<Executed, BackendError> {
        Err(BackendError::Rejected { code: "not-offered".to_owned() })
    }

    async fn client_accesses(
        &self,
        _: &AccountKey,
    ) -> Result<BTreeMap<EmailAddress, ObservedClient>, BackendError> {
        Err(rejected("not-offered"))
    }

    async fn execute_client(
        &self,
        _: &AccountKey,
        _: &ClientAction,
        _: &RequestKey,
    ) -> Result<Executed, BackendError> {
        Err(rejected("not-offered"))
    }

    async fn ownership_changes(
        &self,
        account: &AccountKey,
    ) -> Result<Vec<ObservedOwnershipChange>, BackendError> {
        let mut state = self.state.lock().await;
        let answer = state.arrive("ownership_changes")?;
        state.is_ours(account)?;
        match answer {
            Answer::Given => Ok(state.observed.ownership_changes.clone().unwrap_or_default()),
            Answer::Lost => Err(lost()),
        }
    }

    async fn categories(
        &self,
        _: &AccountKey,
    ) -> Result<BTreeMap<CategoryName, ObservedCategory>, BackendError> {
        Err(rejected("not-offered"))
    }

    async fn execute_recipient(
        &self,
        _: &AccountKey,
        _: &RecipientAction,
    ) -> Result<Executed, BackendError> {
        Err(rejected("not-offered"))
    }

    async fn domains(
        &self,
        _: &AccountKey,
    ) -> Result<BTreeMap<DomainName, ObservedDomain>, BackendError> {
        Err(rejected("not-offered"))
    }

    async fn execute_domain(
        &self,
        _: &AccountKey,
        _: &DomainAction,
        _: &RequestKey,
    ) -> Result<Executed, BackendError> {
        Err(rejected("not-offered"))
    }

    async fn join_requests(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<EmailAddress, ObservedJoinRequest>, BackendError> {
        let mut state = self.state.lock().await;
        let answer = state.arrive("join_requests")?;
        state.is_ours(account)?;
        match answer {
            Answer::Given => Ok(state.observed.joining.requests.clone().unwrap_or_default()),
            Answer::Lost => Err(lost()),
        }
    }

    async fn suggestions(&self, _: &AccountKey) -> Result<BTreeSet<MemberKey>, BackendError> {
        Ok(BTreeSet::new())
    }

    async fn claim(
        &self,
        account: &AccountKey,
        claim: &Claim,
        replaces: Option<&InstallationId>,
        etag: &ETag,
    ) -> Result<ETag, BackendError> {
        let mut state = self.state.lock().await;
        let answer = state.arrive("claim")?;
        state.is_ours(account)?;
        let row = &mut state.observed.account;
        if row.etag != *etag {
            return Err(changed("stale"));
        }
        let held = row.claim.as_ref().map(|there| &there.installation);
        if held.is_some_and(|held| *held != claim.installation && Some(held) != replaces) {
            return Err(rejected("claimed-by-other"));
        }
        row.claim = Some(claim.clone());
        row.etag = ETag(format!("{}+", row.etag));
        match answer {
            Answer::Given => Ok(row.etag.clone()),
            Answer::Lost => Err(lost()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use crate::backend::Backend as _;
    use crate::backend::BackendError;
    use crate::backend::Executed;
    use crate::backend::memory::{Fault, Memory};
    use crate::domain::identity::{EmailAddress, MemberKey};
    use crate::domain::joining::Joining;
    use crate::domain::keys::{AccountKey, RequestKey};
    use crate::domain::ledger_view::Cause;
    use crate::domain::observed::{
        InvitationState, MemberState, Observed, ObservedAccount, ObservedSeats, ReadEvidence,
        SeatLimit,
    };
    use crate::plan::action::Action;
    use crate::profile;

    fn person(name: &str) -> MemberKey {
        EmailAddress::parse(&format!("{name}@example.com")).unwrap().into()
    }

    fn service() -> Memory {
        let seats = ObservedSeats {
            limit: SeatLimit::Seats(3),
            used: 0,
            owner: 0,
            active: 0,
            pending: 0,
            trimmed: 0,
            enforce_at: None,
            pools: BTreeMap::new(),
        };
        let account = ObservedAccount {
            key: "acc_1".into(),
            name: "Acme".to_owned(),
            etag: "0".into(),
            claim: None,
            seats,
            subscriptions: Vec::new(),
            disabled: false,
            secure_sign_in: false,
            agency: false,
            caller: None,
        };
        let observed = Observed {
            account,
            members: BTreeMap::new(),
            invitations: BTreeMap::new(),
            teams: BTreeMap::new(),
            client_accesses: None,
            ownership_changes: None,
            categories: None,
            joining: Joining::default(),
            evidence: ReadEvidence::default(),
        };
        let profile = profile::built_in("nitropack").unwrap();
        Memory::new((*profile).clone(), observed, "2026-11-01T08:00:00Z".parse().unwrap())
    }

    async fn invite(service: &Memory, name: &str) -> Result<Executed, BackendError> {
        let role = "developer".into();
        let cause = Cause::default();
        let action = Action::Invite {
            person: person(name),
            role,
            particulars: crate::domain::particulars::Particulars::default(),
            cause,
            key: None,
        };
        service.execute(&AccountKey::from("acc_1"), &action, &RequestKey::from(name)).await
    }

    #[tokio::test]
    async fn a_lost_request_and_a_lost_answer_look_the_same_and_only_one_had_an_effect() {
        let service = service();
        service.fail("Invite", 1, Fault::Lost).await;
        service.fail("Invite", 2, Fault::AnswerLost).await;
        for effects in [0, 1] {
            let error = invite(&service, "ana").await.unwrap_err();
            assert!(error.outcome_unknown(), "{error:?}");
            assert_eq!(service.effects().await.len(), effects);
        }
        let answer = invite(&service, "ana").await.unwrap();
        assert!(matches!(answer, Executed::Invitation(_)), "the same key: {answer:?}");
        assert_eq!(service.effects().await.len(), 1);
        assert_eq!(service.calls().await, BTreeMap::from([("Invite", 3)]));
    }

    #[tokio::test]
    async fn the_service_trims_latest_added_first_and_invitations_expire() {
        let service = service();
        for (name, day) in [("zoe", 1), ("ana", 2)] {
            service.advance_to(format!("2026-11-0{day}T09:00:00Z").parse().unwrap()).await;
            invite(&service, name).await.unwrap();
            service.accept(&person(name)).await;
        }
        invite(&service, "bob").await.unwrap();
        service.set_limit(SeatLimit::Seats(1)).await;
        service.advance_to("2026-12-24T09:00:00Z".parse().unwrap()).await;
        service.trim_over_limit().await;

        let observed = service.observed().await;
        assert_eq!(observed.invitations[&person("bob")].state, InvitationState::Expired);
        assert_eq!(observed.members[&person("zoe")].state, MemberState::Active);
        assert_eq!(observed.members[&person("ana")].state, MemberState::Trimmed);
        assert_eq!((observed.account.seats.used, observed.account.seats.trimmed), (1, 1));
    }
}
