//! The seed file: accounts, people and tokens to begin with. Loading it again changes nothing that
//! is there; tokens get the scopes that the file says.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;

use crate::domain::identity::EmailAddress;
use crate::profile::{self, Profile, TeamSubscription};
use crate::server::change::joining::{self, Newcomer};
use crate::server::change::{Change, account, digest, subscription, team};
use crate::server::error::{ApiError, ServerError};
use crate::server::permission::{Actor, Scope};
use crate::server::store::Tx;
use crate::server::store::tokens::{self, TokenRow};
use crate::server::store::users::{self, UserRow};
use crate::server::store::{accounts, subscriptions};
use crate::server::views::role_name;
use crate::server::{Seed, Service, ids};
use crate::wire::{NewAccount, NewSubscription, NewTeam, SignInMethod, TokenKind};
use crate::yaml::{self, Document, Problem};

/// Shortest token: shorter ones can be guessed.
const MIN_TOKEN: usize = 16;

/// Lifetime of a token, from the last start with the file that names it.
const TOKEN_LIFETIME: SignedDuration = SignedDuration::from_hours(365 * 24);

/// What can be said in the file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SeedFile {
    #[serde(default)]
    vendor_tokens: Vec<VendorToken>,
    #[serde(default)]
    users: Vec<Person>,
    #[serde(default)]
    accounts: Vec<SeedAccount>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct VendorToken {
    token: Option<SecretString>,
    token_file: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Person {
    email: String,
    name: Option<String>,
    password: Option<SecretString>,
    /// How the person signs in (DO-05).
    sign_in: Option<SignInMethod>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedAccount {
    name: String,
    slug: String,
    profile: String,
    owner: Person,
    #[serde(default)]
    subscriptions: Vec<String>,
    #[serde(default)]
    members: Vec<SeedMember>,
    #[serde(default)]
    teams: Vec<SeedTeam>,
    #[serde(default)]
    tokens: Vec<AccountToken>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct SeedTeam {
    name: String,
    external_ref: Option<String>,
    /// One of the account's plans: the first subscription to it.
    subscription: Option<String>,
    #[serde(default)]
    members: Vec<SeedMember>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SeedMember {
    email: String,
    name: Option<String>,
    role: String,
    password: Option<SecretString>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct AccountToken {
    token: Option<SecretString>,
    token_file: Option<String>,
    scopes: Vec<String>,
    /// Address of the member whose personal token it is.
    email: Option<String>,
}

/// Loads a seed in one transaction.
pub(crate) async fn load(service: &Arc<Service>, seed: &Seed) -> Result<(), ServerError> {
    let file = read(service, seed).map_err(ServerError::Seed)?;
    store(service, &file).await.map_err(ServerError::SeedStore)
}

/// A seed that was checked.
#[derive(Debug, Default)]
struct Checked {
    vendor_tokens: Vec<SecretString>,
    users: Vec<CheckedPerson>,
    accounts: Vec<CheckedAccount>,
}

#[derive(Debug)]
struct CheckedPerson {
    address: EmailAddress,
    name: Option<String>,
    password: Option<SecretString>,
    sign_in: SignInMethod,
}

/// A token of an account, or of one of its members.
#[derive(Debug)]
struct CheckedToken {
    token: SecretString,
    scopes: String,
    address: Option<EmailAddress>,
}

#[derive(Debug)]
struct CheckedAccount {
    request: NewAccount,
    owner_name: Option<String>,
    subscriptions: Vec<String>,
    members: Vec<CheckedMember>,
    teams: Vec<CheckedTeam>,
    tokens: Vec<CheckedToken>,
}

#[derive(Debug)]
struct CheckedMember {
    address: EmailAddress,
    name: Option<String>,
    role: String,
}

#[derive(Debug)]
struct CheckedTeam {
    name: String,
    external_ref: Option<String>,
    subscription: Option<String>,
    members: Vec<CheckedMember>,
}

/// Collects problems while it checks.
struct Reader<'a> {
    service: &'a Service,
    folder: &'a Path,
    document: &'a Document,
    problems: Vec<Problem>,
    /// Slugs and hashes of tokens so far: each names one thing.
    used: BTreeSet<String>,
}

fn read(service: &Service, seed: &Seed) -> Result<Checked, Vec<Problem>> {
    let name = seed.file.display().to_string();
    let (documents, mut problems) = yaml::read(&name, &seed.text);
    let mut checked = Checked::default();
    for document in &documents {
        let file: SeedFile = match document.decode() {
            Ok(file) => file,
            Err(problem) => {
                problems.push(Problem { hint: hint(), ..problem });
                continue;
            }
        };
        let folder = seed.file.parent().unwrap_or(Path::new("."));
        let mut reader =
            Reader { service, folder, document, problems: vec![], used: BTreeSet::new() };
        reader.file(file, &mut checked);
        problems.extend(reader.problems);
    }
    problems.sort();
    if problems.is_empty() { Ok(checked) } else { Err(problems) }
}

fn hint() -> String {
    "a seed file has vendorTokens, users and accounts (name, slug, profile, owner, subscriptions, \
     members, teams, tokens)"
        .to_owned()
}

impl Reader<'_> {
    fn problem(&mut self, pointer: &str, message: impl Into<String>, hint: impl Into<String>) {
        self.problems.push(self.document.problem(pointer, message, hint));
    }

    fn file(&mut self, file: SeedFile, checked: &mut Checked) {
        let SeedFile { vendor_tokens, users, accounts } = file;
        for (at, VendorToken { token, token_file }) in vendor_tokens.into_iter().enumerate() {
            let pointer = format!("/vendorTokens/{at}");
            checked.vendor_tokens.extend(self.token(&pointer, token, token_file));
        }
        for (at, person) in users.into_iter().enumerate() {
            checked.users.extend(self.person(&format!("/users/{at}"), person));
        }
        for (at, account) in accounts.into_iter().enumerate() {
            self.account(&format!("/accounts/{at}"), account, checked);
        }
    }

    fn account(&mut self, at: &str, account: SeedAccount, checked: &mut Checked) {
        let SeedAccount { name, slug, profile, owner, subscriptions, members, teams, tokens } =
            account;
        let Person { email, name: owner_name, password, sign_in } = owner;
        let Some(rules) = self.service.profiles.get(&profile).cloned() else {
            let known: Vec<_> = self.service.profiles.keys().cloned().collect();
            let hint = format!("the service has {}", known.join(", "));
            return self.problem(&format!("{at}/profile"), "is not a profile", hint);
        };
        self.naming(at, &name, &slug);
        let owner_address = self.address(&format!("{at}/owner/email"), &email);
        for (index, plan) in subscriptions.iter().enumerate() {
            if !rules.plans_to_pick().any(|there| there.name.as_str() == plan.as_str()) {
                let known: Vec<_> = rules.plans_to_pick().map(|plan| plan.name.as_str()).collect();
                let hint = format!("plans are {}", known.join(", "));
                self.problem(&format!("{at}/subscriptions/{index}"), "is not a plan", hint);
            }
        }
        let members = self.members(at, (&rules, profile::Scope::Account), members, checked);
        let teams = self.teams(at, &rules, &subscriptions, teams, checked);
        let tokens = self.tokens(at, tokens);
        if let Some(address) = owner_address {
            let (name, sign_in) = (owner_name.clone(), sign_in.unwrap_or(SignInMethod::Email));
            checked.users.push(CheckedPerson { address, name, password, sign_in });
        }
        let request = NewAccount { name, slug, profile, owner_email: email };
        checked.accounts.push(CheckedAccount {
            request,
            owner_name,
            subscriptions,
            members,
            teams,
            tokens,
        });
    }

    fn person(&mut self, at: &str, person: Person) -> Option<CheckedPerson> {
        let Person { email, name, password, sign_in } = person;
        if sign_in == Some(SignInMethod::Unknown) {
            let hint = "one of email, email_2fa, google, github";
            self.problem(&format!("{at}/signIn"), "is not a way to sign in", hint);
        }
        let sign_in = sign_in.unwrap_or(SignInMethod::Email);
        let address = self.address(&format!("{at}/email"), &email)?;
        Some(CheckedPerson { address, name, password, sign_in })
    }

    fn refused(&mut self, at: &str, refused: ApiError, hint: &str) {
        if let ApiError::Invalid(fields) = refused {
            for field in fields {
                self.problem(&format!("{at}{}", field.pointer), field.detail, hint);
            }
        }
    }

    fn naming(&mut self, at: &str, name: &str, slug: &str) {
        let checks = [account::must_be_name("/name", name), account::must_be_slug(slug)];
        for refused in checks.into_iter().filter_map(Result::err) {
            self.refused(at, refused, "as in `name: Acme Ltd`, `slug: acme`");
        }
        if !self.used.insert(slug.to_owned()) {
            let hint = "give each account a slug of its own";
            self.problem(&format!("{at}/slug"), "is used twice", hint);
        }
    }

    fn members(
        &mut self,
        at: &str,
        (rules, scope): (&Profile, profile::Scope),
        members: Vec<SeedMember>,
        checked: &mut Checked,
    ) -> Vec<CheckedMember> {
        let mut people = Vec::new();
        for (index, member) in members.into_iter().enumerate() {
            let SeedMember { email, name, role, password } = member;
            let at = format!("{at}/members/{index}");
            let fits = |role: &&profile::Role| role.invitable && role.scope == scope;
            if rules.role(&role_name(&role)).as_ref().is_none_or(|role| !fits(role)) {
                let known = rules.roles.iter().filter(fits);
                let known: Vec<_> = known.map(|role| role.name.as_str()).collect();
                let hint = match known.as_slice() {
                    [] => "people have their roles in `teams`".to_owned(),
                    known => format!("roles that can be given are {}", known.join(", ")),
                };
                self.problem(&format!("{at}/role"), "is not a role that can be given", hint);
            }
            let Some(address) = self.address(&format!("{at}/email"), &email) else { continue };
            if password.is_some() {
                let (address, name) = (address.clone(), name.clone());
                let sign_in = SignInMethod::Email;
                checked.users.push(CheckedPerson { address, name, password, sign_in });
            }
            people.push(CheckedMember { address, name, role });
        }
        people
    }

    fn teams(
        &mut self,
        at: &str,
        rules: &Profile,
        subscriptions: &[String],
        teams: Vec<SeedTeam>,
        checked: &mut Checked,
    ) -> Vec<CheckedTeam> {
        let (mut all, mut references) = (Vec::new(), BTreeSet::new());
        for (index, team) in teams.into_iter().enumerate() {
            let SeedTeam { name, external_ref, subscription, members } = team;
            let at = format!("{at}/teams/{index}");
            if rules.teams == profile::Teams::One {
                let hint = "give the people as `members` of the account";
                self.problem(&at, "is not taken: an account of this profile is one team", hint);
                continue;
            }
            if let Err(refused) = account::must_be_name("/name", &name) {
                self.refused(&at, refused, "as in `name: Design`");
            }
            if subscription.as_ref().is_some_and(|plan| !subscriptions.contains(plan)) {
                let hint = "name a plan that is among the account's `subscriptions`";
                self.problem(&format!("{at}/subscription"), "is not one of the account", hint);
            }
            let belongs = rules.team.map(|team| team.subscription);
            if subscription.is_some() && belongs != Some(TeamSubscription::ExactlyOne) {
                let hint = "leave it out: subscriptions of this profile belong to the account";
                self.problem(&format!("{at}/subscription"), "is not taken", hint);
            }
            if external_ref.as_ref().is_some_and(|it| !references.insert(it.clone())) {
                let hint = "give each team a reference of its own";
                self.problem(&format!("{at}/externalRef"), "is used twice", hint);
            }
            let members = self.members(&at, (rules, profile::Scope::Team), members, checked);
            all.push(CheckedTeam { name, external_ref, subscription, members });
        }
        all
    }

    fn tokens(&mut self, at: &str, tokens: Vec<AccountToken>) -> Vec<CheckedToken> {
        let mut checked = Vec::new();
        for (index, token) in tokens.into_iter().enumerate() {
            let AccountToken { token, token_file, scopes, email } = token;
            let at = format!("{at}/tokens/{index}");
            let address = email.and_then(|email| self.address(&format!("{at}/email"), &email));
            for (index, scope) in scopes.iter().enumerate() {
                if Scope::parse(scope).is_none() {
                    let known = Scope::ALL.map(Scope::word).join(", ");
                    let hint = format!("scopes are {known}");
                    self.problem(&format!("{at}/scopes/{index}"), "is not a scope", hint);
                }
            }
            let token = self.token(&at, token, token_file);
            let scopes = scopes.join(" ");
            checked.extend(token.map(|token| CheckedToken { token, scopes, address }));
        }
        checked
    }

    fn address(&mut self, pointer: &str, text: &str) -> Option<EmailAddress> {
        EmailAddress::parse(text)
            .map_err(|error| {
                self.problem(pointer, error.to_string(), "write it as name@example.com");
            })
            .ok()
    }

    fn token(
        &mut self,
        pointer: &str,
        token: Option<SecretString>,
        file: Option<String>,
    ) -> Option<SecretString> {
        let hint = "give `token` (16 characters or more) or `tokenFile` (a file beside this one)";
        let token = match (token, file) {
            (Some(token), None) => token,
            (None, Some(file)) => match std::fs::read_to_string(self.folder.join(&file)) {
                Ok(text) => SecretString::from(text.trim().to_owned()),
                Err(error) => {
                    let message = format!("cannot read {file}: {error}");
                    self.problem(&format!("{pointer}/tokenFile"), message, hint);
                    return None;
                }
            },
            _ => {
                self.problem(pointer, "needs exactly one of token and tokenFile", hint);
                return None;
            }
        };
        if token.expose_secret().len() < MIN_TOKEN {
            self.problem(pointer, "has a token of less than 16 characters", hint);
            return None;
        }
        if !self.used.insert(ids::hash(token.expose_secret())) {
            self.problem(pointer, "has a token that is used twice", "make one token for each use");
        }
        Some(token)
    }
}

async fn store(service: &Arc<Service>, seed: &Checked) -> Result<(), ApiError> {
    // Hashing takes long: before the transaction, and only for who is new.
    let mut people = Vec::new();
    for person in &seed.users {
        let mut snapshot = service.store.snapshot().await?;
        if users::by_address(&mut snapshot, person.address.as_str()).await?.is_none() {
            people.push(user(service, person).await?);
        }
    }
    let mut tx = service.store.begin().await?;
    for person in &people {
        users::put(&mut tx, person).await?;
    }
    let now = service.now();
    for token in &seed.vendor_tokens {
        let row = token_row(service, token, now);
        tokens::put(&mut tx, &row).await?;
    }
    tx.commit().await?;
    for account in &seed.accounts {
        let tx = service.store.begin().await?;
        store_account(service, tx, account).await?;
    }
    Ok(())
}

async fn store_account(
    service: &Arc<Service>,
    mut tx: Tx,
    seed: &CheckedAccount,
) -> Result<(), ApiError> {
    let CheckedAccount { request, owner_name, subscriptions, members, teams, tokens } = seed;
    let there = accounts::by_id_or_slug(&mut tx, &request.slug).await?;
    let is_new = there.is_none();
    let mut change = match there {
        Some(row) => Change::on(service, tx, row, Actor::Service).await?,
        None => account::open(service, tx, Actor::Service, request, owner_name.clone()).await?,
    };
    if is_new {
        for plan in subscriptions {
            subscription::pick(&mut change, &NewSubscription { plan: plan.clone() }).await?;
        }
        store_members(&mut change, None, members).await?;
        for team in teams {
            store_team(&mut change, team).await?;
        }
        digest::forget(&mut change);
    }
    let now = change.now;
    for CheckedToken { token, scopes, address } in tokens {
        let row = TokenRow {
            kind: if address.is_some() { TokenKind::Personal } else { TokenKind::Account },
            account_id: Some(change.account.id.clone()),
            scopes: scopes.clone(),
            address: address.as_ref().map(|address| address.as_str().to_owned()),
            ..token_row(service, token, now)
        };
        tokens::put(change.conn(), &row).await?;
    }
    change.commit().await
}

async fn store_members(
    change: &mut Change,
    team_id: Option<&str>,
    members: &[CheckedMember],
) -> Result<(), ApiError> {
    for CheckedMember { address, name, role } in members {
        let newcomer = Newcomer {
            team_id: team_id.map(str::to_owned),
            address: address.as_str().to_owned(),
            name: name.clone(),
            role: role_name(role),
            added_at: change.now,
            external_ref: None,
        };
        joining::enter(change, newcomer, "member.added").await?;
    }
    Ok(())
}

async fn store_team(change: &mut Change, seed: &CheckedTeam) -> Result<(), ApiError> {
    let CheckedTeam { name, external_ref, subscription, members } = seed;
    let account_id = change.account.id.clone();
    let held = subscriptions::running(change.conn(), &account_id).await?;
    let linked = held.into_iter().find(|row| Some(&row.plan) == subscription.as_ref());
    let request = NewTeam {
        name: name.clone(),
        external_ref: external_ref.clone(),
        subscription: linked.map(|row| row.id),
    };
    let team = team::create(change, &request).await?;
    store_members(change, Some(&team.id), members).await
}

async fn user(service: &Service, person: &CheckedPerson) -> Result<UserRow, ApiError> {
    let password_hash = match &person.password {
        Some(password) => Some(service.passwords.hash(password.expose_secret()).await?),
        None => None,
    };
    let address = person.address.as_str();
    let (local, _) = address.split_once('@').unwrap_or((address, ""));
    Ok(UserRow {
        id: service.ids.next("usr", service.now()),
        address: address.to_owned(),
        name: person.name.clone().unwrap_or_else(|| local.to_owned()),
        password_hash,
        sign_in: person.sign_in,
        created_at: service.now(),
    })
}

/// A token of the vendor.
fn token_row(service: &Service, token: &SecretString, now: Timestamp) -> TokenRow {
    TokenRow {
        hash: ids::hash(token.expose_secret()),
        id: service.ids.next("tok", now),
        kind: TokenKind::Vendor,
        account_id: None,
        name: "seed".to_owned(),
        scopes: "vendor".to_owned(),
        made_by: "service".to_owned(),
        address: None,
        created_at: now,
        expires_at: now + TOKEN_LIFETIME,
    }
}
