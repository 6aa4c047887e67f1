//! Which domains are declared to let their people join by themselves.

use std::collections::BTreeSet;

use crate::api::{AccountSpec, AutoJoin};
use crate::domain::domains::DomainName;
use crate::manifests::reason::{Reason, Rejection};
use crate::manifests::source::quote;
use crate::profile::Profile;

/// The declared domains, and everything that is wrong with them; without a profile nothing is known
/// to be wrong with the product.
pub fn join_domains(
    spec: &AccountSpec,
    profile: Option<&Profile>,
    wrong: &mut Vec<Rejection>,
) -> BTreeSet<DomainName> {
    let mut domains = BTreeSet::new();
    let Some(AutoJoin { domains: declared, role }) = &spec.auto_join else { return domains };
    if let Some(profile) = profile {
        wrong.extend(against_profile(role.as_deref(), profile).err());
    }
    for (position, text) in declared.iter().enumerate() {
        let pointer = format!("/spec/autoJoin/domains/{position}");
        match DomainName::parse(text) {
            Ok(name) if domains.contains(&name) => {
                let message = format!("{} is `{name}`, which is there already", quote(text));
                let hint = "keep one of the two spellings";
                wrong.push(Rejection::new(Reason::Conflict, pointer, message, hint));
            }
            Ok(name) => drop(domains.insert(name)),
            Err(error) => {
                let message = format!("{} {error}", quote(text));
                let hint = "name a domain that you can publish a TXT record for, as `acme.com`";
                wrong.push(Rejection::new(Reason::InvalidSpec, pointer, message, hint));
            }
        }
    }
    domains
}

/// What the profile has to allow: joining by domain, with the role that it gives.
fn against_profile(role: Option<&str>, profile: &Profile) -> Result<(), Rejection> {
    let Some(joining) = &profile.auto_join else {
        let message = format!("profile `{}` does not know joining by domain", profile.name);
        let hint = "take autoJoin out, or use an Account of a class that does";
        return Err(Rejection::new(Reason::ProfileCannot, "/spec/autoJoin", message, hint));
    };
    match role.filter(|role| *role != joining.role.as_str()) {
        None => Ok(()),
        Some(role) => {
            let message = format!(
                "profile `{}` lets people join as `{}`, not as {}",
                profile.name,
                joining.role,
                quote(role)
            );
            let hint =
                "leave the field out, or declare who is to have another role by a Membership";
            Err(Rejection::new(Reason::ProfileCannot, "/spec/autoJoin/role", message, hint))
        }
    }
}
