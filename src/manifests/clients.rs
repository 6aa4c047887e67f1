//! Which clients of an agency are declared, and which declaration of a client counts.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::api::ClientAccess;
use crate::domain::clients::{Declaration, DesiredClient, DesiredClients};
use crate::domain::desired::{Origin, OriginKind};
use crate::domain::identity::EmailAddress;
use crate::domain::keys::RoleName;
use crate::manifests::accounts::Declarations;
use crate::manifests::collect::{account_not_accepted, resend};
use crate::manifests::people::address;
use crate::manifests::reason::Reason;
use crate::manifests::reason::Rejection;
use crate::manifests::resolve::FirstSeen;
use crate::manifests::resolve::Outcome;
use crate::manifests::source::ObjectKey;
use crate::manifests::source::client_access_key;
use crate::manifests::source::quote;
use crate::manifests::terms::duration_at;
use crate::manifests::terms::list;
use crate::manifests::terms::unknown_role;
use crate::profile::Profile;
use crate::yaml::nearest;

/// One declaration of one client.
struct Candidate {
    key: ObjectKey,
    first_seen: Option<Timestamp>,
    client: Result<DesiredClient, ()>,
}

/// The declared clients of an account; what is wrong with an object goes to `outcomes`.
///
/// Of two declarations of one client the older counts. One that is not valid leaves its client as it
/// is; objects that are being deleted declare nothing. Time O(n log n).
pub fn clients(
    declarations: &Declarations,
    profile: Option<&Profile>,
    first_seen: FirstSeen<'_>,
    outcomes: &mut BTreeMap<ObjectKey, Outcome>,
) -> DesiredClients {
    let mut by_client: BTreeMap<EmailAddress, Vec<Candidate>> = BTreeMap::new();
    for access in &declarations.client_accesses {
        let (access, key) = (&*access.object, client_access_key(&access.object));
        if access.metadata.deletion_timestamp.is_some() {
            outcomes.insert(key, Outcome::accepted());
            continue;
        }
        let person = address(&access.spec.client_email, "/spec/clientEmail".to_owned());
        let client = client(access, &key, profile);
        let mut wrong: Vec<Rejection> = person.as_ref().err().into_iter().cloned().collect();
        wrong.extend(client.as_ref().err().into_iter().flatten().cloned());
        outcomes.insert(key.clone(), Outcome::with(wrong));
        if let Ok(person) = person {
            let first_seen = first_seen(Some(&person.clone().into()), &origin(&key));
            let client = client.map_err(drop);
            by_client.entry(person).or_default().push(Candidate { key, first_seen, client });
        }
    }
    for stray in &declarations.stray_client_accesses {
        let (access, key) = (&*stray.object, client_access_key(&stray.object));
        let Ok(person) = EmailAddress::parse(&access.spec.client_email) else { continue };
        let first_seen = first_seen(Some(&person.clone().into()), &origin(&key));
        let counts = first_seen.is_some() || !declarations.distant.contains(&key);
        if counts && access.metadata.deletion_timestamp.is_none() {
            by_client.entry(person).or_default().push(Candidate {
                key,
                first_seen,
                client: Err(()),
            });
        }
    }
    choose(by_client, outcomes)
}

/// Chooses for each client the declaration that was first seen first; ties by name.
fn choose(
    by_client: BTreeMap<EmailAddress, Vec<Candidate>>,
    outcomes: &mut BTreeMap<ObjectKey, Outcome>,
) -> DesiredClients {
    let mut desired = DesiredClients::default();
    for (person, mut candidates) in by_client {
        candidates.sort_by(|a, b| rank(a).cmp(&rank(b)));
        let mut candidates = candidates.into_iter();
        let Some(winner) = candidates.next() else { continue };
        for loser in candidates.filter(|loser| loser.client.is_ok()) {
            let message = format!("`{person}` is declared already by {}", winner.key);
            let hint = "keep one of the two; the older counts";
            let wrong = Rejection::new(Reason::Conflict, "/spec/clientEmail", message, hint);
            outcomes.insert(loser.key, Outcome::with(vec![wrong]));
        }
        match winner.client {
            Ok(client) => drop(desired.declared.insert(person, client)),
            Err(()) => drop(desired.frozen.insert(person)),
        }
    }
    desired
}

/// Order of declarations of one client; the least counts.
fn rank(candidate: &Candidate) -> impl Ord + '_ {
    let ObjectKey { kind: _, namespace, name } = &candidate.key;
    (candidate.first_seen.is_none(), candidate.first_seen, namespace, name)
}

fn client(
    access: &ClientAccess,
    key: &ObjectKey,
    profile: Option<&Profile>,
) -> Result<DesiredClient, Vec<Rejection>> {
    let role = role(&access.spec.role, profile);
    let withdraw_after = withdraw_after(access);
    let wrong = [role.as_ref().err(), withdraw_after.as_ref().err()];
    let wrong: Vec<Rejection> = wrong.into_iter().flatten().cloned().collect();
    let (Ok(role), Ok(withdraw_after)) = (role, withdraw_after) else { return Err(wrong) };
    Ok(DesiredClient {
        role,
        withdraw_after,
        declaration: Declaration { object: key.to_string() },
        resend: resend(access),
        origin: origin(key),
    })
}

/// The role that an agency may ask for.
fn role(text: &str, profile: Option<&Profile>) -> Result<RoleName, Rejection> {
    let profile = profile.ok_or_else(account_not_accepted)?;
    let Some(rules) = &profile.client_access else {
        let message = format!("profile `{}` has no client access", profile.name);
        let hint = "take the ClientAccess out, or use an Account of a class that has it";
        return Err(Rejection::new(Reason::ProfileCannot, "/spec/accountRef/name", message, hint));
    };
    let role = RoleName(text.to_owned());
    if rules.roles.contains(&role) {
        return Ok(role);
    }
    if profile.role(&role).is_none() {
        return Err(unknown_role(profile, text, "/spec/role".to_owned()));
    }
    let known = || rules.roles.iter().map(RoleName::as_str);
    let message = format!("role {} is not one that an agency can ask for", quote(text));
    let hint = match nearest(text, known()) {
        Some(known) => format!("did you mean `{known}`?"),
        None => format!("roles that it can: {}", list(known())),
    };
    Err(Rejection::new(Reason::RoleNotInvitable, "/spec/role", message, hint))
}

fn withdraw_after(access: &ClientAccess) -> Result<Option<Duration>, Rejection> {
    let text = access.spec.withdraw_after.as_deref();
    text.map(|text| duration_at("/spec/withdrawAfter", text)).transpose()
}

/// Where a client is declared.
fn origin(key: &ObjectKey) -> Origin {
    let ObjectKey { namespace, name, .. } = key.clone();
    Origin { kind: OriginKind::ClientAccess, namespace, name, position: None }
}
