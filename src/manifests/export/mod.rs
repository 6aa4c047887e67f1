//! Manifests for an account as it is: declarations that ask for nothing else.

mod clients;
mod name;
mod object;
mod owners;
mod people;
mod recipients;
mod teams;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::api;
use crate::domain::keys::RoleName;
use crate::domain::observed::Observed;
use crate::manifests::export::object::Writer;
use crate::manifests::export::people::People;
use crate::profile::{Profile, Teams};
use crate::yaml::WriteError;

pub use crate::manifests::export::name::object_name;

/// What the objects are to be called, and where the account is.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// URL of the account service.
    pub url: &'a str,
    /// Certificates in PEM that the service's is checked against, besides those of the system.
    pub ca_bundle: Option<&'a str>,
    /// Name of the class, the Account and, where an account is one team, the first Team. The class
    /// is the account's own: one that is there already may serve other accounts, whose tokens must
    /// not go elsewhere.
    pub name: &'a str,
    /// Their namespace.
    pub namespace: &'a str,
}

/// The manifests of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Name and text of each file.
    pub files: Vec<(String, String)>,
    /// Who and what is not declared, and why.
    pub left_out: Vec<String>,
    /// How much is declared.
    pub counts: Counts,
}

/// How much is declared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// People; who is in two teams is one.
    pub people: usize,
    /// Teams, where an account has many.
    pub teams: usize,
    /// Clients of an agency.
    pub clients: usize,
    /// Recipients of categories of mail, each category for itself.
    pub recipients: usize,
}

/// Writes manifests that declare everybody who is in the account or waits for its invitation, in
/// the role that they have there, its teams, its clients and who was chosen to receive its mails; in
/// mode `Observe`, so that nothing happens by itself. Adopted by them nobody gets a mail, and also in
/// mode `Exclusive` nothing is left to do.
///
/// Not declared are those whose role no declaration gives, who said no or did not answer in time, and
/// what we do not understand: a declaration would ask them again. A comment says who, and why.
///
/// n people, teams, clients and recipients. Time O(n log n).
///
/// # Errors
///
/// [`WriteError`] when a value cannot be said in YAML.
pub fn export(
    names: &Names<'_>,
    profile: &Profile,
    observed: &Observed,
) -> Result<Exported, WriteError> {
    let mut people = people::declarable(profile, observed);
    owners::becoming(profile, observed, &mut people);
    let mut writer = Writer::new(names);
    let class = class(names, profile);
    writer.file::<api::AccountClass>("account-class", &[], vec![(names.name.to_owned(), class)])?;
    let account = account(names, profile, observed, &people);
    let head = head(observed, &people);
    writer.file::<api::Account>("account", &head, vec![(names.name.to_owned(), account)])?;
    let first_team = match profile.teams {
        Teams::One => Some(teams::one(&mut writer, observed, &people)?),
        Teams::Many => teams::many(&mut writer, profile, observed, &people)?,
    };
    clients::write(&mut writer, profile, observed)?;
    recipients::write(&mut writer, profile, observed, first_team.as_deref())?;
    writer.exported.counts.people = people.count();
    writer.exported.left_out.splice(0..0, people.left_out_of_account());
    Ok(writer.exported)
}

fn class(names: &Names<'_>, profile: &Profile) -> Value {
    let mut api = json!({"url": names.url});
    if let Some(bundle) = names.ca_bundle {
        api["caBundle"] = json!(bundle);
    }
    json!({"profile": profile.name, "backend": {"accountApi": api}})
}

fn account(
    names: &Names<'_>,
    profile: &Profile,
    observed: &Observed,
    people: &People<'_>,
) -> Value {
    let protected = |role: &&RoleName| profile.role(role).is_some_and(|role| role.protected);
    let protected: BTreeSet<&str> =
        people.roles().into_iter().filter(protected).map(RoleName::as_str).collect();
    let mut spec = json!({
        "className": names.name,
        // A short name can come to mean another account.
        "accountId": observed.account.key.as_str(),
        "credentialsSecretRef": {"name": format!("{}-token", names.name), "key": "token"},
        "mode": "Observe",
    });
    if !protected.is_empty() {
        spec["grantableRoles"] = json!(protected);
    }
    let joining = observed.joining.domains.iter().flatten().filter(|(_, row)| row.auto_join);
    let joining: Vec<&str> = joining.map(|(name, _)| name.as_str()).collect();
    if !joining.is_empty() {
        spec["autoJoin"] = json!({"domains": joining});
    }
    spec
}

/// What stands above the Account.
fn head(observed: &Observed, people: &People<'_>) -> Vec<String> {
    let mut head = vec![
        format!("{}. Mode Observe writes nothing and says what each step would do: raise it", {
            &observed.account.name
        }),
        "to Invite, Manage or Exclusive when you agree with `seatkeeper plan`.".to_owned(),
    ];
    head.extend(object::left_out(&people.left_out_of_account()));
    head
}
