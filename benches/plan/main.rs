//! Time and peak memory of planning, reported only: `make bench`. How the work grows with the people
//! is counted, and held, by the tests of `src/plan/growth.rs`.
//!
//! Each row is one process-wide round: a plan of n people that changes nothing, one that invites every
//! tenth, and one of which every tenth is no longer declared. Times are medians; memory is the peak
//! resident size (Linux) so far.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a bench prints its table")]

mod people;

use std::time::{Duration, Instant};

use people::{Account, Change};
use seatkeeper::plan::plan;

const ROUNDS: usize = 7;

/// Median time of a plan, and how many actions it has or holds.
fn measure(people: usize, change: Change) -> (Duration, usize) {
    let account = Account::of(people, change);
    let mut actions = 0;
    let mut times: Vec<Duration> = (0..ROUNDS)
        .map(|_| {
            let start = Instant::now();
            let plan = plan(&account.input()).unwrap();
            let took = start.elapsed();
            actions = plan.actions.len() + plan.held.len();
            took
        })
        .collect();
    times.sort();
    (times[ROUNDS / 2], actions)
}

/// Peak resident size of this process in MiB; `None` where the system does not say.
fn peak_mib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

fn main() {
    println!(
        "{:>8}  {:>14}  {:>8}  {:>10}  {:>9}",
        "people", "plan", "actions", "time ms", "peak MiB"
    );
    for people in [1_000, 10_000, 100_000] {
        for (name, change) in Change::ALL {
            let (time, actions) = measure(people, change);
            let peak = peak_mib().map_or_else(|| "-".to_owned(), |mib| mib.to_string());
            let time = time.as_secs_f64() * 1000.0;
            println!("{people:>8}  {name:>14}  {actions:>8}  {time:>10.1}  {peak:>9}");
        }
    }
}
