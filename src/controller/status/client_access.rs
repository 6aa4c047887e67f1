//! Status of a ClientAccess. Pure.

use jiff::Timestamp;

use crate::api::{ClientAccess, ClientAccessState, ClientAccessStatus, ClientHealth};
use crate::controller::status::conditions::{Say, Says, Truth, time};
use crate::controller::status::membership::{MESSAGE, rejection_says};
use crate::controller::status::{Looked, Picture, Trouble, clip, person};
use crate::domain::clients::Health;
use crate::domain::identity::EmailAddress;
use crate::domain::policy::Mode;
use crate::manifests::{ObjectKey, Rejection};
use crate::plan::client_access::{ClientOutlook, Standing, client_message};
use crate::plan::{Rule, Stop};

/// Longest address of a website that is shown.
const WEBSITE: usize = 253;

/// The next status; `None`: what stands there is the best that can be said.
pub fn next(
    access: &ClientAccess,
    key: &ObjectKey,
    picture: &Picture<'_>,
    now: Timestamp,
) -> Option<ClientAccessStatus> {
    let deleted = access.metadata.deletion_timestamp.is_some();
    if deleted && !picture.verdicts.get(key).is_some_and(|verdict| verdict.stays()) {
        return None; // It is about to go.
    }
    if let (Err(rejection), false) = (&picture.resolved.outcomes.get(key)?.accepted, deleted) {
        return Some(rejected(access, rejection, now));
    }
    let mut next = ClientAccessStatus::default();
    let says = match picture.finding.looked() {
        Ok(Looked { clients_unread: Some(trouble), .. }) => {
            // What was seen before still says it best.
            next = access.status.clone().unwrap_or_default();
            let synced = Say::unknown(trouble.reason, trouble.message.clone());
            let stalled = trouble.is_final.then(|| Say { truth: Truth::True, ..synced.clone() });
            Says { accepted: person::accepted(), synced, stalled }
        }
        Ok(looked) => {
            let client = EmailAddress::parse(&access.spec.client_email).ok()?;
            let outlook = looked.plan.clients.clients.get(&client)?;
            describe(&mut next, outlook);
            says(looked, looked.refused_clients.get(&client), outlook)
        }
        Err(trouble) => {
            let known = access.status.as_ref().and_then(|status| status.observed_generation);
            if known == access.metadata.generation && !deleted {
                return None;
            }
            let synced = picture.unknown(key, &trouble);
            Says { accepted: person::accepted(), synced, stalled: None }
        }
    };
    Some(finish(next, access, &says, now))
}

/// The status of a declaration that is not valid.
pub fn rejected(
    access: &ClientAccess,
    rejection: &Rejection,
    now: Timestamp,
) -> ClientAccessStatus {
    finish(ClientAccessStatus::default(), access, &rejection_says(rejection), now)
}

fn finish(
    mut next: ClientAccessStatus,
    access: &ClientAccess,
    says: &Says,
    now: Timestamp,
) -> ClientAccessStatus {
    let old = access.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let generation = access.metadata.generation;
    let wrong = [&says.accepted, &says.synced].into_iter().find(|say| say.truth != Truth::True);
    next.message = wrong.map(|say| clip(&say.message, MESSAGE));
    next.observed_generation = generation;
    next.conditions = says.conditions(old, generation, now);
    next
}

fn describe(status: &mut ClientAccessStatus, outlook: &ClientOutlook) {
    status.state = match outlook.standing {
        Standing::Planned | Standing::Sending | Standing::InDoubt => None,
        Standing::Requested | Standing::Removing => Some(ClientAccessState::Requested),
        Standing::Granted => Some(ClientAccessState::Granted),
        Standing::Rejected => Some(ClientAccessState::Rejected),
        Standing::Withdrawn => Some(ClientAccessState::Withdrawn),
    };
    status.withdraw_at = outlook.withdraw_at.map(time);
    let Some(row) = &outlook.row else { return };
    status.role_held = row.role_held.as_ref().map(|role| clip(role.as_str(), 63));
    status.health = health(row.health);
    status.asked_at = Some(time(row.last_sent_at));
    if outlook.standing == Standing::Granted {
        status.website_count = i64::try_from(row.website_count).ok();
        status.websites = row.websites.iter().map(|website| clip(website, WEBSITE)).collect();
    }
}

fn health(health: Health) -> Option<ClientHealth> {
    match health {
        Health::NoData => Some(ClientHealth::NoData),
        Health::MajorIssue => Some(ClientHealth::MajorIssue),
        Health::NotConnected => Some(ClientHealth::NotConnected),
        Health::AllGood => Some(ClientHealth::AllGood),
        Health::Unknown => None,
    }
}

fn says(looked: &Looked, refused: Option<&Trouble>, outlook: &ClientOutlook) -> Says {
    judge(looked.mode, looked.plan.stop.as_ref(), refused, outlook)
}

fn judge(
    mode: Mode,
    stop: Option<&Stop>,
    refused: Option<&Trouble>,
    outlook: &ClientOutlook,
) -> Says {
    let synced = synced(mode, stop, refused, outlook);
    let waits = outlook.standing.needs_person()
        || outlook.rule.is_some_and(Rule::needs_person)
        || refused.is_some_and(|trouble| trouble.is_final);
    let stalls = waits && mode > Mode::Observe && stop.is_none();
    let stalled = stalls.then(|| Say { truth: Truth::True, ..synced.clone() });
    Says { accepted: person::accepted(), synced, stalled }
}

fn synced(
    mode: Mode,
    stop: Option<&Stop>,
    refused: Option<&Trouble>,
    outlook: &ClientOutlook,
) -> Say {
    let standing = outlook.standing;
    if mode == Mode::Observe {
        return Say::yes(Rule::Observing.reason(), Rule::Observing.message());
    }
    if let Some(stop) = stop {
        return Say::unknown(stop.reason(), stop.to_string());
    }
    if let Some(trouble) = refused {
        return Say::no(trouble.reason, trouble.message.clone());
    }
    if let Some(rule) = outlook.rule {
        return Say::no(rule.reason(), client_message(rule));
    }
    let (reason, message) = (standing.reason(), standing.message());
    match standing {
        Standing::Sending | Standing::InDoubt => Say::unknown(reason, message),
        Standing::Planned | Standing::Rejected | Standing::Removing => Say::no(reason, message),
        // The client alone decides about the role: a difference is shown and left (NC-06).
        Standing::Granted if outlook.role_differs => {
            Say::yes(reason, "the client granted access with another role; only it can change that")
        }
        Standing::Requested | Standing::Granted | Standing::Withdrawn => Say::yes(reason, message),
    }
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::controller::status::conditions::Truth;
    use crate::domain::policy::Mode;
    use crate::plan::Rule;
    use crate::plan::client_access::{ClientOutlook, Standing};

    /// `Synced` and its reason, and `stalled` while a person must act.
    fn check(standing: Standing, rule: Option<Rule>, role_differs: bool) -> String {
        let outlook = ClientOutlook { standing, rule, row: None, role_differs, withdraw_at: None };
        let says = judge(Mode::Manage, None, None, &outlook);
        let truth = match says.synced.truth {
            Truth::True => "True",
            Truth::False => "False",
            Truth::Unknown => "Unknown",
        };
        let stalled = says.stalled.map_or("", |_| " stalled");
        format!("{truth} {}{stalled}", says.synced.reason)
    }

    #[test]
    fn every_standing_of_a_client_says_what_the_table_says() {
        assert_eq!(check(Standing::Planned, None, false), "False Planned");
        let budget = Some(Rule::MailBudget);
        assert_eq!(check(Standing::Planned, budget, false), "False MailBudget");
        let agency = Some(Rule::NotAgency);
        assert_eq!(check(Standing::Planned, agency, false), "False NotAnAgency stalled");
        assert_eq!(check(Standing::Sending, None, false), "Unknown Sending");
        assert_eq!(check(Standing::InDoubt, None, false), "Unknown InDoubt stalled");
        assert_eq!(check(Standing::Requested, None, false), "True Requested");
        assert_eq!(check(Standing::Granted, None, true), "True Granted");
        let seat = Some(Rule::NoFreeSeat);
        assert_eq!(check(Standing::Granted, seat, false), "False NoFreeSeat stalled");
        assert_eq!(check(Standing::Rejected, None, false), "False Rejected stalled");
        assert_eq!(check(Standing::Withdrawn, None, false), "True Withdrawn");
        assert_eq!(check(Standing::Removing, None, false), "False Removing");
    }
}
