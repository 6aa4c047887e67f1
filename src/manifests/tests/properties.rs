//! What holds for any set of objects.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::api::ObjectMeta;
use proptest::prelude::*;

use super::ACCOUNT;
use crate::api;
use crate::domain::desired::Origin;
use crate::domain::identity::{EmailAddress, MemberKey};
use crate::manifests::accounts::Objects;
use crate::manifests::documents::Collector;
use crate::manifests::resolve::Resolved;
use crate::manifests::resolve::resolve;
use crate::manifests::source::Declared;
use crate::profile::built_in;

/// Whether an object is there or on its way out.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Life {
    Here,
    Going,
}

/// A team or a membership, as small as can be.
#[derive(Clone, Debug)]
struct Thing {
    life: Life,
    /// Name of what it belongs to; there may be nothing of that name.
    parent: &'static str,
    /// Address and role of each line; a membership takes the first.
    lines: Vec<(&'static str, Option<&'static str>)>,
}

fn thing(parents: &'static [&'static str]) -> impl Strategy<Value = Thing> {
    let email = prop::sample::select(&["ana@x.io", "ANA@x.io", "bo@x.io", "cyd@x.io", "dee", "e@"]);
    let role = prop::sample::select(&["owner", "admin", "developer", "biller", "nurse"]);
    let lines = prop::collection::vec((email, prop::option::weighted(0.9, role)), 1..4);
    let life = prop::sample::select(&[Life::Here, Life::Here, Life::Here, Life::Going]);
    (life, prop::sample::select(parents), lines).prop_map(|(life, parent, lines)| Thing {
        life,
        parent,
        lines,
    })
}

fn metadata(name: String, life: Life) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some("web".to_owned()),
        deletion_timestamp: (life == Life::Going).then_some(Time(Timestamp::UNIX_EPOCH)),
        ..Default::default()
    }
}

fn team(position: usize, thing: &Thing) -> Declared<api::Team> {
    let line = |(email, role): &(&str, Option<&str>)| api::RosterLine {
        email: (*email).to_owned(),
        formerly: vec![],
        first_name: None,
        last_name: None,
        reason: None,
        role: role.map(str::to_owned),
        expires_at: None,
        priority: 0,
        invite_epoch: 0,
    };
    let spec = api::TeamSpec {
        display_name: None,
        team_id: None,
        subscription: None,
        require_secure_sign_in: None,
        account_ref: api::AccountRef { name: thing.parent.to_owned(), namespace: None },
        default_role: (position == 1).then(|| "nurse".to_owned()),
        deletion_policy: api::DeletionPolicy::Revoke,
        roster: thing.lines.iter().map(line).collect(),
    };
    let metadata = metadata(format!("team-{position}"), thing.life);
    Arc::new(api::Team { metadata, spec, status: None }).into()
}

fn membership(position: usize, thing: &Thing) -> Declared<api::Membership> {
    let (email, role) = thing.lines[0];
    let spec = api::MembershipSpec {
        team_ref: Some(api::NameRef { name: thing.parent.to_owned() }),
        account_ref: None,
        email: email.to_owned(),
        formerly: vec![],
        first_name: None,
        last_name: None,
        reason: None,
        role: role.unwrap_or("admin").to_owned(),
        state: api::Wanted::Present,
        expires_at: None,
        priority: 0,
        invite_epoch: 0,
        deletion_policy: api::DeletionPolicy::Revoke,
    };
    let metadata = metadata(format!("member-{position}"), thing.life);
    Arc::new(api::Membership { metadata, spec, status: None }).into()
}

/// The objects with the usual account and class.
fn objects(teams: &[Thing], memberships: &[Thing]) -> Objects {
    static ACCOUNTS: LazyLock<Objects> = LazyLock::new(|| {
        let mut collector = Collector::new();
        collector.file("m.yaml", ACCOUNT);
        collector.objects
    });
    let mut objects = ACCOUNTS.clone();
    objects.teams = teams.iter().enumerate().map(|(i, thing)| team(i, thing)).collect();
    objects.memberships =
        memberships.iter().enumerate().map(|(i, thing)| membership(i, thing)).collect();
    objects
}

/// Resolves; `known` is an object that was seen before.
fn run(objects: &Objects, known: &str) -> Resolved {
    let sorted = objects.by_account();
    let seen = |_: Option<&MemberKey>, origin: &Origin| {
        (origin.name == known).then_some(Timestamp::UNIX_EPOCH)
    };
    resolve(&sorted.accounts[0], built_in("nitropack").as_deref(), &seen, Timestamp::UNIX_EPOCH)
}

/// People of objects that are not on their way out.
fn living(things: &[Thing], lines: usize) -> BTreeSet<MemberKey> {
    let here = things.iter().filter(|thing| thing.life == Life::Here);
    let emails = here.flat_map(|thing| thing.lines.iter().take(lines).map(|(email, _)| *email));
    emails.filter_map(|email| Some(EmailAddress::parse(email).ok()?.into())).collect()
}

proptest! {
    #[test]
    fn nobody_with_a_living_declaration_is_forgotten_and_nobody_is_made_up(
        teams in prop::collection::vec(thing(&["acme", "acme", "lost"]), 0..3),
        memberships in prop::collection::vec(thing(&["team-0", "team-1", "lost"]), 0..4),
        known in prop::sample::select(&["team-0", "member-0", "member-1"]),
    ) {
        let resolved = run(&objects(&teams, &memberships), known);
        let mut wanted = living(&teams, usize::MAX);
        wanted.extend(living(&memberships, 1));
        let declared: BTreeSet<MemberKey> = resolved.desired.people.keys().cloned().collect();
        prop_assert!(declared.is_disjoint(&resolved.desired.frozen));
        let all: BTreeSet<MemberKey> = declared.union(&resolved.desired.frozen).cloned().collect();
        prop_assert_eq!(all, wanted);
    }

    #[test]
    fn who_counts_does_not_depend_on_the_order_of_the_objects(
        teams in prop::collection::vec(thing(&["acme", "lost"]), 0..3),
        memberships in prop::collection::vec(thing(&["team-0", "team-1", "lost"]), 0..4),
        known in prop::sample::select(&["team-0", "member-0", "nothing"]),
    ) {
        let there = objects(&teams, &memberships);
        let mut back = there.clone();
        back.teams.reverse();
        back.memberships.reverse();
        let (there, mut back) = (run(&there, known), run(&back, known));
        back.leaving.sort_by(|a, b| a.origin.cmp(&b.origin));
        let mut sorted = there.clone();
        sorted.leaving.sort_by(|a, b| a.origin.cmp(&b.origin));
        prop_assert_eq!(sorted, back);
    }

    #[test]
    fn an_object_that_counted_goes_on_counting_when_others_come(
        before in prop::collection::vec(thing(&["team-0"]), 1..3),
        after in prop::collection::vec(thing(&["team-0"]), 0..3),
    ) {
        let team = Thing { life: Life::Here, parent: "acme", lines: Vec::new() };
        let mut before = before;
        before[0].life = Life::Here;
        let first = run(&objects(std::slice::from_ref(&team), &before[..1]), "member-0");
        before.extend(after);
        let second = run(&objects(&[team], &before), "member-0");
        for (person, member) in &first.desired.people {
            prop_assert_eq!(second.desired.people.get(person), Some(member));
        }
        prop_assert!(first.desired.frozen.is_subset(&second.desired.frozen));
    }
}
