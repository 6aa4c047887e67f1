//! A read of one account on one snapshot.

use std::sync::Arc;

use jiff::Timestamp;

use crate::profile::Profile;
use crate::server::Service;
use crate::server::change::seats::{self, SeatCount};
use crate::server::change::visible;
use crate::server::error::ApiError;
use crate::server::permission::{Actor, Right};
use crate::server::store::accounts::{self, AccountRow};
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
    /// Looks at the account of this id or slug, as far as the actor may.
    pub async fn begin(
        service: &Arc<Service>,
        id_or_slug: &str,
        actor: &Actor,
        right: Right,
    ) -> Result<Self, ApiError> {
        let mut tx = service.store.snapshot().await?;
        let account = accounts::by_id_or_slug(&mut tx, id_or_slug).await?;
        let account = visible(account, actor)?;
        let profile = service.profile(&account.profile)?;
        actor.must(right, &profile)?;
        Ok(Self { account, profile, now: service.now(), tx })
    }

    /// The connection of the snapshot.
    pub fn conn(&mut self) -> &mut Connection {
        &mut self.tx
    }

    /// Seats of the account.
    pub async fn seats(&mut self) -> Result<SeatCount, ApiError> {
        seats::count(&mut self.tx, &self.account, &self.profile, self.now).await
    }

    /// Feed position of the snapshot.
    pub fn position(&self) -> u64 {
        u64::try_from(self.account.position).unwrap_or_default()
    }
}
