//! Clients of an agency: those that were asked and those that gave access.

use serde_json::json;

use crate::api;
use crate::domain::clients::{ClientState, ObservedClient};
use crate::domain::observed::Observed;
use crate::manifests::export::name::Taken;
use crate::manifests::export::object::{Writer, left_out};
use crate::profile::Profile;
use crate::yaml::WriteError;

/// Writes the clients. Whose request is over is not declared: that would ask them again.
pub fn write(
    writer: &mut Writer<'_>,
    profile: &Profile,
    observed: &Observed,
) -> Result<(), WriteError> {
    let (mut taken, mut objects, mut gone) = (Taken::default(), Vec::new(), Vec::new());
    for (person, client) in observed.client_accesses.iter().flatten() {
        if let Some(why) = obstacle(profile, client) {
            gone.push(format!("client {person} {why}"));
            continue;
        }
        let spec = json!({
            "accountRef": writer.account_ref(),
            "clientEmail": person.as_str(),
            "role": client.role.as_str(),
        });
        objects.push((taken.name(person.as_str(), "client"), spec));
    }
    writer.exported.counts.clients = objects.len();
    if !objects.is_empty() {
        writer.file::<api::ClientAccess>("clients", &left_out(&gone), objects)?;
    }
    writer.exported.left_out.extend(gone);
    Ok(())
}

/// Why a client cannot be declared; `None`: it can.
fn obstacle(profile: &Profile, client: &ObservedClient) -> Option<&'static str> {
    match client.state {
        ClientState::Rejected => Some("said no"),
        ClientState::Removed => Some("had a request that was withdrawn"),
        ClientState::Ended => Some("ended the access that it gave"),
        ClientState::Unknown => Some("is in a state that is not known"),
        ClientState::Requested | ClientState::Granted | ClientState::Trimmed => {
            let asked = profile.client_access.as_ref();
            let known = asked.is_some_and(|rules| rules.roles.contains(&client.role));
            (!known).then_some("was asked for a role that the profile does not offer")
        }
    }
}
