//! A history: runs that are killed anywhere, answers that are lost, calls that arrive late, and
//! people who accept, decline and leave; at a service that knows each key once and takes one open
//! invitation a person. Every mail is counted.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::sample::select;
use seatkeeper::domain::desired::{Absence, AbsenceCause, DesiredMember};
use seatkeeper::domain::identity::{EmailAddress, MemberKey};
use seatkeeper::domain::keys::{ETag, MemberId, RequestKey, ResendMark};
use seatkeeper::domain::ledger_view::{Cause, PersonRecord, Seen};
use seatkeeper::domain::observed::{
    InvitationState, MemberState, ObservedInvitation, ObservedMember, RoleSeen, SeatLimit,
};
use seatkeeper::domain::ownership::{ObservedOwnershipChange, OwnershipState};
use seatkeeper::domain::policy::Mode;
use seatkeeper::plan::Plan;
use seatkeeper::plan::action::{Action, EndCause};
use seatkeeper::plan::simulate::{recount, step};

use super::effects::{
    added, change_team, claim, close_send, settle_sends, write_head, write_pages,
};
use super::generate::World;

/// How long the service knows a key.
const KNOWN_FOR: SignedDuration = SignedDuration::from_hours(24);

/// How long after it was made a call can still arrive: no connection lives longer.
const UNDER_WAY_FOR: SignedDuration = SignedDuration::from_hours(1);

/// Least time between two automatic mails to one person.
const DAY: SignedDuration = SignedDuration::from_hours(24);

/// One look with what goes before and what goes wrong in it.
#[derive(Clone, Debug)]
pub struct Round {
    /// Minutes since the last one.
    minutes: i64,
    /// What people do in between: whom, and what.
    events: Vec<(usize, Event)>,
    /// The limit from now on.
    limit: Option<u32>,
    /// Where the run is killed.
    death: Option<Death>,
    /// What becomes of each call, in order; `Fine` after the last.
    fates: Vec<Fate>,
}

/// What a person or the service does between two looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    Accept,
    Decline,
    Leave,
    Expire,
    Bounce,
    Vanish,
    NewEpoch,
    /// Somebody says that the invitation is to be sent again.
    SayAgain,
    /// A call that was under way arrives.
    Arrive,
    /// The present owner confirms, or the future one accepts.
    SayYes,
    /// One of them does not.
    SayNo,
    /// The person has a new address, and the declaration lists the old one.
    Rename,
    /// The declaration lists no earlier address any more that the ledger knows of.
    DropEarlier,
}

/// Where a run is killed.
#[derive(Clone, Copy, Debug)]
enum Death {
    BeforeHead,
    AfterHead,
    AfterPages,
    AfterCalls(usize),
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Fine,
    AnswerLost,
    /// Neither took effect nor answered; may still arrive.
    UnderWay,
}

/// Some rounds.
pub fn rounds() -> impl Strategy<Value = Vec<Round>> {
    let event = select(vec![
        Event::Accept,
        Event::Accept,
        Event::Decline,
        Event::Leave,
        Event::Expire,
        Event::Expire,
        Event::Bounce,
        Event::Vanish,
        Event::NewEpoch,
        Event::SayAgain,
        Event::Arrive,
        Event::Arrive,
        Event::SayYes,
        Event::SayYes,
        Event::SayNo,
        Event::Rename,
        Event::DropEarlier,
        Event::DropEarlier,
    ]);
    let death = prop_oneof![
        Just(Death::BeforeHead),
        Just(Death::AfterHead),
        Just(Death::AfterPages),
        (0..4_usize).prop_map(Death::AfterCalls),
    ];
    let fate = select(vec![Fate::Fine, Fate::Fine, Fate::AnswerLost, Fate::UnderWay]);
    let round = (
        select(vec![0, 1, 10, 61, 60 * 22, 60 * 25, 60 * 49]),
        prop::collection::vec((0..8_usize, event), 0..5),
        prop::option::weighted(0.3, 0..8_u32),
        prop::option::weighted(0.5, death),
        prop::collection::vec(fate, 0..6),
    );
    let round = round.prop_map(|(minutes, events, limit, death, fates)| Round {
        minutes,
        events,
        limit,
        death,
        fates,
    });
    prop::collection::vec(round, 1..9)
}

/// The account with its service and everything that was mailed.
pub struct History {
    pub world: World,
    /// Keys that the service has seen, and when.
    keys: BTreeMap<RequestKey, Timestamp>,
    /// Calls that may still arrive.
    under_way: Vec<Call>,
    /// Who refused (declined, left) after the ledger had seen them, and in which epoch.
    refused: BTreeMap<MemberKey, i64>,
    /// Mails by person, epoch and attempt.
    mails: BTreeMap<(MemberKey, i64, u32), u32>,
    /// Times of mails by person: those that nobody decided, and the others.
    times: BTreeMap<(MemberKey, bool), Vec<Timestamp>>,
    /// Whose each address is: the first one of the person.
    first: BTreeMap<EmailAddress, EmailAddress>,
    /// Rows that the ledger knows to be somebody's, by the present address.
    known: BTreeSet<(MemberKey, EmailAddress)>,
    /// Words that people said so far.
    words: u64,
    /// What went wrong, in words.
    pub wrong: Vec<String>,
}

/// An invitation on its way.
#[derive(Clone, Debug)]
struct Call {
    action: Action,
    cause: Cause,
    key: RequestKey,
    at: Timestamp,
}

impl History {
    /// Begins with an account; nothing is under way yet.
    pub fn of(mut world: World) -> Self {
        world.ledger.open_sends.clear();
        claim(&mut world);
        world.ledger.installation =
            world.observed.account.claim.as_ref().map(|claim| claim.installation.clone());
        Self {
            world,
            keys: BTreeMap::new(),
            under_way: Vec::new(),
            refused: BTreeMap::new(),
            mails: BTreeMap::new(),
            times: BTreeMap::new(),
            first: BTreeMap::new(),
            known: BTreeSet::new(),
            words: 1_000,
            wrong: Vec::new(),
        }
    }

    /// Plays one round.
    pub fn play(&mut self, round: &Round, number: usize) {
        self.world.now += SignedDuration::from_mins(round.minutes);
        for (whom, event) in &round.events {
            if let Some(person) = self.world.desired.people.keys().nth(*whom).cloned() {
                self.happen(&person, *event);
            }
        }
        self.end_declarations();
        if let Some(limit) = round.limit {
            let seats = &mut self.world.observed.account.seats;
            let limit = SeatLimit::Seats(limit);
            match seats.pools.values_mut().next() {
                Some(pool) => pool.limit = limit,
                None => seats.limit = limit,
            }
        }
        recount(&mut self.world.observed, &self.world.profile);
        settle_sends(&mut self.world);
        match self.world.plan() {
            Ok(plan) if plan.stop.is_none() => self.apply(&plan, round, number),
            Ok(plan) => write_head(&mut self.world, &plan, number),
            Err(error) => self.wrong.push(error.to_string()),
        }
        self.world.bind();
        recount(&mut self.world.observed, &self.world.profile);
        for ((person, epoch, attempt), mails) in &self.mails {
            if *mails > 1 {
                self.wrong.push(format!("{mails} mails to {person}, {epoch}, {attempt}"));
            }
        }
        for ((person, decided), times) in &self.times {
            // The history is shorter than 90 days; a call arrives up to an hour after it was made.
            let close = |pair: &[Timestamp]| pair[1].duration_since(pair[0]) < DAY - UNDER_WAY_FOR;
            if times.len() > 3 || (!decided && times.windows(2).any(close)) {
                self.wrong.push(format!("too many mails to {person}: {times:?}, {decided}"));
            }
        }
    }

    /// Head, pages, calls, known outcomes: killed wherever the round says.
    fn apply(&mut self, plan: &Plan, round: &Round, number: usize) {
        if matches!(round.death, Some(Death::BeforeHead)) {
            return;
        }
        write_head(&mut self.world, plan, number);
        if matches!(round.death, Some(Death::AfterHead)) {
            return;
        }
        self.check_people(plan);
        write_pages(&mut self.world, plan);
        self.note_people();
        let calls = match round.death {
            Some(Death::AfterPages) => 0,
            Some(Death::AfterCalls(calls)) => calls,
            _ => usize::MAX,
        };
        let teams = if calls == 0 { &[] } else { &*plan.teams.actions };
        teams.iter().for_each(|action| change_team(&mut self.world, action));
        let mut known = BTreeSet::new();
        for (n, action) in plan.actions.iter().enumerate().take(calls) {
            let fate = round.fates.get(n).copied().unwrap_or(Fate::Fine);
            if self.call(action, fate) {
                known.insert(action.person().clone());
            }
        }
        if round.death.is_none() {
            for person in &known {
                close_send(&mut self.world, person);
            }
            let adds = plan.actions.iter().filter(|action| matches!(action, Action::Add { .. }));
            for action in adds.filter(|action| known.contains(action.person())) {
                added(&mut self.world, action.person());
            }
        }
    }

    /// Nobody who is declared is removed under an earlier address that the ledger knows.
    fn check_people(&mut self, plan: &Plan) {
        let World { desired, observed, .. } = &self.world;
        let removed = plan
            .actions
            .iter()
            .filter(|action| matches!(action, Action::Remove { cause: EndCause::NotDeclared, .. }));
        for row in removed.map(Action::person) {
            let mut persons = self.known.iter().filter(|(known, _)| known == row);
            let is_declared = persons.any(|(_, person)| {
                let place = row.at(person);
                desired.people.contains_key(&place)
                    && !observed.members.contains_key(&place)
                    && !observed.invitations.contains_key(&place)
            });
            if is_declared {
                self.wrong.push(format!("{row} is removed, and declared by another address"));
            }
        }
    }

    /// What the ledger knows of earlier addresses from now on: rows that are ours.
    fn note_people(&mut self) {
        let World { desired, ledger, policy, .. } = &self.world;
        if policy.mode == Mode::Observe {
            return;
        }
        let owned = ledger.people.iter().filter(|(_, record)| record.owned);
        let known = owned.filter_map(|(row, _)| {
            let present = desired.formerly.get(&row.person)?;
            Some((row.clone(), present.clone()))
        });
        let known: Vec<_> = known.collect();
        // Who has an address of their own again, or was let go, is nobody else.
        let stays = |(row, _): &(MemberKey, EmailAddress)| {
            !desired.addresses().contains(&row.person)
                && ledger.people.get(row).is_some_and(|record| record.owned)
        };
        self.known.retain(stays);
        self.known.extend(known);
    }

    /// Gives a person a new address.
    fn rename(&mut self, person: &EmailAddress, number: usize) {
        let desired = &mut self.world.desired;
        let elsewhere = |key: &MemberKey| key.person == *person;
        if desired.absent.keys().chain(&desired.frozen).any(elsewhere) {
            return;
        }
        let text = format!("n{number}-{person}");
        let new = EmailAddress::parse(&text).expect("an address");
        let places: Vec<_> =
            desired.people.keys().filter(|key| key.person == *person).cloned().collect();
        for place in places {
            let member = desired.people.remove(&place).expect("just seen");
            desired.people.insert(place.at(&new), member);
        }
        for present in desired.formerly.values_mut().filter(|present| *present == person) {
            present.clone_from(&new);
        }
        desired.formerly.insert(person.clone(), new.clone());
        let first = self.first.get(person).unwrap_or(person).clone();
        self.first.insert(new, first);
    }

    /// The person under the first address.
    fn first(&self, key: &MemberKey) -> MemberKey {
        self.first.get(&key.person).map_or_else(|| key.clone(), |first| key.at(first))
    }

    /// The row of a person: under the present address, or under an earlier one.
    fn row_of(&self, person: &MemberKey) -> MemberKey {
        let World { observed, .. } = &self.world;
        let rows = observed.members.keys().chain(observed.invitations.keys());
        let mut rows = rows.filter(|row| self.first(row) == self.first(person));
        let own = rows.clone().find(|row| *row == person);
        own.or_else(|| rows.next()).unwrap_or(person).clone()
    }

    /// Makes one call; true if its outcome is known.
    fn call(&mut self, action: &Action, fate: Fate) -> bool {
        let Some((cause, _)) = action.invitation_mail() else {
            if fate != Fate::UnderWay {
                step(&mut self.world.observed, action, &self.world.profile, self.world.now);
            }
            return fate == Fate::Fine;
        };
        let key = self.world.ledger.open_sends[action.person()].key.clone();
        let call = Call { action: action.clone(), cause, key, at: self.world.now };
        match fate {
            Fate::Fine | Fate::AnswerLost => self.arrive(&call),
            Fate::UnderWay => self.under_way.push(call),
        }
        fate == Fate::Fine
    }

    /// The service takes an invitation: each key once, one open invitation a person, no members;
    /// one that is sent again only as it was seen.
    fn arrive(&mut self, call: &Call) {
        let World { observed, now, .. } = &mut self.world;
        let now = *now;
        self.keys.retain(|_, at| now.duration_since(*at) < KNOWN_FOR);
        let person = call.action.person().clone();
        let row = observed.invitations.get(&person);
        let is_open =
            |rows: &Vec<_>| rows.iter().any(|row: &ObservedOwnershipChange| row.state.is_open());
        let asks = matches!(call.action, Action::ChangeOwner { .. });
        let fits = match &call.action {
            Action::ChangeOwner { .. } => !observed.ownership_changes.as_ref().is_some_and(is_open),
            Action::Resend { invitation, .. } => row.is_some_and(|row| {
                (&row.id, &row.etag) == (&invitation.id, &invitation.etag)
                    && row.state != InvitationState::Declined
            }),
            _ => row.is_none_or(|row| row.state != InvitationState::Pending),
        };
        let is_member = !asks && observed.members.contains_key(&person);
        if self.keys.contains_key(&call.key) || is_member || !fits {
            return;
        }
        self.keys.insert(call.key.clone(), now);
        let Cause { epoch, attempt, decided, .. } = call.cause;
        if !asks && self.refused.get(&self.first(&person)).is_some_and(|at| epoch <= *at) {
            self.wrong.push(format!("a mail to {person}, who refused in epoch {epoch}"));
        }
        let World { observed, profile, .. } = &mut self.world;
        *self.mails.entry((person.clone(), epoch, attempt)).or_insert(0) += 1;
        self.times.entry((person, decided)).or_default().push(now);
        step(observed, &call.action, profile, now);
    }

    fn happen(&mut self, person: &MemberKey, event: Event) {
        let row = &self.row_of(person);
        match event {
            Event::Rename => self.rename(&person.person, self.first.len()),
            Event::DropEarlier => {
                let World { desired, ledger, .. } = &mut self.world;
                let known = &self.known;
                desired.formerly.retain(|old, present| {
                    let mut rows = ledger.people.keys().filter(|row| row.person == *old);
                    *present != person.person
                        || !rows.all(|row| known.contains(&(row.clone(), present.clone())))
                });
            }
            Event::Arrive => {
                let now = self.world.now;
                self.under_way.retain(|call| now.duration_since(call.at) <= UNDER_WAY_FOR);
                let at = self.under_way.iter().position(|call| call.action.person() == person);
                if let Some(at) = at {
                    let call = self.under_way.remove(at);
                    self.arrive(&call);
                }
            }
            Event::NewEpoch => {
                let member = self.world.desired.people.get_mut(person).expect("declared");
                member.invite_epoch += 1;
            }
            Event::SayAgain => {
                self.words += 1;
                let member = self.world.desired.people.get_mut(person).expect("declared");
                member.resend = Some(ResendMark(self.words));
            }
            Event::SayYes | Event::SayNo => self.answer(person, event == Event::SayYes),
            Event::Accept => self.accept(row),
            Event::Leave => {
                if self.world.observed.members.remove(row).is_some() {
                    self.refuse(row, &[Seen::Member, Seen::Trimmed]);
                }
            }
            Event::Decline => self.end_invitation(row, InvitationState::Declined),
            Event::Expire => self.end_invitation(row, InvitationState::Expired),
            Event::Bounce => self.end_invitation(row, InvitationState::Failed),
            Event::Vanish => self.vanish(row),
        }
    }

    /// Declarations that have ended.
    fn end_declarations(&mut self) {
        let World { desired, now, .. } = &mut self.world;
        let ended = |(_, member): &(&MemberKey, &DesiredMember)| {
            member.ends_at.is_some_and(|ends_at| ends_at <= *now)
        };
        let ended: Vec<_> =
            desired.people.iter().filter(ended).map(|(person, _)| person.clone()).collect();
        for person in ended {
            let member = desired.people.remove(&person).expect("just seen");
            let absence = Absence { cause: AbsenceCause::Ended, origin: member.origin };
            desired.absent.insert(person, absence);
        }
    }

    /// An answer to the question for an owner.
    fn answer(&mut self, person: &MemberKey, yes: bool) {
        let World { observed, .. } = &mut self.world;
        let mut places = observed.members.iter_mut().filter(|(key, _)| key.person == person.person);
        let rows = observed.ownership_changes.iter_mut().flatten();
        let Some(row) = rows.into_iter().find(|row| row.state.is_open()) else { return };
        let Some((_, member)) = places.find(|(_, member)| member.id == row.member) else { return };
        row.etag = ETag(format!("{}+", row.etag));
        row.state = match (yes, row.state) {
            (true, OwnershipState::Unconfirmed) => OwnershipState::Unaccepted,
            (true, _) => {
                member.role = RoleSeen::Known(row.role.clone());
                OwnershipState::Done
            }
            (false, _) => OwnershipState::Ended,
        };
    }

    /// A row goes; a no that no look has seen goes with it.
    fn vanish(&mut self, person: &MemberKey) {
        let row = self.world.observed.invitations.remove(person);
        let declined = row.is_some_and(|row| row.state == InvitationState::Declined);
        let known = self.world.ledger.people.get(person).is_some_and(|record| record.opted_out);
        if declined && !known {
            let first = self.first(person);
            self.refused.remove(&first);
        }
    }

    fn accept(&mut self, person: &MemberKey) {
        let observed = &mut self.world.observed;
        let pending = |row: &&mut ObservedInvitation| row.state == InvitationState::Pending;
        if observed.invitations.get_mut(person).filter(pending).is_none() {
            return;
        }
        let row = observed.invitations.remove(person).expect("just seen");
        let member = ObservedMember {
            id: MemberId(format!("mem_{person}")),
            etag: ETag::from("1"),
            role: row.role,
            state: MemberState::Active,
            added_at: row.created_at,
            joined_at: self.world.now,
            agency: false,
        };
        observed.members.insert(person.clone(), member);
    }

    fn end_invitation(&mut self, person: &MemberKey, state: InvitationState) {
        let row = self.world.observed.invitations.get_mut(person);
        let Some(row) = row.filter(|row| row.state == InvitationState::Pending) else { return };
        row.state = state;
        row.expires_at = self.world.now;
        row.etag = ETag(format!("{}+", row.etag));
        if state == InvitationState::Declined {
            self.refuse(person, &[Seen::Invited]);
        }
    }

    /// Remembers a refusal that the ledger can know of: it had seen what was refused, and had not
    /// decided on its own to end it.
    fn refuse(&mut self, person: &MemberKey, seen: &[Seen]) {
        let record = self.world.ledger.people.get(person);
        let knew = |record: &&PersonRecord| seen.contains(&record.seen) && record.paid.is_none();
        if let Some(record) = record.filter(knew) {
            let epoch = record.epoch;
            self.refused.insert(self.first(person), epoch);
        }
    }
}
