//! The operator and the account service in one process, on an API server in memory and a clock of
//! their own: one seed, one history.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "test helpers"
)]

mod check;
mod cluster;
mod fault;
mod habit;
mod requests;
mod scenario;
mod service;
mod sweep;
mod wire;
mod world;

use std::fs::File;
use std::sync::Arc;

use fault::Faults;
use habit::Habit;
use scenario::Scenario;
use world::{History, Picture, World};

/// Lives through a scenario in a world of its own, on a paused clock of its own.
fn live(scenario: &Scenario, faults: Faults, expected: Option<&[Picture]>) -> History {
    live_with(scenario, faults, expected, None)
}

/// The same, with an operator that has this habit.
fn live_with(
    scenario: &Scenario,
    faults: Faults,
    expected: Option<&[Picture]>,
    habit: Option<Habit>,
) -> History {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = World::new(faults, habit);
        let log = File::create(world.service.log_file()).unwrap();
        let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(Arc::new(log));
        let _logging = tracing::subscriber::set_default(subscriber.finish());
        world.live(scenario, expected).await
    })
}
