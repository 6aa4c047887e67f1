//! Status of a Membership. Pure.

use jiff::Timestamp;

use crate::api::{InvitationSeen, Membership, MembershipState, MembershipStatus};
use crate::controller::status::conditions::{Say, Says, Truth, time};
use crate::controller::status::{Picture, clip, number, person};
use crate::domain::identity::EmailAddress;
use crate::domain::reason::Reason;
use crate::manifests::{ObjectKey, Rejection, member_key, team_of};
use crate::plan::{Outlook, State};
use crate::profile::Profile;

/// Longest `status.message`.
pub const MESSAGE: usize = 1024;

/// The next status; `None`: what stands there is the best that can be said.
pub fn next(
    membership: &Membership,
    key: &ObjectKey,
    picture: &Picture<'_>,
    now: Timestamp,
) -> Option<MembershipStatus> {
    let deleted = membership.metadata.deletion_timestamp.is_some();
    if deleted && !picture.verdicts.get(key).is_some_and(|verdict| verdict.stays()) {
        return None; // It is about to go.
    }
    if let (Err(rejection), false) = (&picture.resolved.outcomes.get(key)?.accepted, deleted) {
        return Some(rejected(membership, rejection, now));
    }
    let mut next = MembershipStatus::default();
    let says = match picture.finding.looked() {
        Ok(looked) => {
            let person = EmailAddress::parse(&membership.spec.email).ok()?;
            let email = member_key(person, team_of(membership).as_ref(), picture.profile);
            let email = looked.plan.known(&email);
            let outlook = looked.plan.people.get(&email)?;
            describe(&mut next, outlook);
            next.implied = implied(outlook, picture.profile);
            next.known_as = outlook.declared_as.as_ref().map(|_| clip(email.person.as_str(), 254));
            person::says(looked, &email, outlook)
        }
        Err(trouble) => {
            let known = membership.status.as_ref().and_then(|status| status.observed_generation);
            if known == membership.metadata.generation && !deleted {
                return None;
            }
            next.state = deleted.then_some(MembershipState::Removing);
            let synced = picture.unknown(key, &trouble);
            Says { accepted: person::accepted(), synced, stalled: None }
        }
    };
    Some(finish(next, membership, &says, now))
}

/// The status of a declaration that is not valid.
pub fn rejected(
    membership: &Membership,
    rejection: &Rejection,
    now: Timestamp,
) -> MembershipStatus {
    finish(MembershipStatus::default(), membership, &rejection_says(rejection), now)
}

/// What can be said of an object that is not accepted.
pub fn rejection_says(rejection: &Rejection) -> Says {
    let reason = rejection.reason;
    let accepted = Say::no(reason, rejection.text());
    let stalled = Some(Say::yes(reason, rejection.text()));
    let synced = Say::unknown(Reason::NotAccepted, Reason::NotAccepted.says());
    Says { accepted, synced, stalled }
}

fn finish(
    mut next: MembershipStatus,
    membership: &Membership,
    says: &Says,
    now: Timestamp,
) -> MembershipStatus {
    let old = membership.status.as_ref().map_or(&[][..], |status| &status.conditions);
    let generation = membership.metadata.generation;
    let wrong = [&says.accepted, &says.synced].into_iter().find(|say| say.truth != Truth::True);
    next.message = wrong.map(|say| clip(&say.message, MESSAGE));
    next.observed_generation = generation;
    next.conditions = says.conditions(old, generation, now);
    next
}

/// Categories of mail that a member receives because of the role (NP-11).
fn implied(outlook: &Outlook, profile: Option<&Profile>) -> Vec<String> {
    let seen = outlook.role_seen.as_ref().filter(|_| outlook.state == State::Active);
    let role = seen.and_then(|seen| profile?.role(seen));
    role.into_iter().flat_map(|role| &role.receives).cloned().collect()
}

fn describe(status: &mut MembershipStatus, outlook: &Outlook) {
    let Outlook {
        state,
        rule: _,
        position,
        member,
        role_seen,
        role_differs: _,
        sent_at,
        expires_at,
        attempts,
        next_action_at,
        ends_at,
        declared_as: _,
        remembered: _,
    } = outlook;
    status.state = Some(person::state(*state));
    status.position = position.map(number);
    status.member_id = member.as_ref().map(|member| clip(member.as_str(), 128));
    status.role = role_seen.as_ref().map(|role| clip(role.as_str(), 63));
    status.expires_at = ends_at.map(time);
    let invitation = InvitationSeen {
        sent_at: sent_at.map(time),
        expires_at: expires_at.map(time),
        attempts: (*attempts > 0).then(|| number(*attempts)),
        next_action_at: next_action_at.map(time),
    };
    status.invitation = (invitation != InvitationSeen::default()).then_some(invitation);
}
