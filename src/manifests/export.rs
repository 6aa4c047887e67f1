//! Manifests for an account as it is: declarations that ask for nothing else.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::api;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::domain::keys::RoleName;
use crate::domain::observed::{InvitationState, MemberState, Observed, RoleSeen};
use crate::profile::Profile;
use crate::yaml::{self, WriteError};

/// Most people of one Team object.
const ROSTER: usize = 2000;

/// What the objects are to be called, and where the account is.
#[derive(Clone, Copy, Debug)]
pub struct Names<'a> {
    /// URL of the account service.
    pub url: &'a str,
    /// Certificates in PEM that the service's is checked against, besides those of the system.
    pub ca_bundle: Option<&'a str>,
    /// Name of the class, the Account and the first Team. The class is the account's own: one that
    /// is there already may serve other accounts, whose tokens must not go elsewhere.
    pub name: &'a str,
    /// Their namespace.
    pub namespace: &'a str,
}

/// The manifests of one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Name and text of each file.
    pub files: Vec<(String, String)>,
    /// Who is not declared, and why.
    pub notes: Vec<String>,
    /// People in the rosters.
    pub people: usize,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a, S> {
    api_version: String,
    kind: String,
    metadata: Metadata<'a>,
    spec: S,
}

#[derive(Serialize)]
struct Metadata<'a> {
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    namespace: Option<&'a str>,
}

#[derive(Serialize)]
struct Class<'a> {
    profile: &'a str,
    backend: Backend<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Backend<'a> {
    account_api: AccountApi<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AccountApi<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_bundle: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Account<'a> {
    class_name: &'a str,
    account_id: &'a str,
    credentials_secret_ref: SecretRef,
    mode: &'static str,
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    grantable_roles: BTreeSet<&'a str>,
}

#[derive(Serialize)]
struct SecretRef {
    name: String,
    key: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Team<'a> {
    account_ref: AccountRef<'a>,
    roster: &'a [Line<'a>],
}

#[derive(Serialize)]
struct AccountRef<'a> {
    name: &'a str,
}

#[derive(Serialize)]
struct Line<'a> {
    email: &'a str,
    role: &'a str,
}

/// Writes manifests that declare everybody who is in the account or waits for its invitation, in
/// the role that they have there; in mode `Observe`, so that nothing happens by itself. Adopted by
/// them nobody gets a mail, and also in mode `Exclusive` nothing is left to do.
///
/// Not declared are those whose role no declaration gives, who said no or did not answer in time, and
/// what we do not understand. Of these only people in a role that can be removed, and that is neither
/// an owner's nor protected, are touched, and only in mode `Exclusive`: the note says so.
///
/// # Errors
///
/// [`WriteError`] when a value cannot be said in YAML.
pub fn export(
    names: &Names<'_>,
    profile: &Profile,
    observed: &Observed,
) -> Result<Exported, WriteError> {
    let (people, notes) = declarable(profile, observed);
    let roles: BTreeSet<_> = people.iter().map(|(_, role)| *role).collect();
    let protected =
        roles.into_iter().filter(|role| profile.role(role).is_some_and(|role| role.protected));
    let class = Class {
        profile: &profile.name,
        backend: Backend { account_api: AccountApi { url: names.url, ca_bundle: names.ca_bundle } },
    };
    let account = Account {
        class_name: names.name,
        // A short name can come to mean another account.
        account_id: observed.account.key.as_str(),
        credentials_secret_ref: SecretRef { name: format!("{}-token", names.name), key: "token" },
        mode: "Observe",
        grantable_roles: protected.map(RoleName::as_str).collect(),
    };
    let mut files = vec![
        (
            "account-class.yaml".to_owned(),
            document::<api::AccountClass, _>(names.name.to_owned(), None, class)?,
        ),
        ("account.yaml".to_owned(), account_text(names, observed, account)?),
    ];
    let lines: Vec<_> = people
        .iter()
        .map(|(person, role)| Line { email: person.as_str(), role: role.as_str() })
        .collect();
    for (index, roster) in lines.chunks(ROSTER).enumerate() {
        let number = if index == 0 { String::new() } else { format!("-{}", index + 1) };
        let spec = Team { account_ref: AccountRef { name: names.name }, roster };
        let name = format!("{}{number}", names.name);
        let text = document::<api::Team, _>(name, Some(names.namespace), spec)?;
        files.push((format!("team{number}.yaml"), text));
    }
    Ok(Exported { files, notes, people: lines.len() })
}

fn account_text(
    names: &Names<'_>,
    observed: &Observed,
    account: Account<'_>,
) -> Result<String, WriteError> {
    let text = document::<api::Account, _>(names.name.to_owned(), Some(names.namespace), account)?;
    // Nothing that any reader takes for the end of the line.
    let plain = |c: &char| !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}');
    let name: String = observed.account.name.chars().filter(plain).collect();
    Ok(format!(
        "# {name}. Mode Observe writes nothing and says what each step would do: raise it to\n\
         # Invite, Manage or Exclusive when you agree with `seatkeeper plan`.\n{text}"
    ))
}

fn document<K, S: Serialize>(
    name: String,
    namespace: Option<&str>,
    spec: S,
) -> Result<String, WriteError>
where
    K: kube::Resource<DynamicType = ()>,
{
    yaml::write(&Manifest {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        metadata: Metadata { name, namespace },
        spec,
    })
}

/// Who can be declared, in order of address, and who cannot.
fn declarable<'a>(
    profile: &Profile,
    observed: &'a Observed,
) -> (Vec<(&'a EmailAddress, &'a RoleName)>, Vec<String>) {
    let (mut people, mut notes) = (Vec::new(), Vec::new());
    let mut place = |key: &'a MemberKey, role: &'a RoleSeen| match role.known() {
        Some(name) if profile.role(name).is_some_and(|role| role.invitable) => {
            people.push((&key.person, name));
        }
        Some(name) => {
            let role = profile.role(name);
            let ends = role.is_some_and(|role| role.removable && !role.protected)
                && !profile.is_owner(name);
            let warning = if ends { "; mode Exclusive would remove them" } else { "" };
            notes.push(format!("{key} is {name}: no declaration gives that role{warning}"));
        }
        None => notes.push(format!("{key} has a role that the profile does not know")),
    };
    for (person, member) in &observed.members {
        if member.state != MemberState::Unknown {
            place(person, &member.role);
        }
    }
    let mut over = Vec::new();
    for (person, invitation) in &observed.invitations {
        let why = match invitation.state {
            _ if observed.members.contains_key(person) => continue,
            InvitationState::Pending => {
                place(person, &invitation.role);
                continue;
            }
            InvitationState::Expired => "did not answer the invitation in time",
            InvitationState::Failed => "could not be reached by mail",
            InvitationState::Declined => "declined the invitation",
            InvitationState::Unknown => "has an invitation in a state that is not known",
        };
        over.push(format!("{person} {why}"));
    }
    for (person, member) in &observed.members {
        if member.state == MemberState::Unknown {
            over.push(format!("{person} is in a state that is not known"));
        }
    }
    people.sort();
    notes.extend(over);
    (people, notes)
}
