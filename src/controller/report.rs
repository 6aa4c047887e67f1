//! Reports what a reconcile found: figures, statuses, and deleted objects that may go.

use std::collections::BTreeMap;

use crate::api::{ClientAccess, Membership, NotificationSubscription, Team};
use crate::controller::cache::Name;
use crate::controller::context::Context;
use crate::controller::error::ReconcileError;
use crate::controller::finalizers::Marked;
use crate::controller::metrics::Share;
use crate::controller::release::{self, Verdict};
use crate::controller::round::Round;
use crate::controller::status::{self, Finding, Looked, Picture};
use crate::controller::{events, finalizers};
use crate::domain::desired::OriginKind;
use crate::domain::observed::SeatLimit;
use crate::manifests::ObjectKey;

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
    let settled = match finding {
        Finding::Looked(looked) => {
            ctx.metrics.share(name, Some(share(looked)));
            Some(&**looked)
        }
        Finding::Failed(_) => None,
    };
    let verdicts = release::verdicts(&round.fetched, &round.resolved, settled);
    let picture = Picture::new(&round.resolved, round.profile.as_deref(), finding, &verdicts);
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
    let mut going = Vec::new();
    for (key, verdict) in verdicts.iter().filter(|(key, _)| key.kind == kind) {
        let Some(object) = round.fetched.metadata(key) else { continue };
        if !finalizers::is_marked::<K>(object) {
            continue;
        }
        match verdict {
            Verdict::Stays(_) => continue,
            Verdict::Goes => {}
            Verdict::GoesRefused(rule) => events::publish_refused::<K>(ctx, object, *rule).await,
            Verdict::GoesToOther => events::publish_left::<K>(ctx, object).await,
        }
        going.push(object.clone());
    }
    Ok(finalizers::remove::<K>(ctx, going).await?)
}

/// What one account adds to the figures.
fn share(looked: &Looked) -> Share {
    let mut share = Share::default();
    let people = looked.plan.held.iter().map(|held| held.rule);
    let clients = looked.plan.clients.held.iter().map(|held| held.rule);
    let recipients = looked.plan.recipients.held.iter().map(|held| held.rule);
    let domains = looked.plan.domains.held.iter().map(|(_, rule)| *rule);
    for rule in people.chain(clients).chain(recipients).chain(domains) {
        *share.held.entry(rule.reason().as_str()).or_default() += 1;
    }
    let seats = &looked.observed.account.seats;
    share.seats.insert("used", i64::from(seats.used));
    share.seats.insert("trimmed", i64::from(seats.trimmed));
    share.seats.insert("queued", i64::from(looked.plan.seats.queued));
    if let SeatLimit::Seats(limit) = seats.limit {
        share.seats.insert("limit", i64::from(limit));
    }
    share
}
