//! The blast radius of a plan in one line: people, mails, waves, seats.

use std::fmt::Write as _;

use crate::cli::render::{limit, nothing};
use crate::cli::words::{many, number};
use crate::cli::{clients, domains, recipients, teams};
use crate::ledger::WAVE_SENDS_MAX;
use crate::plan::action::Action;
use crate::plan::{Plan, SeatForecast};
use crate::profile::{Notice, Profile};

/// The blast radius in one line:
/// `+ 3 invitations (3 mails, in 1 wave), ~ 1 role change (1 mail), - 2 removals (2 mails); seats 0 → 3 of 3; 1 queued`.
///
/// Mails are counted as `profile` sends them.
#[must_use]
pub fn summary(plan: &Plan, profile: &Profile) -> String {
    let mut parts = teams::summary(&plan.teams);
    parts.extend(self::parts(plan, profile));
    parts.extend(clients::summary(&plan.clients));
    parts.extend(recipients::summary(&plan.recipients));
    parts.extend(domains::summary(&plan.domains));
    let parts = if parts.is_empty() { nothing(plan).to_owned() } else { parts.join(", ") };
    let seats = plan.seats;
    let mut line = format!("{parts}; {}", forecast(plan));
    if seats.queued > 0 {
        let _ = write!(line, "; {} queued", seats.queued);
    }
    if let Some(hold) = &plan.hold {
        let _ = write!(line, "; {} held", hold.additions + hold.removals + hold.changes);
    }
    line
}

/// Seats before and after, of each subscription where they belong to those.
fn forecast(plan: &Plan) -> String {
    let seats = |SeatForecast { before, after, limit: most, .. }: &SeatForecast| {
        format!("{before} → {after} of {}", limit(*most))
    };
    if plan.pools.is_empty() {
        return format!("seats {}", seats(&plan.seats));
    }
    let pools = plan.pools.iter().map(|(id, pool)| format!("seats of {id} {}", seats(pool)));
    pools.collect::<Vec<_>>().join(", ")
}

/// Invitations, reinstatements, role changes and removals, each with its mails.
fn parts(plan: &Plan, profile: &Profile) -> Vec<String> {
    let (mut invitations, mut back) = (Tally::default(), Tally::default());
    let (mut added, mut approved) = (Tally::default(), Tally::default());
    let (mut changes, mut removals) = (Tally::default(), Tally::default());
    let (mut owners, mut cancelled) = (Tally::default(), Tally::default());
    for action in &plan.actions {
        let tally = match action {
            Action::Resend { .. } | Action::Invite { .. } => &mut invitations,
            Action::Add { .. } => &mut added,
            Action::Approve { .. } => &mut approved,
            Action::Reinstate { .. } => &mut back,
            Action::ChangeRole { .. } | Action::ChangeInvitedRole { .. } => &mut changes,
            Action::ChangeOwner { .. } => &mut owners,
            Action::CancelOwnerChange { .. } => &mut cancelled,
            Action::RevokeInvitation { .. } | Action::Trim { .. } | Action::Remove { .. } => {
                &mut removals
            }
        };
        tally.people += 1;
        tally.mails += usize::from(mails(action, profile));
    }
    let waves = many(invitations.people.div_ceil(WAVE_SENDS_MAX), "wave");
    [
        ("+", invitations, ("invitation", "invitations"), format!(", in {waves}")),
        ("+", added, ("person added at once", "people added at once"), String::new()),
        ("+", approved, ("join request", "join requests"), String::new()),
        ("+", back, ("reinstatement", "reinstatements"), String::new()),
        ("~", changes, ("role change", "role changes"), String::new()),
        ("~", owners, ("change of owner", "changes of owner"), String::new()),
        (
            "-",
            cancelled,
            ("cancelled change of owner", "cancelled changes of owner"),
            String::new(),
        ),
        ("-", removals, ("removal", "removals"), String::new()),
    ]
    .into_iter()
    .filter(|(_, tally, _, _)| tally.people > 0)
    .map(|(sign, Tally { people, mails }, (one, several), more)| {
        format!("{sign} {} ({}{more})", number(people, one, several), many(mails, "mail"))
    })
    .collect()
}

/// People that something happens to, and those of them that get a mail of it.
#[derive(Clone, Copy, Default)]
struct Tally {
    people: usize,
    mails: usize,
}

/// True if the person, or the owner who is asked, gets a mail.
fn mails(action: &Action, profile: &Profile) -> bool {
    match action {
        Action::ChangeOwner { .. } | Action::Resend { .. } | Action::Invite { .. } => true,
        Action::CancelOwnerChange { .. }
        | Action::ChangeInvitedRole { .. }
        | Action::RevokeInvitation { .. }
        | Action::Add { .. }
        | Action::Approve { .. } => false,
        Action::ChangeRole { .. } => profile.tells_person(Notice::RoleChanged),
        Action::Reinstate { .. } => profile.tells_person(Notice::Reinstated),
        Action::Trim { .. } => profile.tells_person(Notice::Trimmed),
        Action::Remove { .. } => profile.tells_person(Notice::Removed),
    }
}
