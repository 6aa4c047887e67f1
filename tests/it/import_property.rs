//! What an import makes of any account is accepted, and asks nobody for anything: neither in mode
//! Exclusive, nor however large the account is.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use proptest::prelude::*;
use seatkeeper::domain::identity::{EmailAddress, MemberKey, TeamKey};
use seatkeeper::domain::keys::{ETag, MemberId, RoleName, SubscriptionId, TeamId};
use seatkeeper::domain::ledger_view::LedgerView;
use seatkeeper::domain::observed::{Observed, RoleSeen};
use seatkeeper::domain::policy::Mode;
use seatkeeper::domain::teams::{ObservedTeam, TeamState};
use seatkeeper::manifests::{Exported, Names, export, parse, resolve};
use seatkeeper::plan::action::Action;
use seatkeeper::plan::simulate::recount;
use seatkeeper::plan::{Input, Plan, plan};
use seatkeeper::profile::{Profile, built_in};

use super::planner::generate::world;
use super::world::{account, member};

fn exported(profile: &Profile, observed: &Observed) -> Exported {
    let names = Names { url: "https://a.example", ca_bundle: None, name: "acme", namespace: "web" };
    export(&names, profile, observed).unwrap()
}

/// What the manifests would do in mode Exclusive; they must be accepted whole.
fn planned(exported: &Exported, profile: &Profile, observed: &Observed, now: Timestamp) -> Plan {
    declared(exported, profile, observed, now).0
}

/// That, and who is declared where.
fn declared(
    exported: &Exported,
    profile: &Profile,
    observed: &Observed,
    now: Timestamp,
) -> (Plan, BTreeSet<MemberKey>) {
    let files = parse(&exported.files);
    assert_eq!(files.problems, []);
    let sorted = files.objects.by_account();
    assert_eq!(sorted.problems, []);
    let resolved = resolve(&sorted.accounts[0], Some(profile), &|_, _| None, now);
    assert_eq!(resolved.problems, []);
    let mut policy = resolved.policy.unwrap();
    policy.mode = Mode::Exclusive;
    let desired = resolved.desired.bound(&observed.teams, &BTreeMap::new());
    let (desired, ledger) = (&*desired, &LedgerView::default());
    let input = Input { desired, observed, profile, policy: &policy, ledger, now };
    (plan(&input).unwrap(), desired.people.keys().cloned().collect())
}

/// No role has more holders than it may.
fn owners_fit(profile: &Profile, observed: &Observed) -> bool {
    profile.roles.iter().all(|role| {
        let held = observed.members.values().filter(|row| row.role.known() == Some(&role.name));
        role.max_holders.is_none_or(|most| held.count() <= most as usize)
    })
}

proptest! {
    // rule: OP-02
    // rule: OP-06
    #[test]
    fn an_import_of_any_account_asks_nobody_and_ends_no_place_that_it_declares(world in world()) {
        let mut observed = world.observed.clone();
        observed.account.claim = None;
        recount(&mut observed, &world.profile);
        prop_assume!(owners_fit(&world.profile, &observed));
        let exported = exported(&world.profile, &observed);
        let (plan, declared) = declared(&exported, &world.profile, &observed, world.now);
        prop_assert_eq!(&plan.stop, &None);
        for action in plan.actions.iter().chain(plan.held.iter().map(|held| &held.action)) {
            let person = action.person().to_string();
            let left_out = exported.left_out.iter().any(|why| why.starts_with(&person));
            let is_declared = declared.contains(action.person());
            let fine = match action {
                // Who is trimmed while a seat is free comes back, which mails no invitation.
                Action::Reinstate { .. } => is_declared,
                Action::Remove { .. } | Action::RevokeInvitation { .. } => left_out && !is_declared,
                _ => false,
            };
            prop_assert!(fine, "{}\n{:?}", action, exported);
        }
    }
}

/// `n` members in a role, in the account or in a team.
fn crowd(observed: &mut Observed, n: usize, role: &str, team: Option<&str>, now: Timestamp) {
    for number in 0..n {
        let person = EmailAddress::parse(&format!("p{number}@example.com")).unwrap();
        let team = team.map(|team| TeamKey::Known(TeamId(team.to_owned())));
        let row = member(MemberId(format!("mem_{number}")), RoleSeen::Known(role.into()), now);
        observed.members.insert(MemberKey { person, team }, row);
    }
}

#[test]
fn more_people_than_one_team_object_takes_are_several() {
    let (profile, now) = (built_in("digitalocean").unwrap(), Timestamp::UNIX_EPOCH);
    let mut observed = account(&profile, now);
    crowd(&mut observed, 4001, "member", None, now);
    recount(&mut observed, &profile);
    let exported = exported(&profile, &observed);
    let teams: Vec<_> =
        exported.files.iter().filter(|(name, _)| name.starts_with("team")).collect();
    let sizes: Vec<_> = teams.iter().map(|(_, text)| text.matches("email: ").count()).collect();
    assert_eq!(sizes, [2000, 2000, 2]);
    assert!(planned(&exported, &profile, &observed, now).is_empty());
    assert_eq!(exported.counts.people, 4002);
}

// rule: CT-01
#[test]
fn of_a_large_team_of_many_the_rest_are_memberships() {
    let (profile, now) = (built_in("catalogue").unwrap(), Timestamp::UNIX_EPOCH);
    let mut observed = account(&profile, now);
    let admin = RoleSeen::Known(RoleName("company-admin".to_owned()));
    observed.members.values_mut().for_each(|owner| owner.role = admin.clone());
    let team = ObservedTeam {
        etag: ETag("1".to_owned()),
        name: "Design".to_owned(),
        reference: None,
        subscription: Some(SubscriptionId("sub_big".to_owned())),
        state: TeamState::Active,
    };
    observed.teams.insert(TeamId("team_design".to_owned()), team);
    crowd(&mut observed, 2003, "member", Some("team_design"), now);
    recount(&mut observed, &profile);
    let exported = exported(&profile, &observed);
    let of = |file: &str| {
        let text = exported.files.iter().find(|(name, _)| name == file).unwrap().1.clone();
        text.matches("email: ").count()
    };
    assert_eq!(of("team-design.yaml"), 2000);
    assert_eq!(of("memberships-design.yaml"), 3);
    assert_eq!(of("memberships.yaml"), 1);
    assert!(planned(&exported, &profile, &observed, now).is_empty());
}
