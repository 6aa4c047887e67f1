//! The operator and the account service in one process, on an API server in memory and a clock of
//! their own: one seed, one history.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

mod cluster;
mod fault;
mod requests;
mod scenario;
mod service;
mod wire;
mod world;

use std::future::Future;

/// Runs a world on a paused clock of its own.
fn in_a_world<T>(life: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_all().start_paused(true).build().unwrap().block_on(life)
}

#[test]
fn a_story_without_faults() {
    let began = std::time::Instant::now();
    let history =
        in_a_world(async { world::World::new(None).live(&scenario::first_team(), None).await });
    println!("{:?} {}", began.elapsed(), history.passed.len());
    for picture in &history.pictures {
        println!("--\n{}", picture.join("\n"));
    }
    println!("{:#?}", history.mails);
    println!("{}", history.text());
}
