//! One scenario with one fault, for every call and every fault that it can meet, and with two.
//!
//! A seed is a number: below the number of single faults it names one, above it a pair.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::simulation::fault::{Fault, Faults};
use crate::simulation::scenario::{Scenario, first_team};
use crate::simulation::world::History;
use crate::simulation::{check, live};

/// Of so many seeds the daily tests live through one.
const EVERY: usize = 89;
/// How far the second fault of a pair is behind the first, at most.
const NEAR: usize = 60;

/// The history as it is in every run: what is random gets its name from its place.
fn text(history: &History) -> String {
    let mut names: BTreeMap<String, usize> = BTreeMap::new();
    let text = history.text();
    let words = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let named = words.map(|word| {
        let (bare, end) =
            word.split_at(word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric()).len());
        let digits = bare.chars().any(|c| c.is_ascii_digit());
        let of_an_event = bare.len() == 16 && bare.chars().all(|c| c.is_ascii_hexdigit());
        let is_random = digits && (bare.len() >= 28 || of_an_event);
        if !is_random {
            return word.to_owned();
        }
        let next = names.len();
        let place = *names.entry(bare.to_owned()).or_insert(next);
        format!("#{place}{end}")
    });
    named.collect()
}

/// The faults of each single history.
fn singles(calm: &History) -> Vec<Faults> {
    let points = calm.passed[..calm.told].iter().enumerate();
    let all = points.flat_map(|(at, passed)| {
        (0..Fault::of(&passed.point).len()).map(move |place| Faults::from([(at, place)]))
    });
    all.collect()
}

/// The faults of a seed.
fn faults(seed: usize, singles: &[Faults]) -> Faults {
    let Some(pair) = seed.checked_sub(singles.len()) else { return singles[seed].clone() };
    let (first, rest) = (mix(pair) % singles.len(), mix(mix(pair)));
    let mut faults = singles[first].clone();
    let at = faults.keys().next().unwrap() + 1 + rest % NEAR;
    faults.insert(at, rest / NEAR);
    faults
}

/// Numbers that look random (splitmix64).
fn mix(number: usize) -> usize {
    let mixed = (number as u64).wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    usize::try_from((mixed ^ (mixed >> 31)) >> 1).unwrap()
}

/// What came of many seeds.
#[derive(Default)]
struct Sum {
    histories: usize,
    approvals: usize,
    wrong: Vec<String>,
}

/// Lives through all these seeds, several at a time.
fn sweep(scenario: &Scenario, calm: &History, seeds: &[usize]) -> Sum {
    let (next, sum) = (AtomicUsize::new(0), Mutex::new(Sum::default()));
    let singles = singles(calm);
    let workers = thread::available_parallelism().map_or(2, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::SeqCst)) {
                    let history = live(scenario, faults(*seed, &singles), Some(&calm.pictures));
                    let found = check::all(&history, calm);
                    let mut sum = sum.lock().unwrap();
                    sum.histories += 1;
                    sum.approvals += history.approvals;
                    if !found.is_empty() {
                        let met = history.met().join(" and ");
                        sum.wrong.push(format!("SEED={seed} {met}\n  {}", found.join("\n  ")));
                    }
                }
            });
        }
    });
    sum.into_inner().unwrap()
}

#[test]
fn the_same_world_has_the_same_history() {
    let scenario = first_team();
    let calm = live(&scenario, Faults::new(), None);
    let other = live(&scenario, Faults::new(), Some(&calm.pictures));
    assert_eq!(text(&calm), text(&other));
    assert_eq!(check::all(&other, &calm), [] as [String; 0]);
    for (name, mails) in scenario.mails {
        let to = |line: &&String| line.ends_with(&format!("{name}@example.com"));
        let sent = calm
            .mails
            .iter()
            .filter(|line| line.starts_with("mail invitation") || line.starts_with("mail resend"));
        assert_eq!(sent.filter(to).count(), *mails, "{name}");
    }
}

/// Every [`EVERY`]th seed; `make sim` lives through all up to `SEEDS`, or the one of `SEED`, whose
/// history it shows.
#[test]
fn one_fault_at_any_call_changes_nothing_in_the_end() {
    let number = |name: &str| std::env::var_os(name)?.to_str()?.parse::<usize>().ok();
    let scenario = first_team();
    let calm = live(&scenario, Faults::new(), None);
    let singles = singles(&calm);
    assert!(singles.len() > 3_000, "{} faults at {} calls", singles.len(), calm.told);
    if let Some(seed) = number("SEATKEEPER_SIM_SEED") {
        let history = live(&scenario, faults(seed, &singles), Some(&calm.pictures));
        println!("{}{}", history.text(), history.log);
        return tell(&sweep(&scenario, &calm, &[seed]));
    }
    let (seeds, every) = match number("SEATKEEPER_SIM_SEEDS") {
        None => (singles.len(), EVERY),
        Some(0) => (singles.len(), 1),
        Some(seeds) => (seeds, 1),
    };
    let from = number("SEATKEEPER_SIM_FROM").unwrap_or(0);
    let seeds: Vec<usize> = (from..seeds).step_by(every).collect();
    assert!(!seeds.is_empty(), "no seed below the last");
    let sum = sweep(&scenario, &calm, &seeds);
    assert_eq!(sum.histories, seeds.len());
    tell(&sum);
}

fn tell(sum: &Sum) {
    let Sum { histories, approvals, wrong } = sum;
    println!("{histories} histories, {approvals} approvals more than without faults");
    assert!(wrong.is_empty(), "{} of {histories}:\n{}", wrong.len(), wrong.join("\n"));
}
