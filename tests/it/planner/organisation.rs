//! Generated accounts with many teams under several subscriptions: people of two teams, teams that
//! are linked anew, that are not there yet or not any more.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::select;
use seatkeeper::domain::desired::Desired;
use seatkeeper::domain::identity::{EmailAddress, MemberKey, TeamKey};
use seatkeeper::domain::keys::{ETag, SubscriptionId, TeamId, TeamRef};
use seatkeeper::domain::observed::{MemberState, ObservedSubscription, PoolSeats, SeatLimit};
use seatkeeper::domain::teams::{DesiredTeam, ObservedTeam, TeamState};

use super::generate::{
    Life, World, empty_account, finish, ledger, life, member_row, now, policy, rename, renames,
    settle_in,
};
use super::profiles;
use super::words::person;

/// Teams, at most.
const TEAMS: usize = 3;
/// Subscriptions, all of one plan.
const SUBSCRIPTIONS: usize = 3;
/// People, at most; the company admin comes on top.
const PEOPLE: usize = 5;

/// What is true of one team.
#[derive(Clone, Debug)]
struct Team {
    declared: Option<Declared>,
    there: Option<There>,
    /// The ledger knows it.
    known: bool,
}

#[derive(Clone, Debug)]
struct Declared {
    subscription: Option<usize>,
    passive: bool,
    renamed: bool,
}

#[derive(Clone, Debug)]
struct There {
    subscription: Option<usize>,
    state: TeamState,
    /// It carries the reference of its declaration.
    referenced: bool,
}

/// Any account with many teams.
pub fn organisation() -> impl Strategy<Value = World> {
    let teams = prop::collection::vec(team(), 1..=TEAMS);
    let in_team = life(vec!["team-admin".into(), "member".into()]);
    // Places of one person, by team; the last is the account as a whole.
    let in_account = prop::option::weighted(0.2, life(vec!["company-admin".into()]));
    let places = (prop::collection::btree_map(0..TEAMS, in_team, 0..=2), in_account);
    let places = places.prop_map(|(mut places, in_account)| {
        places.extend(in_account.map(|life| (TEAMS, life)));
        places
    });
    let people = (prop::collection::vec(places, 0..=PEOPLE), renames());
    let limit = prop_oneof![
        1 => Just(SeatLimit::Unlimited),
        5 => (0..6_u32).prop_map(SeatLimit::Seats),
    ];
    let limits = prop::collection::vec((limit, prop::bool::weighted(0.9)), SUBSCRIPTIONS);
    let account =
        (prop::bool::weighted(0.05), prop::bool::weighted(0.9), prop::option::of(any::<bool>()));
    (teams, people, limits, (policy(), ledger()), account).prop_map(
        |(
            teams,
            (people, renames),
            limits,
            (policy, ledger),
            (disabled, reads_changes, sign_in),
        )| {
            let mut world = World {
                desired: Desired { secure_sign_in: sign_in, ..Desired::default() },
                observed: empty_account(SeatLimit::Unlimited, disabled),
                profile: profiles::profile("catalogue"),
                policy,
                ledger,
                now: now(),
                called: BTreeMap::new(),
            };
            subscribe(&mut world, &limits);
            let admin = member_row("admin", Some("company-admin".into()), MemberState::Active, 1);
            world.observed.members.insert(person("admin@example.com"), admin);
            for (n, team) in teams.iter().enumerate() {
                set_up(&mut world, n, team);
            }
            for (n, places) in people.into_iter().enumerate() {
                let address = person(&format!("p{n}@example.com")).person;
                for (place, life) in places {
                    move_in(&mut world, &teams, (&address, n), (place, life));
                }
            }
            world.bind();
            rename(&mut world, &renames);
            finish(&mut world, false, reads_changes);
            world
        },
    )
}

fn team() -> impl Strategy<Value = Team> {
    let subscription = || prop::option::weighted(0.9, 0..SUBSCRIPTIONS);
    let declared = (subscription(), prop::bool::weighted(0.1), prop::bool::weighted(0.2));
    let declared = declared.prop_map(|(subscription, passive, renamed)| Declared {
        subscription,
        passive,
        renamed,
    });
    let state = select(vec![
        TeamState::Active,
        TeamState::Active,
        TeamState::Active,
        TeamState::Active,
        TeamState::Inactive,
        TeamState::Pending,
        TeamState::Unknown,
    ]);
    let there = (subscription(), state, prop::bool::weighted(0.8));
    let there = there.prop_map(|(subscription, state, referenced)| There {
        subscription,
        state,
        referenced,
    });
    (prop::option::weighted(0.85, declared), prop::option::weighted(0.85, there), any::<bool>())
        .prop_map(|(declared, there, known)| Team { declared, there, known })
}

fn subscription(n: usize) -> SubscriptionId {
    SubscriptionId(format!("sub_{n}"))
}

fn team_id(n: usize) -> TeamId {
    TeamId(format!("team_{n}"))
}

fn reference(n: usize) -> TeamRef {
    TeamRef(format!("web/team-{n}"))
}

/// Subscriptions with their seats; one that is over has seats and no row.
fn subscribe(world: &mut World, limits: &[(SeatLimit, bool)]) {
    let account = &mut world.observed.account;
    for (n, (limit, runs)) in limits.iter().enumerate() {
        let (id, plan) = (subscription(n), "growth".into());
        account.seats.pools.insert(id.clone(), PoolSeats { limit: *limit, used: 0 });
        if *runs {
            account.subscriptions.push(ObservedSubscription { id, plan, ends_at: None });
        }
    }
}

fn set_up(world: &mut World, n: usize, team: &Team) {
    let Team { declared, there, known } = team;
    if let Some(Declared { subscription: to, passive, renamed }) = declared {
        let name = if *renamed { format!("New team {n}") } else { format!("Team {n}") };
        let (subscription, passive) = (to.map(subscription), *passive);
        let team = DesiredTeam { id: None, name, subscription, passive };
        world.desired.teams.insert(reference(n), team);
    }
    if let Some(There { subscription: of, state, referenced }) = there {
        let row = ObservedTeam {
            etag: ETag::from("1"),
            name: format!("Team {n}"),
            reference: referenced.then(|| reference(n)),
            subscription: of.map(subscription),
            state: *state,
        };
        world.observed.teams.insert(team_id(n), row);
    }
    if *known {
        world.ledger.teams.insert(reference(n), team_id(n));
    }
}

/// Puts a person into a team, or into the account as a whole, as far as there is such a place.
fn move_in(
    world: &mut World,
    teams: &[Team],
    (address, position): (&EmailAddress, usize),
    (place, life): (usize, Life),
) {
    let key = |team| MemberKey { person: address.clone(), team };
    if place == TEAMS {
        return settle_in(world, &key(None), &life.beyond_invitations(), position);
    }
    let Some(team) = teams.get(place) else { return };
    // Who is declared is declared by the reference; who is there is there by the id.
    if team.declared.is_some() {
        let key = key(Some(TeamKey::Declared(reference(place))));
        settle_in(world, &key, &life.clone().nowhere(), position);
    }
    if team.there.is_some() {
        let key = key(Some(TeamKey::Known(team_id(place))));
        settle_in(world, &key, &life.undeclared(), position);
    }
}
