//! Domains: put in, proved, checked again, taken away.

use std::sync::Arc;

use futures::{StreamExt as _, stream};
use jiff::SignedDuration;

use crate::domain::domains::DomainName;
use crate::server::change::{Change, Precondition};
use crate::server::dns::DnsError;
use crate::server::error::ApiError;
use crate::server::permission::{Actor, At, Right};
use crate::server::store::domains::{self, DomainRow};
use crate::server::{Service, ids, views};
use crate::wire::{Challenge, DomainPatch, DomainState, NewDomain};

/// How often the record of a verified domain is looked up.
const CHECK_EVERY: SignedDuration = SignedDuration::from_hours(24);

/// When it is looked up again if the DNS did not answer.
const CHECK_AGAIN: SignedDuration = SignedDuration::from_hours(1);

/// How often in a row the record is gone before the domain lapses.
const MAX_MISSING: u32 = 3;

/// Domains that are looked up in one go, and how many at once.
const BATCH: (u32, usize) = (200, 8);

/// The record that proves a domain.
pub(crate) fn challenge(row: &DomainRow) -> Challenge {
    Challenge {
        name: format!("_seatkeeper-challenge.{}", row.name),
        value: format!("seatkeeper-verify={}", row.challenge),
    }
}

/// Asks the DNS whether the record of a domain is there. Takes long: never while an account is held.
pub(crate) async fn is_proved(service: &Service, row: &DomainRow) -> Result<bool, DnsError> {
    let Challenge { name, value } = challenge(row);
    let texts = service.dns.txt(&name).await?;
    Ok(texts.iter().any(|text| text.trim() == value))
}

/// Puts in a domain that is still to be proved.
pub(crate) async fn add(change: &mut Change, request: &NewDomain) -> Result<DomainRow, ApiError> {
    let NewDomain { name, auto_join } = request;
    may_manage(change)?;
    let canonical = DomainName::parse(name);
    let canonical = canonical.map_err(|error| ApiError::field("/name", error.to_string()))?;
    let row = DomainRow {
        id: change.id("dom"),
        account_id: change.account.id.clone(),
        name: canonical.to_string(),
        challenge: ids::secret(),
        state: DomainState::Pending,
        auto_join: *auto_join,
        created_at: change.now,
        verified_at: None,
        checked_at: None,
        check_at: None,
        missing: 0,
        version: 1,
    };
    domains::insert(change.conn(), &row).await?;
    change.record("domain.created", &row.id, None::<()>, Some(views::domain(&row))).await?;
    Ok(row)
}

/// Takes a domain for this account if its record was found: it belongs to no other then.
pub(crate) async fn verify(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
    proved: bool,
) -> Result<DomainRow, ApiError> {
    may_manage(change)?;
    let before = existing(change, id, precondition).await?;
    if !proved {
        return Err(ApiError::ChallengeMissing);
    }
    let row = DomainRow {
        state: DomainState::Verified,
        verified_at: Some(change.now),
        checked_at: Some(change.now),
        check_at: Some(change.now + CHECK_EVERY),
        missing: 0,
        ..before.clone()
    };
    save(change, "domain.verified", &before, row).await
}

/// Says whether people join by the domain.
pub(crate) async fn patch(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
    request: &DomainPatch,
) -> Result<DomainRow, ApiError> {
    let DomainPatch { auto_join } = *request;
    may_manage(change)?;
    let before = existing(change, id, precondition).await?;
    if before.auto_join == auto_join {
        return Ok(before);
    }
    let row = DomainRow { auto_join, ..before.clone() };
    save(change, "domain.changed", &before, row).await
}

/// Takes a domain away. Who joined by it stays.
pub(crate) async fn remove(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<(), ApiError> {
    change.must(Right::ManageDomains, At::Account)?;
    let row = existing(change, id, precondition).await?;
    domains::delete(change.conn(), &row.id).await?;
    change.record("domain.removed", &row.id, Some(views::domain(&row)), None::<()>).await
}

/// Looks up the records of the domains that are due; gives how many were.
pub(crate) async fn recheck_due(service: &Arc<Service>) -> Result<usize, ApiError> {
    let (most, at_once) = BATCH;
    let mut snapshot = service.store.snapshot().await?;
    let due = domains::due(&mut snapshot, service.now(), most).await?;
    drop(snapshot);
    let number = due.len();
    let checks = stream::iter(due).map(|row| async move {
        let found = is_proved(service, &row).await;
        if let Err(error) = note_check(service, &row, found).await {
            // One that cannot be noted must not keep the others waiting.
            let error = &error as &dyn std::error::Error;
            tracing::error!(domain.id = row.id, error, "could not note the check of a domain");
        }
    });
    checks.buffer_unordered(at_once).collect::<Vec<()>>().await;
    Ok(number)
}

/// Notes what a check has found. A DNS that did not answer says nothing about the record.
async fn note_check(
    service: &Arc<Service>,
    seen: &DomainRow,
    found: Result<bool, DnsError>,
) -> Result<(), ApiError> {
    let mut change = Change::begin(service, &seen.account_id, Actor::Service).await?;
    let now = change.now;
    let before = domains::by_id(change.conn(), &seen.account_id, &seen.id).await?;
    // Another process may have been faster.
    let due = |row: &DomainRow| row.check_at == seen.check_at && row.version == seen.version;
    let Some(before) = before.filter(due) else { return Ok(()) };
    let checked =
        DomainRow { checked_at: Some(now), check_at: Some(now + CHECK_EVERY), ..before.clone() };
    let row = match found {
        Ok(true) => DomainRow { missing: 0, ..checked },
        Ok(false) => DomainRow { missing: before.missing + 1, ..checked },
        Err(error) => {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(domain.id = seen.id, error, "could not check a domain");
            DomainRow { check_at: Some(now + CHECK_AGAIN), ..before.clone() }
        }
    };
    if row.missing >= MAX_MISSING {
        let row = DomainRow { state: DomainState::Lapsed, check_at: None, ..row };
        save(&mut change, "domain.lapsed", &before, row).await?;
    } else {
        domains::update(change.conn(), &row).await?;
    }
    change.commit().await
}

fn may_manage(change: &Change) -> Result<(), ApiError> {
    change.must(Right::ManageDomains, At::Account)?;
    if change.profile.auto_join.is_none() {
        return Err(ApiError::NotOffered("joining by domain"));
    }
    change.must_be_enabled()
}

async fn existing(
    change: &mut Change,
    id: &str,
    precondition: &Precondition,
) -> Result<DomainRow, ApiError> {
    let account_id = change.account.id.clone();
    let row = domains::by_id(change.conn(), &account_id, id).await?;
    let row = row.ok_or(ApiError::NotFound)?;
    precondition.check(row.version)?;
    Ok(row)
}

async fn save(
    change: &mut Change,
    action: &str,
    before: &DomainRow,
    mut row: DomainRow,
) -> Result<DomainRow, ApiError> {
    row.version += 1;
    domains::update(change.conn(), &row).await?;
    let (old, new) = (views::domain(before), views::domain(&row));
    change.record(action, &row.id, Some(old), Some(new)).await?;
    Ok(row)
}
