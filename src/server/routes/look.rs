//! A read of one account on one snapshot.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;

use crate::profile::Profile;
use crate::server::SharedService;
use crate::server::change::seats::{self, SeatCount};
use crate::server::change::visible;
use crate::server::error::ApiError;
use crate::server::permission::{Actor, At, Right};
use crate::server::store::accounts::{self, AccountRow};
use crate::server::store::subscriptions::{self, SubscriptionRow};
use crate::server::store::{Connection, Tx};

/// Everything read through it is of one moment.
pub(crate) struct Look {
    /// The account.
    pub account: AccountRow,
    /// Its rules.
    pub profile: Arc<Profile>,
    /// The moment.
    pub now: Timestamp,
    tx: Tx,
}

impl Look {
    /// Looks at the account of this id or slug for one of its rows: the right to it depends on the
    /// row's scope, and is asked for by [`Look::must`].
    pub async fn of_row(
        service: &SharedService,
        id_or_slug: &str,
        actor: &Actor,
    ) -> Result<Self, ApiError> {
        let mut tx = service.store.snapshot().await?;
        let account = accounts::by_id_or_slug(&mut tx, id_or_slug).await?;
        let account = visible(account, actor)?;
        let profile = service.profile(&account.profile)?;
        Ok(Self { account, profile, now: service.now(), tx })
    }

    /// Refuses whoever lacks the right at this scope.
    pub fn must(&self, actor: &Actor, right: Right, at: At<'_>) -> Result<(), ApiError> {
        actor.must(right, at, &self.profile)
    }

    /// Looks at the account of this id or slug, as far as the actor may.
    pub async fn begin(
        service: &SharedService,
        id_or_slug: &str,
        actor: &Actor,
        right: Right,
        at: At<'_>,
    ) -> Result<Self, ApiError> {
        let look = Self::of_row(service, id_or_slug, actor).await?;
        look.must(actor, right, at)?;
        Ok(look)
    }

    /// The connection of the snapshot.
    pub fn conn(&mut self) -> &mut Connection {
        &mut self.tx
    }

    /// Seats of the account.
    pub async fn seats(&mut self) -> Result<SeatCount, ApiError> {
        seats::count(&mut self.tx, &self.account, &self.profile, self.now).await
    }

    /// Ids of the subscriptions that this actor sees, who has no role in the account itself; none:
    /// all of them (CT-03).
    pub async fn seen(&mut self, actor: &Actor) -> Result<Option<BTreeSet<String>>, ApiError> {
        let person = actor.person().filter(|_| !actor.sees(At::Account));
        let Some(person) = person else { return Ok(None) };
        let (conn, id) = (&mut self.tx, &self.account.id);
        let ids = subscriptions::ids_of_person(conn, id, &person.address).await?;
        Ok(Some(ids.into_iter().collect()))
    }

    /// Pools of the account whose seats belong to subscriptions.
    pub async fn pools(&mut self) -> Result<Vec<(SubscriptionRow, SeatCount)>, ApiError> {
        seats::pools(&mut self.tx, &self.account, &self.profile, self.now).await
    }

    /// Feed position of the snapshot.
    pub fn position(&self) -> u64 {
        u64::try_from(self.account.position).unwrap_or_default()
    }
}
