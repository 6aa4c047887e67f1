//! Reports what a reconcile found: figures, statuses, and deleted objects that may go.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::api::{ClientAccess, Membership, NotificationSubscription, Team};
use crate::controller::cache::Name;
use crate::controller::context::Context;
use crate::controller::error::ReconcileError;
use crate::controller::finalizers::Marked;
use crate::controller::metrics::Share;
use crate::controller::orphans::{self, Orphan};
use crate::controller::release::{self, Verdict};
use crate::controller::round::Round;
use crate::controller::status::{self, Finding, Looked, Picture};
use crate::controller::{events, finalizers};
use crate::domain::desired::OriginKind;
use crate::domain::observed::{InvitationState, SeatLimit};
use crate::manifests::ObjectKey;
use crate::plan::ladder::Radius;

/// Writes what was found, then lets go of what is settled. Does both even if one fails.
///
/// # Errors
///
/// The cluster does not answer.
pub async fn report(
    ctx: &Context,
    name: &Name,
    round: &Round,
    finding: &Finding,
) -> Result<(), ReconcileError> {
    match finding {
        Finding::Looked(looked) => {
            let now = (ctx.now)();
            ctx.metrics.share(name, Some(share(looked, now)));
            ctx.metrics.looked(name, now);
        }
        Finding::Failed(error) => {
            if error.is_rejection() {
                ctx.metrics.forget_look(name);
            } else {
                ctx.metrics.is_looked_after(name, (ctx.now)());
            }
        }
    }
    let verdicts = release::verdicts(round, finding, (ctx.now)());
    let picture = Picture::new(round, finding, &verdicts);
    let written = status::write_all(ctx, &round.fetched, &picture).await;
    let released = let_go::<Team>(ctx, round, &verdicts, OriginKind::Team).await;
    let released =
        released.and(let_go::<Membership>(ctx, round, &verdicts, OriginKind::Membership).await);
    let released =
        released.and(let_go::<ClientAccess>(ctx, round, &verdicts, OriginKind::ClientAccess).await);
    let kind = OriginKind::NotificationSubscription;
    let released =
        released.and(let_go::<NotificationSubscription>(ctx, round, &verdicts, kind).await);
    written?;
    released
}

/// Takes our mark off the deleted objects of a kind that may go.
async fn let_go<K: Marked>(
    ctx: &Context,
    round: &Round,
    verdicts: &BTreeMap<ObjectKey, Verdict>,
    kind: OriginKind,
) -> Result<(), ReconcileError> {
    let (mut going, mut told, mut orphans) = (Vec::new(), Vec::new(), Vec::new());
    for (key, verdict) in verdicts.iter().filter(|(key, _)| key.kind == kind) {
        let Some(object) = round.fetched.metadata(key) else { continue };
        if !finalizers::is_marked::<K>(object) {
            continue;
        }
        match verdict {
            Verdict::Stays(_) => continue,
            Verdict::Released(reason) => {
                orphans.push(Orphan::of(round, kind.as_str(), object, reason));
            }
            _ => {}
        }
        told.push((object, *verdict));
        going.push(object.clone());
    }
    // Recorded before it goes: afterwards nobody would know.
    orphans::record(ctx, orphans).await?;
    for (object, verdict) in told {
        events::publish_going::<K>(ctx, object, verdict).await;
    }
    Ok(finalizers::remove::<K>(ctx, going).await?)
}

/// What one account adds to the figures.
fn share(looked: &Looked, now: Timestamp) -> Share {
    let mut share = Share::default();
    let plan = &looked.plan;
    let people = plan.held.iter().map(|held| held.rule);
    let clients = plan.clients.held.iter().map(|held| held.rule);
    let recipients = plan.recipients.held.iter().map(|held| held.rule);
    let domains = plan.domains.held.iter().map(|(_, rule)| *rule);
    for rule in people.chain(clients).chain(recipients).chain(domains) {
        *share.held.entry(rule.reason().as_str()).or_default() += 1;
    }
    let seats = &looked.observed.account.seats;
    share.seats.insert("used", i64::from(seats.used));
    share.seats.insert("trimmed", i64::from(seats.trimmed));
    share.seats.insert("queued", i64::from(plan.seats.queued));
    if let SeatLimit::Seats(limit) = seats.limit {
        share.seats.insert("limit", i64::from(limit));
        share.seats.insert("free", i64::from(limit.saturating_sub(seats.used)));
    }
    let invitations = looked.observed.invitations.values();
    for invitation in invitations.filter(|row| row.state == InvitationState::Pending) {
        *share.pending.entry(age(now.duration_since(invitation.created_at))).or_default() += 1;
    }
    let Radius { additions, changes, removals, held } = Radius::of(plan);
    let drift = [("missing", additions), ("differs", changes), ("extra", removals), ("held", held)];
    share.drift =
        drift.map(|(kind, count)| (kind, i64::try_from(count).unwrap_or(i64::MAX))).into();
    share
}

/// Age of an invitation, in words.
fn age(age: SignedDuration) -> &'static str {
    if age < SignedDuration::from_hours(24) {
        "lt_1d"
    } else if age < SignedDuration::from_hours(7 * 24) {
        "lt_7d"
    } else {
        "ge_7d"
    }
}
