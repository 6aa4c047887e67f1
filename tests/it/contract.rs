//! What every backend does: the same cases on the service in memory and on the account API client
//! against the real service.
//!
//! A case sees the trait and a [`World`], nothing of the adapter. Every world starts with one
//! account of the profile `nitropack` on the plan Growth (3 seats, the owner takes none), claimed
//! by nobody, with its owner as the only person.

#![expect(clippy::unwrap_used, clippy::panic, reason = "test helpers")]

use std::sync::Arc;

use async_trait::async_trait;
use futures::future::join_all;
use jiff::Timestamp;
use seatkeeper::backend::{Backend, BackendError, Executed, Guarantees, Retry};
use seatkeeper::domain::identity::{EmailAddress, MemberKey};
use seatkeeper::domain::keys::{AccountKey, ETag, InstallationId, MemberId, RequestKey, RoleName};
use seatkeeper::domain::ledger_view::Cause;
use seatkeeper::domain::observed::{
    Claim, InvitationState, MemberState, Observed, ObservedInvitation, ObservedMember,
    ReadEvidence, RoleSeen, SeatLimit,
};
use seatkeeper::domain::particulars::Particulars;
use seatkeeper::plan::action::{Action, Direction, EndCause, InvitationRow, MemberRow};
use seatkeeper::profile::{Profile, built_in};

pub const OWNER: &str = "owner@example.com";

/// A backend with one account, and the people and the vendor around it.
#[async_trait]
pub trait World: Send + Sync {
    /// The backend.
    fn backend(&self) -> &dyn Backend;
    /// The account.
    fn account(&self) -> AccountKey;
    /// The person takes the invitation that waits.
    async fn accept(&self, person: &MemberKey);
    /// The person says no to it.
    async fn decline(&self, person: &MemberKey);
    /// The account goes from Growth to Business: one seat.
    async fn shrink_to_one_seat(&self);
    /// Invitation mails that were sent to the person so far.
    async fn invitation_mails(&self, person: &MemberKey) -> usize;
}

fn nitropack() -> Arc<Profile> {
    built_in("nitropack").unwrap()
}

fn person(email: &str) -> MemberKey {
    EmailAddress::parse(email).unwrap().into()
}

fn invite(email: &str, role: &str) -> Action {
    let particulars = Particulars::default();
    let (person, cause) = (person(email), Cause::default());
    Action::Invite { person, role: role.into(), particulars, cause, key: None }
}

/// What the cases ask of a world, in few words.
struct Case<'a> {
    world: &'a dyn World,
}

impl Case<'_> {
    async fn look(&self) -> Observed {
        let Self { world } = self;
        let observed = world.backend().observe(&world.account(), &nitropack()).await.unwrap();
        let ReadEvidence {
            member_rows,
            member_total,
            invitation_rows,
            invitation_total,
            duplicates,
            beside: _,
            as_of: _,
            up_to: _,
            endings: _,
            actor: _,
            answered_at: _,
        } = observed.evidence;
        assert_eq!(member_rows, member_total, "members are complete");
        assert_eq!(invitation_rows, invitation_total, "invitations are complete");
        assert_eq!(duplicates, 0);
        let seats = &observed.account.seats;
        assert_eq!(u64::from(seats.owner + seats.active + seats.trimmed), member_rows);
        observed
    }

    async fn execute(&self, action: &Action, key: &str) -> Result<Executed, BackendError> {
        let Self { world } = self;
        world.backend().execute(&world.account(), action, &RequestKey::from(key)).await
    }

    /// Invites under a key of the person's own.
    async fn invite(&self, email: &str) -> ObservedInvitation {
        let done = self.execute(&invite(email, "developer"), &format!("key-{email}")).await;
        match done.unwrap() {
            Executed::Invitation(invitation) => invitation,
            other => panic!("an invitation was answered by {other:?}"),
        }
    }

    /// Invites, and the person accepts.
    async fn join(&self, email: &str) -> MemberRow {
        self.invite(email).await;
        self.world.accept(&person(email)).await;
        self.member(email).await
    }

    async fn member(&self, email: &str) -> MemberRow {
        let observed = self.look().await;
        let ObservedMember { id, etag, added_at, .. } = observed.members[&person(email)].clone();
        MemberRow { id, etag, added_at }
    }

    async fn claim(&self, installation: &str, etag: &ETag) -> Result<ETag, BackendError> {
        self.put_claim(installation, None, etag).await
    }

    async fn take(&self, ours: &str, theirs: &str, etag: &ETag) -> Result<ETag, BackendError> {
        self.put_claim(ours, Some(&theirs.into()), etag).await
    }

    async fn put_claim(
        &self,
        installation: &str,
        replaces: Option<&InstallationId>,
        etag: &ETag,
    ) -> Result<ETag, BackendError> {
        let Self { world } = self;
        let fingerprint = "file".to_owned();
        let claim = Claim { installation: installation.into(), fingerprint };
        world.backend().claim(&world.account(), &claim, replaces, etag).await
    }
}

fn row(invitation: &ObservedInvitation) -> InvitationRow {
    let ObservedInvitation { id, etag, created_at, sent, .. } = invitation.clone();
    InvitationRow { id, etag, created_at, sent }
}

fn revoke(email: &str, invitation: &ObservedInvitation) -> Action {
    let (person, invitation) = (person(email), row(invitation));
    Action::RevokeInvitation { person, invitation, cause: EndCause::NotDeclared }
}

fn resend(email: &str, invitation: &ObservedInvitation) -> Action {
    let (person, invitation, role) = (person(email), row(invitation), "developer".into());
    Action::Resend { person, invitation, role, cause: Cause::default(), key: None }
}

fn remove(email: &str, member: &MemberRow) -> Action {
    let (person, member) = (person(email), member.clone());
    Action::Remove { person, member, cause: EndCause::NotDeclared }
}

fn trim(email: &str, member: &MemberRow) -> Action {
    Action::Trim { person: person(email), member: member.clone() }
}

fn reinstate(email: &str, member: &MemberRow) -> Action {
    Action::Reinstate { person: person(email), member: member.clone() }
}

fn change_role(email: &str, member: &MemberRow, from: &str, to: &str) -> Action {
    let (person, member) = (person(email), member.clone());
    let (from, to) = (RoleName::from(from), RoleName::from(to));
    Action::ChangeRole { person, member, from, to, direction: Direction::Lower }
}

#[track_caller]
fn assert_rejected(answer: &Result<Executed, BackendError>, expected: &str) {
    match answer {
        Err(BackendError::Rejected { code }) => assert_eq!(code, expected),
        other => panic!("expected {expected}, got {other:?}"),
    }
}

#[track_caller]
fn assert_look_again(answer: &Result<Executed, BackendError>, expected: &str) {
    match answer {
        Err(error @ BackendError::Changed { code }) => {
            assert_eq!((code.as_str(), error.retry()), (expected, Retry::LookAgain));
        }
        other => panic!("expected {expected}, got {other:?}"),
    }
}

async fn an_account_is_read_whole(case: Case<'_>) {
    let observed = case.look().await;
    assert_eq!(observed.account.key, case.world.account());
    assert_eq!(observed.account.seats.limit, SeatLimit::Seats(3));
    assert_eq!((observed.account.seats.owner, observed.account.seats.used), (1, 0));
    assert_eq!((observed.account.claim, observed.account.disabled), (None, false));
    let owner = &observed.members[&person(OWNER)];
    assert_eq!(owner.role, RoleSeen::Known("owner".into()));
    assert_eq!(owner.state, MemberState::Active);
    assert!(observed.invitations.is_empty());
}

async fn an_account_that_is_not_there_is_said_so(case: Case<'_>) {
    let nowhere = AccountKey::from("acc_00000000000000000000000000");
    let answer = case.world.backend().observe(&nowhere, &nitropack()).await;
    assert!(matches!(answer, Err(BackendError::NoSuchAccount)), "{answer:?}");
    let answer = case
        .world
        .backend()
        .execute(&nowhere, &invite("ana@example.com", "developer"), &"key".into())
        .await;
    assert!(matches!(answer, Err(BackendError::NoSuchAccount)), "{answer:?}");
}

async fn an_invitation_waits_and_takes_a_seat(case: Case<'_>) {
    let answered = case.invite("ana@example.com").await;
    assert_eq!(answered.state, InvitationState::Pending);
    assert_eq!(answered.role, RoleSeen::Known("developer".into()));
    assert!(answered.expires_at > answered.created_at);
    let observed = case.look().await;
    let seen = &observed.invitations[&person("ana@example.com")];
    assert_eq!((&seen.id, seen.created_at), (&answered.id, answered.created_at));
    assert_eq!((observed.account.seats.pending, observed.account.seats.used), (1, 1));
    assert_eq!(case.world.invitation_mails(&person("ana@example.com")).await, 1);
}

async fn the_same_key_sends_one_mail(case: Case<'_>) {
    let first = case.invite("ana@example.com").await;
    let again = case.invite("ana@example.com").await;
    assert_eq!(first.id, again.id);
    let other = case.execute(&invite("ana@example.com", "biller"), "key-ana@example.com").await;
    assert_look_again(&other, "idempotency-key-reused");
    assert_eq!(case.look().await.invitations.len(), 1);
    assert_eq!(case.world.invitation_mails(&person("ana@example.com")).await, 1);
}

async fn the_same_key_at_once_sends_one_mail(case: Case<'_>) {
    let action = invite("ana@example.com", "developer");
    let sends = (0..4).map(|_| case.execute(&action, "one-key"));
    let answers = join_all(sends).await;
    assert!(answers.iter().any(Result::is_ok), "{answers:?}");
    for answer in answers {
        assert!(answer.as_ref().map_or_else(BackendError::outcome_unknown, |_| true), "{answer:?}");
    }
    assert_eq!(case.look().await.invitations.len(), 1);
    assert_eq!(case.world.invitation_mails(&person("ana@example.com")).await, 1);
}

async fn one_person_is_invited_once(case: Case<'_>) {
    case.invite("ana@example.com").await;
    let second = case.execute(&invite("ana@example.com", "developer"), "another-key").await;
    assert_look_again(&second, "invitation-already-pending");
    case.world.accept(&person("ana@example.com")).await;
    let third = case.execute(&invite("ana@example.com", "developer"), "a-third-key").await;
    assert_look_again(&third, "already-member");
    assert_eq!(case.world.invitation_mails(&person("ana@example.com")).await, 1);
}

async fn who_accepts_is_a_member_since_the_invitation(case: Case<'_>) {
    let invited = case.invite("ana@example.com").await;
    case.world.accept(&person("ana@example.com")).await;
    let observed = case.look().await;
    let member = &observed.members[&person("ana@example.com")];
    assert_eq!(member.added_at, invited.created_at);
    assert_eq!(member.role, RoleSeen::Known("developer".into()));
    assert!(observed.invitations.is_empty(), "an accepted invitation is over");
    assert_eq!((observed.account.seats.active, observed.account.seats.used), (1, 1));
}

async fn who_declines_is_seen_and_can_be_invited_anew(case: Case<'_>) {
    let declined = case.invite("ana@example.com").await;
    case.world.decline(&person("ana@example.com")).await;
    let observed = case.look().await;
    let seen = &observed.invitations[&person("ana@example.com")];
    assert_eq!((&seen.id, seen.state), (&declined.id, InvitationState::Declined));
    assert_eq!(observed.account.seats.used, 0);
    let again = case.execute(&invite("ana@example.com", "developer"), "a-new-key").await;
    assert!(matches!(again, Ok(Executed::Invitation(_))), "{again:?}");
    let seen = &case.look().await.invitations[&person("ana@example.com")].clone();
    assert_eq!(seen.state, InvitationState::Pending, "what waits hides what is over");
}

async fn no_invitation_goes_beyond_the_seats(case: Case<'_>) {
    for email in ["ana@example.com", "bob@example.com", "cyd@example.com"] {
        case.invite(email).await;
    }
    let fourth = case.execute(&invite("dan@example.com", "developer"), "key-dan").await;
    assert_rejected(&fourth, "seat-limit-reached");
    assert_eq!(case.world.invitation_mails(&person("dan@example.com")).await, 0);
    assert_eq!(case.look().await.account.seats.used, 3);
}

async fn of_two_for_the_last_seat_one_wins(case: Case<'_>) {
    case.invite("ana@example.com").await;
    case.invite("bob@example.com").await;
    let actions = [invite("cyd@example.com", "biller"), invite("dan@example.com", "biller")];
    let sends = actions.iter().zip(["key-cyd", "key-dan"]);
    let answers = join_all(sends.map(|(action, key)| case.execute(action, key))).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    assert_rejected(answers.iter().find(|answer| answer.is_err()).unwrap(), "seat-limit-reached");
    assert_eq!(case.look().await.account.seats.used, 3);
}

async fn a_withdrawn_invitation_frees_its_seat(case: Case<'_>) {
    let invitation = case.invite("ana@example.com").await;
    let action = revoke("ana@example.com", &invitation);
    assert_eq!(case.execute(&action, "revoke-1").await.unwrap(), Executed::Gone);
    assert_eq!(case.execute(&action, "revoke-1").await.unwrap(), Executed::Gone, "the same key");
    let observed = case.look().await;
    assert!(observed.invitations.is_empty());
    assert_eq!(observed.account.seats.used, 0);
}

async fn an_invitation_that_is_sent_again_keeps_its_date_and_is_mailed_once_a_key(case: Case<'_>) {
    let before = case.invite("ana@example.com").await;
    let action = resend("ana@example.com", &before);
    let answers = [case.execute(&action, "again").await, case.execute(&action, "again").await];
    for answer in answers {
        let Ok(Executed::Invitation(after)) = answer else { panic!("{answer:?}") };
        assert_eq!((&after.id, after.created_at), (&before.id, before.created_at));
        assert_eq!((before.sent, after.sent, after.state), (1, 2, InvitationState::Pending));
        let seen = case.look().await.invitations[&person("ana@example.com")].clone();
        // The mail goes out meanwhile, which the version says too.
        assert_eq!(ObservedInvitation { etag: after.etag.clone(), ..seen }, after);
    }
    assert_eq!(case.world.invitation_mails(&person("ana@example.com")).await, 2);
    assert_look_again(&case.execute(&action, "another-key").await, "stale");
    let other = case.execute(&invite("ana@example.com", "developer"), "again").await;
    assert_look_again(&other, "idempotency-key-reused");
    assert_eq!(case.world.invitation_mails(&person("ana@example.com")).await, 2);
    assert_eq!(case.look().await.account.seats.used, 1);
}

async fn what_was_declined_cannot_be_sent_again(case: Case<'_>) {
    case.invite("ana@example.com").await;
    case.world.decline(&person("ana@example.com")).await;
    let declined = case.look().await.invitations[&person("ana@example.com")].clone();
    let answer = case.execute(&resend("ana@example.com", &declined), "again").await;
    assert_look_again(&answer, "invitation-state");
    assert_eq!(case.world.invitation_mails(&person("ana@example.com")).await, 1);
}

async fn the_role_of_an_invitation_changes_in_place(case: Case<'_>) {
    let before = case.invite("ana@example.com").await;
    let action = Action::ChangeInvitedRole {
        person: person("ana@example.com"),
        invitation: row(&before),
        from: "developer".into(),
        to: "biller".into(),
    };
    let answer = case.execute(&action, "key").await.unwrap();
    let Executed::Invitation(after) = answer else { panic!("{answer:?}") };
    assert_eq!(after.role, RoleSeen::Known("biller".into()));
    assert_eq!((&after.id, after.expires_at), (&before.id, before.expires_at));
    assert_ne!(after.etag, before.etag);
    assert_eq!(case.world.invitation_mails(&person("ana@example.com")).await, 1);
    assert_look_again(&case.execute(&action, "key").await, "stale");
}

async fn a_role_that_nobody_can_be_invited_to_is_refused(case: Case<'_>) {
    let owner = case.execute(&invite("ana@example.com", "owner"), "key").await;
    assert_rejected(&owner, "role-not-invitable");
    assert_eq!(case.world.invitation_mails(&person("ana@example.com")).await, 0);
}

async fn a_change_of_role_keeps_id_and_dates(case: Case<'_>) {
    let row = case.join("ana@example.com").await;
    let before = case.look().await.members[&person("ana@example.com")].clone();
    let action = change_role("ana@example.com", &row, "developer", "biller");
    let answer = case.execute(&action, "key").await.unwrap();
    let Executed::Member(after) = answer else { panic!("{answer:?}") };
    let expected = ObservedMember {
        role: RoleSeen::Known("biller".into()),
        etag: after.etag.clone(),
        ..before.clone()
    };
    assert_eq!(after, expected);
    assert_ne!(after.etag, before.etag);
    assert_eq!(case.look().await.members[&person("ana@example.com")], after);
}

async fn an_old_version_changes_nothing(case: Case<'_>) {
    let old = case.join("ana@example.com").await;
    let to_biller = change_role("ana@example.com", &old, "developer", "biller");
    case.execute(&to_biller, "key-1").await.unwrap();
    let before = case.look().await;
    for (action, key) in [
        (to_biller, "key-2"),
        (trim("ana@example.com", &old), "key-3"),
        (remove("ana@example.com", &old), "key-4"),
    ] {
        assert_look_again(&case.execute(&action, key).await, "stale");
    }
    assert_eq!(case.look().await.members, before.members);
}

async fn removing_ends_the_membership_and_again_is_done(case: Case<'_>) {
    let row = case.join("ana@example.com").await;
    let action = remove("ana@example.com", &row);
    assert_eq!(case.execute(&action, "key-1").await.unwrap(), Executed::Gone);
    let observed = case.look().await;
    assert!(!observed.members.contains_key(&person("ana@example.com")));
    assert_eq!(observed.account.seats.used, 0);
    assert_eq!(case.execute(&action, "key-2").await.unwrap(), Executed::Gone, "already done");
}

async fn a_member_that_is_gone_cannot_be_changed(case: Case<'_>) {
    let gone = MemberRow {
        id: MemberId::from("mem_00000000000000000000000000"),
        etag: ETag::from("\"1\""),
        added_at: Timestamp::UNIX_EPOCH,
    };
    for action in [
        change_role("ana@example.com", &gone, "developer", "biller"),
        trim("ana@example.com", &gone),
        reinstate("ana@example.com", &gone),
    ] {
        assert_look_again(&case.execute(&action, "key").await, "not-found");
    }
}

async fn the_last_owner_stays(case: Case<'_>) {
    let owner = case.member(OWNER).await;
    let before = case.look().await.members;
    for (action, key) in [
        (remove(OWNER, &owner), "key-1"),
        (change_role(OWNER, &owner, "owner", "developer"), "key-2"),
        (trim(OWNER, &owner), "key-3"),
    ] {
        let answer = case.execute(&action, key).await;
        assert!(matches!(answer, Err(BackendError::Rejected { .. })), "{answer:?}");
    }
    assert_eq!(case.look().await.members, before);
}

async fn trimmed_people_keep_their_row_and_come_back(case: Case<'_>) {
    let account = case.look().await.account;
    case.claim("ours", &account.etag).await.unwrap();
    let row = case.join("ana@example.com").await;
    let before = case.look().await.members[&person("ana@example.com")].clone();

    let answer = case.execute(&trim("ana@example.com", &row), "key-1").await.unwrap();
    let Executed::Member(trimmed) = answer else { panic!("{answer:?}") };
    assert_eq!(trimmed.state, MemberState::Trimmed);
    let observed = case.look().await;
    assert_eq!(observed.members[&person("ana@example.com")], trimmed);
    assert_eq!((observed.account.seats.trimmed, observed.account.seats.used), (1, 0));
    let new = case.execute(&invite("bob@example.com", "developer"), "key-bob").await;
    assert_rejected(&new, "trimmed-members-wait");
    let etag = trimmed.etag.clone();
    let twice = MemberRow { etag: etag.clone(), ..row.clone() };
    assert_look_again(
        &case.execute(&trim("ana@example.com", &twice), "key-2").await,
        "member-state",
    );

    let back = reinstate("ana@example.com", &MemberRow { etag, ..row });
    let answer = case.execute(&back, "key-3").await.unwrap();
    let Executed::Member(after) = answer else { panic!("{answer:?}") };
    assert_eq!(after, ObservedMember { etag: after.etag.clone(), ..before });
    assert_eq!(case.look().await.account.seats.used, 1);
    assert_eq!(case.world.invitation_mails(&person("ana@example.com")).await, 1);
}

async fn nobody_comes_back_without_a_free_seat(case: Case<'_>) {
    let account = case.look().await.account;
    case.claim("ours", &account.etag).await.unwrap();
    case.join("ana@example.com").await;
    let bob = case.join("bob@example.com").await;
    case.execute(&trim("bob@example.com", &bob), "key-1").await.unwrap();
    case.world.shrink_to_one_seat().await;
    let observed = case.look().await;
    assert_eq!(observed.account.seats.limit, SeatLimit::Seats(1));
    assert_eq!(observed.account.seats.used, 1);
    let bob = case.member("bob@example.com").await;
    let answer = case.execute(&reinstate("bob@example.com", &bob), "key-2").await;
    assert_rejected(&answer, "seat-limit-reached");
}

async fn a_claim_holds_against_others_and_old_looks(case: Case<'_>) {
    let before = case.look().await.account;
    case.claim("ours", &before.etag).await.unwrap();
    let claimed = case.look().await.account;
    assert_eq!(claimed.claim.map(|claim| claim.installation.0), Some("ours".to_owned()));
    let stale = case.claim("ours", &before.etag).await;
    assert!(matches!(stale, Err(BackendError::Changed { .. })), "{stale:?}");
    case.claim("ours", &claimed.etag).await.unwrap();
    let etag = case.look().await.account.etag;
    match case.claim("theirs", &etag).await {
        Err(BackendError::Rejected { code }) => assert_eq!(code, "claimed-by-other"),
        other => panic!("{other:?}"),
    }
    assert_eq!(case.look().await.account.claim.unwrap().installation.as_str(), "ours");

    // Only who names the holder replaces it.
    for (replaces, takes) in [("nobody", false), ("ours", true)] {
        let taken = case.take("theirs", replaces, &etag).await;
        assert_eq!(taken.is_ok(), takes, "{replaces}: {taken:?}");
    }
    let account = case.look().await.account;
    assert_eq!(account.claim.unwrap().installation.as_str(), "theirs");
    let back = case.claim("ours", &account.etag).await;
    assert!(matches!(back, Err(BackendError::Rejected { .. })), "{back:?}");
}

async fn the_guarantees_are_those_that_sending_needs(case: Case<'_>) {
    let guarantees = case.world.backend().guarantees(&case.world.account()).await.unwrap();
    let Guarantees { key_retention, missing, rules } = guarantees;
    assert_eq!(key_retention.as_secs(), 24 * 60 * 60);
    assert!(missing.is_empty(), "{missing:?}");
    let roles: Vec<_> = rules.roles.iter().map(|(name, can)| (name.as_str(), *can)).collect();
    assert_eq!(roles, [("owner", false), ("admin", true), ("developer", true), ("biller", true)]);
    let plans: Vec<_> = rules.plans.iter().map(|(name, seats)| (name.as_str(), *seats)).collect();
    assert_eq!(
        plans,
        [
            ("none", Some(1)),
            ("free", Some(1)),
            ("business", Some(1)),
            ("growth", Some(3)),
            ("scale", Some(10)),
            ("custom", None),
        ]
    );
    assert_eq!(rules.counts, ["active", "clientAccess", "pending"]);
    assert_eq!(rules.on_shrink, "trimLatestAdded");
}

/// Makes one test for each case and world: `memory::…` and `service::…`.
macro_rules! cases {
    ($($case:ident)*) => {
        mod memory {
            $(
                #[tokio::test]
                async fn $case() {
                    let world = crate::contract_memory::InMemory::new();
                    super::$case(super::Case { world: &world }).await;
                }
            )*
        }

        mod service {
            $(
                #[tokio::test]
                async fn $case() {
                    let world = crate::contract_service::AtService::new().await;
                    super::$case(super::Case { world: &world }).await;
                }
            )*
        }
    };
}

cases! {
    an_account_is_read_whole
    an_account_that_is_not_there_is_said_so
    an_invitation_waits_and_takes_a_seat
    the_same_key_sends_one_mail
    the_same_key_at_once_sends_one_mail
    one_person_is_invited_once
    who_accepts_is_a_member_since_the_invitation
    who_declines_is_seen_and_can_be_invited_anew
    no_invitation_goes_beyond_the_seats
    of_two_for_the_last_seat_one_wins
    a_withdrawn_invitation_frees_its_seat
    an_invitation_that_is_sent_again_keeps_its_date_and_is_mailed_once_a_key
    what_was_declined_cannot_be_sent_again
    the_role_of_an_invitation_changes_in_place
    a_role_that_nobody_can_be_invited_to_is_refused
    a_change_of_role_keeps_id_and_dates
    an_old_version_changes_nothing
    removing_ends_the_membership_and_again_is_done
    a_member_that_is_gone_cannot_be_changed
    the_last_owner_stays
    trimmed_people_keep_their_row_and_come_back
    nobody_comes_back_without_a_free_seat
    a_claim_holds_against_others_and_old_looks
    the_guarantees_are_those_that_sending_needs
}
