//! The planner on recipients of categories of mail: cases in values.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use seatkeeper::domain::desired::{DeletionPolicy, Desired, DesiredMember, Origin, OriginKind};
use seatkeeper::domain::identity::{EmailAddress, MemberKey};
use seatkeeper::domain::keys::{ETag, InvitationId, MemberId};
use seatkeeper::domain::ledger_view::{LedgerView, Ownership, PersonRecord, Seen};
use seatkeeper::domain::observed::{
    InvitationState, MemberState, Observed, ObservedInvitation, RoleSeen,
};
use seatkeeper::domain::policy::{Mode, Policy};
use seatkeeper::domain::recipients::{ExactRecord, ObservedCategory, ReceivesBy};
use seatkeeper::plan::simulate::recount;
use seatkeeper::plan::{Input, Plan, plan};
use seatkeeper::profile::{Profile, built_in};

use crate::world::{account, member, policy};

/// Implied and chosen.
type By = (bool, bool);

const CHOSEN: By = (false, true);
const IMPLIED: By = (true, false);

/// An account with its owner.
struct Case {
    profile: Arc<Profile>,
    policy: Policy,
    desired: Desired,
    observed: Observed,
    ledger: LedgerView,
    now: Timestamp,
}

fn person(name: &str) -> EmailAddress {
    EmailAddress::parse(&format!("{name}@example.com")).unwrap()
}

fn key(name: &str) -> MemberKey {
    person(name).into()
}

fn origin(kind: OriginKind, name: &str) -> Origin {
    Origin { kind, namespace: "web".to_owned(), name: name.to_owned(), position: None }
}

impl Case {
    /// Everyone is to receive `billing`; the service has the categories of the profile.
    fn new(mode: Mode) -> Self {
        let profile = built_in("nitropack").unwrap();
        let now: Timestamp = "2026-03-01T12:00:00Z".parse().unwrap();
        let mut observed = account(&profile, now);
        let roles = profile.roles.iter().map(|role| role.name.clone());
        let category = ObservedCategory { open_to: roles.collect(), recipients: BTreeMap::new() };
        observed.categories = Some(BTreeMap::from([("billing".into(), category)]));
        let policy = Policy { mode, ..policy() };
        let (desired, ledger) = (Desired::default(), LedgerView::default());
        Self { profile, policy, desired, observed, ledger, now }
    }

    /// A member, declared or not.
    fn member(&mut self, name: &str, role: &str) -> &mut Self {
        let id = MemberId(format!("mem_{name}"));
        let row = member(id, RoleSeen::Known(role.into()), self.now);
        self.observed.members.insert(key(name), row);
        recount(&mut self.observed, &self.profile);
        self
    }

    /// Somebody whom a Membership declares.
    fn person(&mut self, name: &str, role: &str) -> &mut Self {
        let wanted = DesiredMember {
            ends_at: None,
            priority: 0,
            name: None,
            message: None,
            said: None,
            role: role.into(),
            invite_epoch: 0,
            resend: None,
            deletion_policy: DeletionPolicy::Revoke,
            origin: origin(OriginKind::Membership, name),
        };
        self.desired.people.insert(key(name), wanted);
        let record = PersonRecord {
            first_seen: self.now,
            declared_by: Some(format!("Membership web/{name}")),
            owned: true,
            seen: Seen::Member,
            epoch: 0,
            opted_out: false,
            lost: false,
            renamed: false,
            parted: false,
            deletion_policy: DeletionPolicy::Revoke,
            held: false,
            paid: None,
            ownership: Ownership::None,
            mails: Default::default(),
        };
        self.ledger.people.insert(key(name), record);
        self
    }

    fn declare(&mut self, names: &[&str]) -> &mut Self {
        let category = self.desired.recipients.categories.entry("billing".into()).or_default();
        for name in names {
            let object = origin(OriginKind::NotificationSubscription, "billing-mail");
            category.recipients.insert(person(name), BTreeSet::from([object]));
        }
        self
    }

    fn exact(&mut self) -> &mut Self {
        let category = self.desired.recipients.categories.entry("billing".into()).or_default();
        category.exact = Some(origin(OriginKind::NotificationSubscription, "billing-mail"));
        self
    }

    /// Somebody receives `billing`.
    fn receives(&mut self, name: &str, (implied, chosen): By) -> &mut Self {
        let categories = self.observed.categories.as_mut().unwrap();
        let billing = categories.get_mut(&"billing".into()).unwrap();
        billing.recipients.insert(MemberId(format!("mem_{name}")), ReceivesBy { implied, chosen });
        self
    }

    /// We made somebody a recipient.
    fn ours(&mut self, name: &str) -> &mut Self {
        self.ledger.recipients.insert(person(name), BTreeSet::from(["billing".into()]));
        self
    }

    fn plan(&self) -> Plan {
        let Self { profile, policy, desired, observed, ledger, now } = self;
        plan(&Input { desired, observed, profile, policy, ledger, now: *now }).unwrap()
    }

    /// Actions, what is held, where each recipient stands, then what the ledger learns.
    #[track_caller]
    fn says(&self, expected: &[&str]) {
        let plan = self.plan().recipients;
        let mut text = String::new();
        for action in &plan.actions {
            let _ = writeln!(text, "{action}");
        }
        for held in &plan.held {
            let _ = writeln!(text, "! {} ({})", held.action, held.rule.reason());
        }
        for outlook in plan.categories.values() {
            for (person, of) in &outlook.recipients {
                let _ = writeln!(text, "{person} {}", of.state.as_str());
            }
            for (member, named) in &outlook.implied {
                let named = named.as_ref().map_or(member.as_str(), |person| person.as_str());
                let _ = writeln!(text, "by role: {named}");
            }
        }
        for (person, set) in &plan.learn.records {
            let set: Vec<&str> = set.iter().map(|category| category.as_str()).collect();
            let _ = writeln!(text, "ours: {person} {}", set.join(" "));
        }
        let text = text.replace("@example.com", "").replace(" \n", "\n");
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }
}

// rule: NP-10
// rule: NP-11
#[test]
fn members_are_made_recipients_whom_the_role_makes_one_needs_nothing_and_others_wait() {
    let mut case = Case::new(Mode::Manage);
    case.member("ana", "developer").member("bil", "biller").receives("bil", IMPLIED);
    case.member("cho", "developer").receives("cho", CHOSEN);
    case.person("wes", "developer").declare(&["ana", "bil", "cho", "wes", "zoe"]);
    case.says(&[
        "+ billing: ana",
        "ana Planned",
        "bil Implied",
        "cho Receives",
        "wes Waiting",
        "zoe NotAMember",
        "by role: bil",
        "ours: ana billing",
    ]);
}

#[test]
fn who_is_invited_by_somebody_else_is_waited_for_and_whose_invitation_is_over_is_not() {
    for (state, said) in [
        (InvitationState::Pending, "ivy Waiting"),
        (InvitationState::Declined, "ivy NotAMember"),
        (InvitationState::Expired, "ivy NotAMember"),
    ] {
        let mut case = Case::new(Mode::Manage);
        let invitation = ObservedInvitation {
            id: InvitationId::from("inv_ivy"),
            etag: ETag::from("1"),
            role: RoleSeen::Known("developer".into()),
            state,
            created_at: case.now,
            expires_at: case.now + SignedDuration::from_hours(24),
            sent: 1,
        };
        case.observed.invitations.insert(key("ivy"), invitation);
        recount(&mut case.observed, &case.profile);
        case.declare(&["ivy"]).says(&[said]);
    }
}

// rule: X17
#[test]
fn who_is_no_longer_declared_is_taken_away_if_we_set_it_and_kept_if_a_person_chose_it() {
    let mut case = Case::new(Mode::Manage);
    case.member("ana", "developer").receives("ana", CHOSEN).ours("ana");
    case.member("cho", "developer").receives("cho", CHOSEN);
    case.says(&["- billing: ana", "ana Removing"]);
    case.declare(&["ana"]).says(&["ana Receives"]);
}

// rule: NP-11
// rule: X17
#[test]
fn whom_the_role_makes_a_recipient_is_never_taken_away() {
    let mut case = Case::new(Mode::Manage);
    case.member("bil", "biller").receives("bil", (true, true)).ours("bil");
    case.says(&["by role: mem_bil"]);
    case.exact().says(&["by role: mem_bil"]);
    let mut trimmed = Case::new(Mode::Manage);
    trimmed.member("bil", "biller");
    trimmed.observed.members.get_mut(&key("bil")).unwrap().state = MemberState::Trimmed;
    recount(&mut trimmed.observed, &trimmed.profile);
    trimmed.declare(&["bil"]).says(&["bil Implied", "by role: bil"]);
}

// rule: X17
#[test]
fn exact_takes_away_whom_a_person_chose_and_nobody_else() {
    let mut case = Case::new(Mode::Manage);
    case.member("ana", "developer").receives("ana", CHOSEN);
    case.member("cho", "developer").receives("cho", CHOSEN);
    case.member("bil", "biller").receives("bil", IMPLIED).receives("stranger", CHOSEN);
    case.declare(&["ana"]).exact();
    let quiet = ["ana Receives", "cho Undeclared", "by role: mem_bil"];
    case.says(&[&["- billing: cho"][..], &quiet].concat());
    case.policy.mode = Mode::Invite;
    case.says(&[&["! - billing: cho (InviteOnly)"][..], &quiet].concat());
    case.policy.mode = Mode::Manage;
    case.desired.recipients.frozen.insert("billing".into());
    case.says(&["ana Receives", "by role: mem_bil"]);
}

#[test]
fn below_mode_manage_nothing_is_taken_away_and_what_we_set_is_let_go() {
    let mut case = Case::new(Mode::Invite);
    case.member("ana", "developer").receives("ana", CHOSEN).ours("ana");
    case.member("bo", "developer").declare(&["bo"]);
    case.says(&["+ billing: bo", "bo Planned", "ours: ana", "ours: bo billing"]);
    case.policy.mode = Mode::Observe;
    case.says(&[
        "! + billing: bo (Observing)",
        "! - billing: ana (Observing)",
        "ana Removing",
        "bo Planned",
    ]);
}

#[test]
fn an_object_that_is_not_valid_keeps_its_category_for_everybody() {
    let mut case = Case::new(Mode::Manage);
    case.member("ana", "developer").receives("ana", CHOSEN).ours("ana");
    case.desired.recipients.frozen.insert("billing".into());
    case.says(&[]);
    case.desired.recipients.frozen.clear();
    case.desired.recipients.blind = true;
    case.says(&[]);
}

#[test]
fn a_role_that_this_plan_changes_counts_as_it_will_be() {
    let mut case = Case::new(Mode::Manage);
    case.member("bil", "biller").receives("bil", IMPLIED).person("bil", "developer");
    case.declare(&["bil"]);
    assert_eq!(case.plan().actions.len(), 1, "the change of the role");
    case.says(&["+ billing: bil", "bil Planned", "ours: bil billing"]);
}

#[test]
fn who_is_removed_by_this_plan_is_neither_set_nor_taken_away() {
    let mut case = Case::new(Mode::Manage);
    case.member("ana", "developer").receives("ana", CHOSEN).ours("ana").person("ana", "developer");
    case.member("bo", "developer").person("bo", "developer").declare(&["bo"]);
    case.desired.people.clear();
    assert_eq!(case.plan().actions.len(), 2, "both are removed");
    case.says(&["bo NotAMember", "ours: ana"]);
}

#[test]
fn a_role_that_the_category_is_not_open_to_is_said_and_not_tried() {
    let mut case = Case::new(Mode::Manage);
    let billing = case.observed.categories.as_mut().unwrap();
    billing.get_mut(&"billing".into()).unwrap().open_to = BTreeSet::from(["admin".into()]);
    case.member("ana", "developer").member("ada", "admin").declare(&["ana", "ada"]);
    case.says(&["+ billing: ada", "ada Planned", "ana RoleNotOpen", "ours: ada billing"]);
    // What we set before the role was closed is taken away, although nobody shows it.
    let mut case = Case { desired: Desired::default(), ..case };
    case.ours("ana").says(&["- billing: ana", "ana Removing"]);
}

#[test]
fn a_read_that_failed_or_is_not_trusted_leaves_everything_as_it_is() {
    let mut case = Case::new(Mode::Manage);
    case.member("ana", "developer").receives("ana", CHOSEN).ours("ana");
    case.observed.evidence.member_total += 1;
    assert!(case.plan().stop.is_some());
    case.says(&[]);
    case.observed.evidence.member_total -= 1;
    case.observed.categories = None;
    case.says(&[]);
    case.observed.categories = Some(BTreeMap::new());
    case.declare(&["ana"]).says(&["ana Planned"]);
}

#[test]
fn a_disabled_service_adds_nobody() {
    let mut case = Case::new(Mode::Manage);
    case.member("ana", "developer").declare(&["ana"]);
    case.observed.account.disabled = true;
    case.says(&["! + billing: ana (ServiceDisabled)", "ana Planned"]);
}

#[test]
fn what_was_exact_first_is_remembered_while_it_cannot_be_read() {
    let mut case = Case::new(Mode::Manage);
    case.exact();
    let exact = case.plan().recipients.learn.exact.unwrap();
    let record = ExactRecord {
        declared_by: "NotificationSubscription web/billing-mail".to_owned(),
        first_seen: case.now,
    };
    assert_eq!(exact, BTreeMap::from([("billing".into(), record)]));
    case.ledger.exact = exact;
    case.now += SignedDuration::from_hours(1);
    assert_eq!(case.plan().recipients.learn.exact, None, "nothing new");
    case.desired.recipients.categories.clear();
    case.desired.recipients.frozen.insert("billing".into());
    assert_eq!(case.plan().recipients.learn.exact, None, "it may come back");
    case.desired.recipients.frozen.clear();
    assert_eq!(case.plan().recipients.learn.exact, Some(BTreeMap::new()));
}
