//! The audit record: one line for each call that may change the account. It names the declaring object
//! and ids of the service, never a person's address.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;

use crate::backend::{Backend, BackendError, Executed, Guarantees};
use crate::domain::clients::ObservedClient;
use crate::domain::desired::{Desired, Origin, OriginKind};
use crate::domain::domains::{DomainName, ObservedDomain};
use crate::domain::endings::Endings;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::joining::ObservedJoinRequest;
use crate::domain::keys::{AccountKey, CategoryName, ETag, InstallationId, RequestKey, TeamRef};
use crate::domain::observed::{Claim, Observed};
use crate::domain::ownership::ObservedOwnershipChange;
use crate::domain::recipients::ObservedCategory;
use crate::plan::action::Action;
use crate::plan::client_access::ClientAction;
use crate::plan::domains::DomainAction;
use crate::plan::notification::RecipientAction;
use crate::plan::teams::TeamAction;
use crate::profile::Profile;

/// Where the lines go.
pub const TARGET: &str = concat!(env!("CARGO_PKG_NAME"), "::audit");

/// Which version of an object declares something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Version {
    /// UID of an object of a cluster.
    pub uid: Option<String>,
    /// Its generation.
    pub generation: Option<i64>,
    /// File and line of an object of a file: `team.yaml:12`.
    pub line: Option<String>,
}

/// Knows the objects that declare something.
pub trait Declarers: Send + Sync {
    /// Namespace and name of the Account, which declares what no other object does.
    fn account(&self) -> (String, String);
    /// The version of an object; `None`: of the Account.
    fn version(&self, of: Option<&Origin>) -> Version;
    /// The object that is going and declared the person.
    fn leaving(&self, person: &EmailAddress) -> Option<Origin>;
}

/// An account service of which every change is written down.
pub struct Audited<'a> {
    /// The service.
    pub backend: &'a dyn Backend,
    /// What is declared.
    pub desired: &'a Desired,
    /// Who declares it.
    pub declarers: &'a dyn Declarers,
}

/// One call, before its outcome.
struct Act<'a> {
    account: &'a AccountKey,
    kind: &'static str,
    origin: Option<Origin>,
    key: Option<&'a RequestKey>,
}

/// An object as the lines name it: `Team web/core, line 2 of its roster`.
struct Named<'a> {
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    line: Option<usize>,
}

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, namespace, name, line } = self;
        write!(f, "{kind} {namespace}/{name}")?;
        match line {
            Some(line) => write!(f, ", line {line} of its roster"),
            None => Ok(()),
        }
    }
}

impl Audited<'_> {
    /// Writes down one call and its answer.
    fn tell<T>(
        &self,
        act: Act<'_>,
        row: &str,
        answer: Result<T, BackendError>,
    ) -> Result<T, BackendError> {
        let Act { account, kind, origin, key } = act;
        let Version { uid, generation, line } = self.declarers.version(origin.as_ref());
        let (namespace, name) = match &origin {
            Some(origin) => (origin.namespace.clone(), origin.name.clone()),
            None => self.declarers.account(),
        };
        let named = Named {
            kind: origin.as_ref().map_or("Account", |origin| origin.kind.as_str()),
            namespace: &namespace,
            name: &name,
            line: origin.and_then(|origin| origin.position).map(|position| position + 1),
        };
        let outcome = match &answer {
            Ok(_) => "Done",
            Err(error) if error.outcome_unknown() => "Unknown",
            Err(_) => "Refused",
        };
        tracing::info!(
                    target: TARGET,
        { object.kind = named.kind,
                    object.namespace = named.namespace,
                    object.name = named.name,
                    object.roster_line = named.line,
                    object.uid = uid,
                    object.generation = generation,
                    object.file = line,
                    account = account.0,
                    action = kind,
                    row = Some(row).filter(|row| !row.is_empty()),
                    request.key = key.map(RequestKey::as_str),
                    outcome,
                    reason = answer.as_ref().err().map(|error| error.reason().as_str()) },
                    "{kind} for {named}: {outcome}",
                );
        answer
    }

    /// The object that declares a person, or did.
    fn of_person(&self, person: &MemberKey) -> Option<Origin> {
        let key = person.at(self.desired.present(&person.person));
        let present = self.desired.people.get(&key).map(|member| &member.origin);
        let absent = || self.desired.absent.get(&key).map(|absence| &absence.origin);
        let declared = present.or_else(absent).cloned();
        declared.or_else(|| self.declarers.leaving(&key.person))
    }

    fn of_client(&self, client: &EmailAddress) -> Option<Origin> {
        let declared = self.desired.clients.declared.get(client);
        declared.map(|client| client.origin.clone()).or_else(|| self.declarers.leaving(client))
    }

    fn of_recipient(&self, action: &RecipientAction) -> Option<Origin> {
        let category = self.desired.recipients.categories.get(&action.category)?;
        let person = self.desired.present(&action.person);
        let named = category.recipients.get(person).and_then(|objects| objects.first());
        named.or(category.exact.as_ref()).cloned()
    }
}

/// The Team that a reference names.
fn of_team(reference: &TeamRef) -> Option<Origin> {
    let (namespace, name) = reference.as_str().split_once('/')?;
    let (namespace, name) = (namespace.to_owned(), name.to_owned());
    Some(Origin { kind: OriginKind::Team, namespace, name, position: None })
}

/// Id of the row that an action is about, as far as it knows one.
fn row_of(action: &Action) -> &str {
    match action {
        Action::RevokeInvitation { invitation, .. }
        | Action::ChangeInvitedRole { invitation, .. }
        | Action::Resend { invitation, .. } => invitation.id.as_str(),
        Action::Trim { member, .. }
        | Action::Remove { member, .. }
        | Action::ChangeRole { member, .. }
        | Action::Reinstate { member, .. } => member.id.as_str(),
        Action::CancelOwnerChange { change, .. } => change.id.as_str(),
        Action::ChangeOwner { member, .. } => member.as_str(),
        Action::Approve { request, .. } => request.id.as_str(),
        Action::Add { .. } | Action::Invite { .. } => "",
    }
}

fn client_row(action: &ClientAction) -> &str {
    match action {
        ClientAction::Withdraw { request, .. } | ClientAction::Resend { request, .. } => {
            request.id.as_str()
        }
        ClientAction::Request { .. } => "",
    }
}

fn domain_row(action: &DomainAction) -> &str {
    match action {
        DomainAction::Add { .. } => "",
        DomainAction::Verify { row, .. }
        | DomainAction::LetJoin { row, .. }
        | DomainAction::Remove { row, .. } => row.id.as_str(),
    }
}

/// Id of the row that an answer carries, else `before`.
fn answered<'a>(answer: &'a Result<Executed, BackendError>, before: &'a str) -> &'a str {
    match answer {
        Ok(Executed::Member(member)) => member.id.as_str(),
        Ok(Executed::Invitation(invitation)) => invitation.id.as_str(),
        Ok(Executed::OwnershipChange(change)) => change.id.as_str(),
        Ok(Executed::Client(client)) => client.id.as_str(),
        Ok(Executed::Domain(domain)) => domain.id.as_str(),
        Ok(Executed::Team(id, _)) => id.as_str(),
        Ok(
            Executed::Recipient
            | Executed::Unproved
            | Executed::Taken
            | Executed::Account(_)
            | Executed::Gone,
        )
        | Err(_) => before,
    }
}

#[async_trait]
impl Backend for Audited<'_> {
    async fn execute(
        &self,
        account: &AccountKey,
        action: &Action,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let answer = self.backend.execute(account, action, key).await;
        let row = answered(&answer, row_of(action)).to_owned();
        let origin = self.of_person(action.person());
        self.tell(Act { account, kind: action.kind(), origin, key: Some(key) }, &row, answer)
    }

    async fn execute_team(
        &self,
        account: &AccountKey,
        action: &TeamAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let answer = self.backend.execute_team(account, action, key).await;
        let row = match action {
            TeamAction::Edit { id, .. } => id.as_str(),
            TeamAction::Create { .. } | TeamAction::SecureSignIn { .. } => "",
        };
        let row = answered(&answer, row).to_owned();
        let origin = action.reference().and_then(of_team);
        self.tell(Act { account, kind: action.kind(), origin, key: Some(key) }, &row, answer)
    }

    async fn execute_client(
        &self,
        account: &AccountKey,
        action: &ClientAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let answer = self.backend.execute_client(account, action, key).await;
        let row = answered(&answer, client_row(action)).to_owned();
        let origin = self.of_client(action.client());
        self.tell(Act { account, kind: action.kind(), origin, key: Some(key) }, &row, answer)
    }

    async fn execute_recipient(
        &self,
        account: &AccountKey,
        action: &RecipientAction,
    ) -> Result<Executed, BackendError> {
        let answer = self.backend.execute_recipient(account, action).await;
        let origin = self.of_recipient(action);
        let act = Act { account, kind: action.kind(), origin, key: None };
        self.tell(act, action.member.as_str(), answer)
    }

    async fn execute_domain(
        &self,
        account: &AccountKey,
        action: &DomainAction,
        key: &RequestKey,
    ) -> Result<Executed, BackendError> {
        let answer = self.backend.execute_domain(account, action, key).await;
        let row = answered(&answer, domain_row(action)).to_owned();
        let act = Act { account, kind: action.kind(), origin: None, key: Some(key) };
        self.tell(act, &row, answer)
    }

    async fn claim(
        &self,
        account: &AccountKey,
        claim: &Claim,
        replaces: Option<&InstallationId>,
        etag: &ETag,
    ) -> Result<ETag, BackendError> {
        let answer = self.backend.claim(account, claim, replaces, etag).await;
        self.tell(Act { account, kind: "Claim", origin: None, key: None }, "", answer)
    }

    // What only reads is passed on.

    async fn observe(
        &self,
        account: &AccountKey,
        profile: &Profile,
    ) -> Result<Observed, BackendError> {
        self.backend.observe(account, profile).await
    }

    async fn endings(&self, look: &Observed, after: u64) -> Result<Option<Endings>, BackendError> {
        self.backend.endings(look, after).await
    }

    fn take_written(&self) -> Option<u64> {
        self.backend.take_written()
    }

    async fn guarantees(&self, account: &AccountKey) -> Result<Guarantees, BackendError> {
        self.backend.guarantees(account).await
    }

    async fn client_accesses(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<EmailAddress, ObservedClient>, BackendError> {
        self.backend.client_accesses(account).await
    }

    async fn ownership_changes(
        &self,
        account: &AccountKey,
    ) -> Result<Vec<ObservedOwnershipChange>, BackendError> {
        self.backend.ownership_changes(account).await
    }

    async fn categories(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<CategoryName, ObservedCategory>, BackendError> {
        self.backend.categories(account).await
    }

    async fn domains(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<DomainName, ObservedDomain>, BackendError> {
        self.backend.domains(account).await
    }

    async fn join_requests(
        &self,
        account: &AccountKey,
    ) -> Result<BTreeMap<EmailAddress, ObservedJoinRequest>, BackendError> {
        self.backend.join_requests(account).await
    }

    async fn suggestions(&self, account: &AccountKey) -> Result<BTreeSet<MemberKey>, BackendError> {
        self.backend.suggestions(account).await
    }
}
