//! What stands between us and an account for good: a deleted object waits for it only for a while.
//! Pure.

use crate::controller::round::Round;
use crate::controller::status::{Finding, Looked, Trouble};
use crate::domain::desired::OriginKind;
use crate::manifests::ObjectKey;
use crate::plan::Stop;

/// What a deleted declaration waits for in vain; `None`: it waits for a person, or for its turn.
pub fn of_object(round: &Round, finding: &Finding, key: &ObjectKey) -> Option<&'static str> {
    let looked = match finding {
        Finding::Failed(error) => return error.is_out_of_reach().then(|| error.reason().as_str()),
        Finding::Looked(looked) => looked,
    };
    let trouble = match key.kind {
        OriginKind::Team | OriginKind::Membership => {
            let people = round.fetched.leaving(&round.resolved, key);
            let known = |(person, _)| looked.refused.get(&looked.plan.known(&person));
            people.into_iter().filter_map(known).find(|trouble| trouble.is_final)
        }
        OriginKind::ClientAccess => {
            let client = round.fetched.client(key);
            let refused = client.and_then(|client| looked.refused_clients.get(&client));
            refused.filter(|trouble| trouble.is_final).or(looked.clients_unread.as_ref())
        }
        OriginKind::NotificationSubscription => {
            let mut refused = looked.refused_recipients.values();
            refused.find(|trouble| trouble.is_final).or(looked.categories_unread.as_ref())
        }
    };
    trouble.or_else(|| stopped(looked)).map(|trouble| trouble.reason.as_str())
}

/// What an Account that is being deleted waits for in vain. A suspended one writes nothing.
pub fn of_account(finding: &Finding) -> Option<&'static str> {
    let looked = match finding {
        Finding::Failed(error) => return error.is_out_of_reach().then(|| error.reason().as_str()),
        Finding::Looked(looked) => looked,
    };
    if let Some(stop @ Stop::Suspended) = &looked.plan.stop {
        return Some(stop.reason().as_str());
    }
    let people = looked.refused.values().chain(looked.refused_clients.values());
    let others = looked.refused_recipients.values().chain(&looked.refused_domains);
    let mut refused = people.chain(others).filter(|trouble| trouble.is_final);
    let unread = [&looked.clients_unread, &looked.categories_unread, &looked.domains_unread];
    let trouble = refused.next().or_else(|| unread.into_iter().flatten().next());
    trouble.or_else(|| stopped(looked)).map(|trouble| trouble.reason.as_str())
}

/// What stopped the run for good.
fn stopped(looked: &Looked) -> Option<&Trouble> {
    looked.stopped.as_ref().filter(|trouble| trouble.is_final)
}
