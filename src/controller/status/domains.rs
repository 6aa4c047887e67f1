//! What an Account says of its domains, and of who waits to join. Pure.

use crate::api::{AccountStatus, DomainSeen, DomainSeenState, TxtRecord};
use crate::controller::status::conditions::Say;
use crate::controller::status::{Looked, Trouble, clip, number};
use crate::domain::domains;
use crate::plan::Stop;
use crate::plan::domains::{DomainOutlook, DomainStanding};

/// Most characters of a message.
const MESSAGE: usize = 1024;
/// Most characters of a record's name or text.
const RECORD: usize = 512;

/// Puts the declared domains and the join requests into a status; what could not be read stays as it
/// was said before.
pub fn describe(status: &mut AccountStatus, looked: &Looked, old: &AccountStatus) {
    let plan = &looked.plan;
    let declared = plan.domains.domains.iter();
    let untrusted = matches!(plan.stop, Some(Stop::ReadUntrusted(_)));
    status.domains = match looked.domains_unread.is_some() || untrusted {
        true => old.domains.clone(),
        false => declared.map(|(name, outlook)| seen(name.as_str(), outlook)).collect(),
    };
    let told = looked.observed.joining.requests.is_some();
    status.join_requests = told.then(|| number(plan.waiting.join_requests));
}

fn seen(name: &str, outlook: &DomainOutlook) -> DomainSeen {
    let DomainOutlook { state, record, check_at: _ } = outlook;
    let record = record.as_ref().map(|domains::TxtRecord { name, value }| TxtRecord {
        name: clip(name, RECORD),
        value: clip(value, RECORD),
    });
    DomainSeen {
        name: name.to_owned(),
        state: match state {
            DomainStanding::Planned => DomainSeenState::Planned,
            DomainStanding::Pending => DomainSeenState::Pending,
            DomainStanding::Verified => DomainSeenState::Verified,
            DomainStanding::Lapsed => DomainSeenState::Lapsed,
            DomainStanding::Taken => DomainSeenState::Taken,
            DomainStanding::NotUnderstood => DomainSeenState::NotUnderstood,
        },
        txt_record: record,
        message: clip(state.message(), MESSAGE),
    }
}

/// What is wrong with the domains, and whether a person must act; `None`: nothing. One that waits for
/// its record is like an invitation that waits: nothing is left for us.
pub fn wrong(looked: &Looked) -> Option<(Say, bool)> {
    let plan = &looked.plan.domains;
    let unread =
        [("the domains", &looked.domains_unread), ("who asks to come in", &looked.asking_unread)];
    for (what, trouble) in unread {
        let Some(Trouble { reason, message, is_final, .. }) = trouble else { continue };
        let message = format!("{what} could not be read: {message}");
        return Some((Say::no(*reason, message), *is_final));
    }
    if let Some(Trouble { reason, message, is_final, .. }) = looked.refused_domains.first() {
        return Some((Say::no(*reason, message.clone()), *is_final));
    }
    if let Some((action, rule)) = plan.held.first() {
        let what = action.domain();
        let say = Say::no(rule.reason(), format!("domain {what}: {}", rule.message()));
        return Some((say, rule.needs_person()));
    }
    let mut domains = plan.domains.iter();
    let found = domains.find_map(|(name, outlook)| Some((name, outlook, outlook.state.reason()?)));
    let (name, outlook, reason) = found?;
    let message = format!("domain {name}: {}", outlook.state.message());
    Some((Say::no(reason, message), true))
}
