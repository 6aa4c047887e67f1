//! The operator and the account service in one process, on an API server in memory and a clock of
//! their own: one seed, one history.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

mod check;
mod cluster;
mod fault;
mod requests;
mod scenario;
mod service;
mod sweep;
mod wire;
mod world;

use fault::Faults;
use scenario::Scenario;
use world::{History, Picture, World};

/// Lives through a scenario in a world of its own, on a paused clock of its own.
fn live(scenario: &Scenario, faults: Faults, expected: Option<&[Picture]>) -> History {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async { World::new(faults).live(scenario, expected).await })
}
