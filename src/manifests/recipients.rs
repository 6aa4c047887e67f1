//! Which recipients of which category of mail are declared.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use kube::ResourceExt as _;

use crate::api::NotificationSubscription;
use crate::api::RecipientPolicy;
use crate::api::RecipientRef;
use crate::domain::desired::{Origin, OriginKind};
use crate::domain::identity::EmailAddress;
use crate::domain::keys::CategoryName;
use crate::domain::recipients::DesiredRecipients;
use crate::manifests::accounts::Declarations;
use crate::manifests::accounts::not_found;
use crate::manifests::collect::account_not_accepted;
use crate::manifests::people::address;
use crate::manifests::reason::Reason;
use crate::manifests::reason::Rejection;
use crate::manifests::resolve::FirstSeen;
use crate::manifests::resolve::Outcome;
use crate::manifests::source::ObjectKey;
use crate::manifests::source::namespace;
use crate::manifests::source::quote;
use crate::manifests::source::subscription_key;
use crate::manifests::terms::list;
use crate::profile::Profile;
use crate::yaml::nearest;

/// One object that is not being deleted.
struct Candidate {
    key: ObjectKey,
    category: CategoryName,
    is_exact: bool,
    /// When it was first seen; counts among exact ones only.
    first_seen: Option<Timestamp>,
    /// The recipients; `None`: the object is not valid.
    recipients: Option<BTreeSet<EmailAddress>>,
}

/// The declared recipients of an account; what is wrong with an object goes to `outcomes`.
///
/// Several objects share a category. Of two with policy `Exact` the older counts. Of a category that
/// an object which is not valid names, nobody loses anything. Time O(n log n) in recipients.
pub fn recipients(
    declarations: &Declarations,
    profile: Option<&Profile>,
    first_seen: FirstSeen<'_>,
    outcomes: &mut BTreeMap<ObjectKey, Outcome>,
) -> DesiredRecipients {
    let reader = Reader::new(declarations, profile);
    let mut candidates = Vec::new();
    for subscription in &declarations.subscriptions {
        let (subscription, key) = (&*subscription.object, subscription_key(&subscription.object));
        if subscription.metadata.deletion_timestamp.is_some() {
            outcomes.insert(key, Outcome::accepted());
            continue;
        }
        let (recipients, wrong) = reader.read(subscription);
        candidates.push(Candidate {
            category: CategoryName(subscription.spec.category.clone()),
            is_exact: subscription.spec.policy == RecipientPolicy::Exact,
            first_seen: first_seen(None, &origin(&key)),
            recipients: wrong.is_empty().then_some(recipients),
            key: key.clone(),
        });
        outcomes.insert(key, Outcome::with(wrong));
    }
    let mut desired = choose(candidates, outcomes);
    let strays = declarations.stray_subscriptions.iter().map(|stray| &stray.object);
    let strays = strays.filter(|stray| {
        let distant = declarations.distant.contains(&subscription_key(stray));
        stray.metadata.deletion_timestamp.is_none() && !distant
    });
    desired.frozen.extend(strays.map(|stray| CategoryName(stray.spec.category.clone())));
    desired
}

/// Joins the objects of each category; of the exact ones the one that was first seen first counts,
/// ties by name.
fn choose(
    mut candidates: Vec<Candidate>,
    outcomes: &mut BTreeMap<ObjectKey, Outcome>,
) -> DesiredRecipients {
    candidates.sort_by(|a, b| rank(a).cmp(&rank(b)));
    let mut exact: BTreeMap<CategoryName, ObjectKey> = BTreeMap::new();
    let mut desired = DesiredRecipients::default();
    for Candidate { key, category, is_exact, first_seen: _, recipients } in candidates {
        let older = exact.get(&category).filter(|_| is_exact);
        if let Some(older) = older.filter(|_| recipients.is_some()) {
            let message = format!("{older} declares exactly who receives `{category}` already");
            let hint = "keep one of the two, or make this one `Additive`; the older counts";
            let wrong = Rejection::new(Reason::Conflict, "/spec/policy", message, hint);
            outcomes.insert(key, Outcome::with(vec![wrong]));
            continue;
        }
        if is_exact && older.is_none() {
            exact.insert(category.clone(), key.clone());
        }
        let Some(recipients) = recipients else {
            desired.frozen.insert(category);
            continue;
        };
        let entry = desired.categories.entry(category).or_default();
        for person in recipients {
            entry.recipients.entry(person).or_default().insert(origin(&key));
        }
        if is_exact {
            entry.exact = Some(origin(&key));
        }
    }
    desired
}

/// Order of objects; the least counts among exact ones.
fn rank(candidate: &Candidate) -> impl Ord + '_ {
    let ObjectKey { kind: _, namespace, name } = &candidate.key;
    (candidate.first_seen.is_none(), candidate.first_seen, namespace, name)
}

/// Where recipients are declared.
fn origin(key: &ObjectKey) -> Origin {
    let ObjectKey { kind: _, namespace, name } = key.clone();
    Origin { kind: OriginKind::NotificationSubscription, namespace, name, position: None }
}

/// Reads objects against what else is declared.
struct Reader<'a> {
    profile: Option<&'a Profile>,
    /// Teams that are being deleted.
    going: BTreeSet<(String, String)>,
    /// Addresses of Memberships, by namespace and name.
    memberships: BTreeMap<(String, String), &'a str>,
}

impl<'a> Reader<'a> {
    fn new(declarations: &'a Declarations, profile: Option<&'a Profile>) -> Self {
        let going = declarations.teams.iter().map(|team| &team.object);
        let going = going.filter(|team| team.metadata.deletion_timestamp.is_some());
        let memberships = declarations.memberships.iter().map(|membership| &*membership.object);
        Self {
            profile,
            going: going.map(|team| (namespace(&**team), team.name_any())).collect(),
            memberships: memberships
                .map(|object| ((namespace(object), object.name_any()), object.spec.email.as_str()))
                .collect(),
        }
    }

    /// The recipients that can be read, and everything that is wrong.
    fn read(
        &self,
        subscription: &NotificationSubscription,
    ) -> (BTreeSet<EmailAddress>, Vec<Rejection>) {
        let spec = &subscription.spec;
        let mut wrong: Vec<Rejection> = self.category(&spec.category).err().into_iter().collect();
        let space = namespace(subscription);
        wrong.extend(self.team_stays(&space, &spec.team_ref.name).err());
        let mut recipients = BTreeSet::new();
        for (position, entry) in spec.recipients.iter().enumerate() {
            match self.recipient(entry, &space, &format!("/spec/recipients/{position}")) {
                Ok(person) => drop(recipients.insert(person)),
                Err(rejection) => wrong.push(rejection),
            }
        }
        (recipients, wrong)
    }

    /// Refuses a team that is being deleted.
    fn team_stays(&self, space: &str, team: &str) -> Result<(), Rejection> {
        if !self.going.contains(&(space.to_owned(), team.to_owned())) {
            return Ok(());
        }
        let message = format!("Team `{team}` is being deleted");
        let hint = "delete this NotificationSubscription too, or make the Team again";
        Err(Rejection::new(Reason::ParentNotAccepted, "/spec/teamRef/name", message, hint))
    }

    /// Checks a category; without a profile none is known.
    fn category(&self, text: &str) -> Result<(), Rejection> {
        let profile = self.profile.ok_or_else(account_not_accepted)?;
        let pointer = "/spec/category";
        if profile.categories.is_empty() {
            let message = format!("profile `{}` has no categories of mail", profile.name);
            let hint =
                "take the NotificationSubscription out, or use an Account of a class that has";
            return Err(Rejection::new(Reason::ProfileCannot, pointer, message, hint));
        }
        if profile.category(text).is_some() {
            return Ok(());
        }
        let message = format!("{} is not a category of profile `{}`", quote(text), profile.name);
        let known = || profile.categories.iter().map(|category| category.name.as_str());
        let hint = match nearest(text, known()) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("its categories are {}", list(known())),
        };
        Err(Rejection::new(Reason::UnknownCategory, pointer, message, hint))
    }

    /// The person of one entry.
    fn recipient(
        &self,
        entry: &RecipientRef,
        space: &str,
        pointer: &str,
    ) -> Result<EmailAddress, Rejection> {
        match (&entry.email, &entry.membership_ref) {
            (Some(email), None) => address(email, format!("{pointer}/email")),
            (None, Some(reference)) => {
                let pointer = format!("{pointer}/membershipRef/name");
                let wanted = (space.to_owned(), reference.name.clone());
                match self.memberships.get(&wanted) {
                    Some(email) => address(email, pointer),
                    None => {
                        let near = self.memberships.keys().filter(|(near, _)| near == space);
                        let known = near.map(|(_, name)| name.as_str());
                        Err(not_found(&pointer, "Membership of this Account", &wanted, known))
                    }
                }
            }
            (Some(_), Some(_)) | (None, None) => {
                let message = "give exactly one of email and membershipRef";
                let hint = "name a member by address, or a Membership of the same namespace";
                Err(Rejection::new(Reason::InvalidSpec, pointer, message, hint))
            }
        }
    }
}
