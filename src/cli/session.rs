//! What `plan`, `apply` and `status` share: files, secret, ledger and service of one account.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context as _, Result, anyhow};
use kube::ResourceExt as _;
use secrecy::SecretString;
use url::Url;

use crate::apply::{Look, LookError, Subject, look};
use crate::backend::account_api::AccountApi;
use crate::backend::pace::RequestBudget;
use crate::backend::transport::Reqwest;
use crate::backend::{Backend, BackendError, Guarantees, ServiceRules};
use crate::cli::args::PlanArgs;
use crate::cli::{Exit, Io, domains, ledgers, recipients, secrets};
use crate::domain::desired::{Desired, Origin};
use crate::domain::identity::MemberKey;
use crate::domain::keys::{AccountKey, HoldDigest};
use crate::domain::policy::Policy;
use crate::ledger::{Ledger, LedgerError};
use crate::manifests::{self, Declarations};
use crate::plan::client_access::ClientPlan;
use crate::plan::{Outlook, Stop};
use crate::profile::{self, Profile};
use crate::yaml::Problem;

/// Everything that is needed to look at one account and to change it.
pub struct Session {
    /// `NAMESPACE/NAME` of the Account.
    pub name: String,
    /// Id or short name at the service.
    pub account: AccountKey,
    /// What the files ask for.
    pub desired: Desired,
    /// The files.
    pub declarations: Declarations,
    /// How far we may go.
    pub policy: Policy,
    /// The rules of the product.
    pub profile: Arc<Profile>,
    /// The service.
    pub backend: Arc<dyn Backend>,
    /// What we know of the past.
    pub ledger: Ledger,
    /// Where we run: UID of the cluster that keeps the ledger, `file` or `account`.
    pub fingerprint: String,
}

/// What may be done with the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerAccess {
    /// Look only: `plan`, `status`.
    Read,
    /// Lock and write: `apply`.
    Write,
}

/// Opens a session; what is wrong is printed, all of it, and `None` comes back.
///
/// # Errors
///
/// When something outside the files stands in the way: the ledger, the TLS set-up, stderr.
pub async fn open(
    args: &PlanArgs,
    access: LedgerAccess,
    approve: Option<&str>,
    io: &mut Io<'_>,
) -> Result<Option<Session>> {
    let files = manifests::read(&args.filename);
    for note in &files.notes {
        writeln!(io.err, "note: {note}")?;
    }
    let mut problems = files.problems.clone();
    let sorted = files.objects.by_account();
    let only_strays = problems.is_empty();
    if only_strays {
        problems.extend(sorted.problems);
    }
    let declarations = match choose(args, sorted.accounts) {
        Ok(declarations) => declarations,
        Err(_) if !problems.is_empty() => return refuse(problems, io),
        Err(error) => return Err(error),
    };
    let profile = match read_profile(args, &declarations)? {
        Ok(profile) => profile,
        Err(wrong) => {
            problems.extend(wrong);
            return refuse(problems, io);
        }
    };
    let spec = &declarations.account.object.spec;
    let account = AccountKey(spec.account_id.clone());
    let secret = secrets::read(args.secrets.as_deref(), &declarations.account);
    let api = reach(args, &declarations, secret.as_ref().ok())?;
    let opened = open_ledger(args, access, &account, api.as_ref()).await?;
    let first_seen = |person: Option<&MemberKey>, origin: &Origin| {
        opened.as_ref().and_then(|(ledger, _)| ledger.first_seen(person, origin))
    };
    let now = (io.now)();
    let resolved = manifests::resolve(&declarations, profile.as_deref(), &first_seen, now);
    if only_strays || resolved.account.is_ok() {
        problems.extend(resolved.problems);
    }
    problems.extend(secret.err());
    problems.sort();
    problems.dedup();
    let (Some(mut policy), Some(profile), Some(backend), Some((ledger, fingerprint)), true) =
        (resolved.policy, profile, api, opened, problems.is_empty())
    else {
        return refuse(problems, io);
    };
    if let Some(digest) = approve {
        policy.approval = Some(HoldDigest(digest.to_owned()));
    }
    Ok(Some(Session {
        name: name_of(&declarations),
        account,
        desired: resolved.desired,
        declarations,
        policy,
        profile,
        backend,
        ledger,
        fingerprint,
    }))
}

/// `NAMESPACE/NAME` of the Account.
fn name_of(declarations: &Declarations) -> String {
    let object = &declarations.account.object;
    format!("{}/{}", manifests::namespace(&**object), object.name_any())
}

/// The service, if the files say where it is.
fn reach(
    args: &PlanArgs,
    declarations: &Declarations,
    token: Option<&SecretString>,
) -> Result<Option<Arc<AccountApi>>> {
    let Some(token) = token.filter(|_| declarations.class.is_some()) else { return Ok(None) };
    Ok(Some(Arc::new(connect(declarations, token)?.with_deadline(args.timeout))))
}

/// The ledger and where it is. What is wrong in the files is said all the same where the service, not
/// reached, has it.
async fn open_ledger(
    args: &PlanArgs,
    access: LedgerAccess,
    account: &AccountKey,
    api: Option<&Arc<AccountApi>>,
) -> Result<Option<(Ledger, String)>> {
    if api.is_none() && args.ledger == ledgers::KEPT_BY_SERVICE {
        return Ok(None);
    }
    Ok(Some(ledgers::open(&args.ledger, access, account, api).await?))
}

fn refuse(problems: Vec<Problem>, io: &mut Io<'_>) -> Result<Option<Session>> {
    for problem in &problems {
        writeln!(io.err, "{problem}")?;
    }
    let noun = if problems.len() == 1 { "problem" } else { "problems" };
    writeln!(io.err, "error: {} {noun}; nothing was done", problems.len())?;
    Ok(None)
}

/// The account to work on: the only one, or the one that `--account` names.
fn choose(args: &PlanArgs, mut accounts: Vec<Declarations>) -> Result<Declarations> {
    let names: Vec<String> = accounts.iter().map(name_of).collect();
    let wanted = match (&args.account, names.as_slice()) {
        (Some(wanted), _) => wanted.clone(),
        (None, [only]) => only.clone(),
        (None, []) => {
            return Err(anyhow!(
                "the files hold no Account\n  hint: add one, or name its file with -f too"
            ));
        }
        (None, several) => {
            return Err(anyhow!(
                "the files hold several Accounts: {}\n  hint: name one with --account",
                several.join(", ")
            ));
        }
    };
    let index = names.iter().position(|name| *name == wanted).ok_or_else(|| {
        anyhow!("the files hold no Account {wanted}\n  hint: they hold {}", names.join(", "))
    })?;
    Ok(accounts.swap_remove(index))
}

/// The profile of the class: the file of `--profile` where that is given.
fn read_profile(
    args: &PlanArgs,
    declarations: &Declarations,
) -> Result<Result<Option<Arc<Profile>>, Vec<Problem>>> {
    let Some(path) = &args.profile else { return Ok(declarations.profile()) };
    let Some(class) = &declarations.class else { return Ok(Ok(None)) };
    let wanted = class.object.spec.profile.as_deref();
    Ok(own_profile(path, wanted, "the class asks for")?.map(Some))
}

/// Reads a profile file of one's own, which has to be the profile `wanted`, if one is named; `because` says who wants
/// it. What is wrong in the file comes back as problems.
///
/// # Errors
///
/// The file cannot be read, or is another profile.
pub fn own_profile(
    path: &Path,
    wanted: Option<&str>,
    because: &str,
) -> Result<Result<Arc<Profile>, Vec<Problem>>> {
    let file = path.display().to_string();
    let text = fs::read_to_string(path).with_context(|| format!("could not read {file}"))?;
    Ok(match profile::read(&file, &text) {
        Ok(own) if wanted.is_none_or(|wanted| own.name == wanted) => Ok(Arc::new(own)),
        Ok(own) => {
            let wanted = wanted.unwrap_or_default();
            return Err(anyhow!(
                "{file} is the profile {}, and {because} {wanted}\n  hint: name the file of that \
                 profile",
                own.name
            ));
        }
        Err(problems) => Err(problems),
    })
}

fn connect(declarations: &Declarations, token: &SecretString) -> Result<AccountApi> {
    let class = declarations.class.as_ref().context("the class was checked before")?;
    let api = &class.object.spec.backend.account_api;
    let url = Url::parse(&api.url)
        .with_context(|| format!("spec.backend.accountApi.url of {}", class.object.name_any()))?;
    let transport = Reqwest::new(&url, api.ca_bundle.as_deref().map(str::as_bytes))
        .with_context(|| format!("AccountClass {}", class.object.name_any()))?;
    let share = RequestBudget::new(class.object.spec.limits.per_second()).share();
    Ok(AccountApi::new(Arc::new(transport), token)?.with_share(share))
}

impl Session {
    /// Asks the service for its guarantees and rules, compares them with ours, and looks.
    ///
    /// # Errors
    ///
    /// With its hint: the service could not be read, or keeps other rules than the profile.
    pub async fn look(&mut self, io: &mut Io<'_>) -> Result<(Guarantees, Look)> {
        let guarantees = self.backend.guarantees(&self.account).await.map_err(backend)?;
        let differences = guarantees.rules.differences(&ServiceRules::of(&self.profile));
        if !differences.is_empty() {
            return Err(anyhow!(
                "ProfileMismatch: the service keeps other rules than the profile {}:\n  {}\n  hint: \
                 use the same version of the profile on both sides",
                self.profile.name,
                differences.join("\n  ")
            ));
        }
        for missing in guarantees.missing.difference(&self.policy.missing) {
            writeln!(io.err, "note: the account service lacks {missing}: {}", missing.without())?;
        }
        self.policy.missing.clone_from(&guarantees.missing);
        let (subject, ledger) = self.subject();
        let look = look(&subject, ledger, None, &*io.now).await.map_err(|error| match error {
            LookError::Observe(error) => self::backend(error),
            LookError::Plan(error) => error.into(),
        })?;
        Ok((guarantees, look))
    }
}

impl Session {
    /// The account, as it is declared, and its ledger.
    pub fn subject(&mut self) -> (Subject<'_>, &mut Ledger) {
        let Self { account, desired, policy, profile, backend, ledger, fingerprint, .. } = self;
        let (backend, declarers) = (&**backend, &self.declarations);
        let subject =
            Subject { backend, account, profile, policy, desired, fingerprint, declarers };
        (subject, ledger)
    }
}

/// A backend's error with its hint.
pub fn backend(error: BackendError) -> anyhow::Error {
    let hint = error.hint();
    let reason = error.reason();
    let chain = format!("{:#}", anyhow::Error::new(error));
    anyhow!("{reason}: {chain}\n  hint: {hint}")
}

/// A ledger's error with its hint.
pub fn with_hint(error: LedgerError) -> anyhow::Error {
    let hint = error.hint();
    let chain = format!("{:#}", anyhow::Error::new(error));
    anyhow!("{chain}\n  hint: {hint}")
}

/// The exit code of a plan that will not run by itself.
#[must_use]
pub fn exit_of_rest(plan: &crate::plan::Plan) -> Exit {
    let waits = plan.hold.is_some()
        || plan.held.iter().any(|held| held.rule.needs_person())
        || plan.teams.held.iter().any(|(_, rule)| rule.needs_person())
        || plan.people.values().any(Outlook::needs_person)
        || clients_wait(&plan.clients)
        || recipients::needs_person(&plan.recipients)
        || domains::needs_person(&plan.domains);
    match &plan.stop {
        Some(Stop::ReadUntrusted(_)) => Exit::Error,
        Some(Stop::Suspended | Stop::ClaimedByOther | Stop::LedgerLost) => Exit::Waits,
        None if waits => Exit::Waits,
        None => Exit::Done,
    }
}

/// True if a client waits for a person on our side: what only the client can mend is none.
fn clients_wait(plan: &ClientPlan) -> bool {
    plan.held.iter().any(|held| held.rule.needs_person())
        || plan.clients.values().any(|outlook| outlook.standing.needs_person())
}
