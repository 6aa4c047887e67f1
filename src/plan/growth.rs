//! How the work of a plan grows with the people: counted, not timed.

#[path = "../../benches/plan/people.rs"]
mod people;

use self::people::{Account, Change};
use super::plan;
use crate::domain::compared::comparisons;

/// A plan of n people is made in n log n comparisons of addresses (every look-up in a map or a set,
/// every step of a sort, every search is made of them). What grows here is the part beside the
/// logarithm: 1 is what `plan` promises, 2 would be a search of everybody for each person.
const MOST: f64 = 1.05;

/// Comparisons of one plan, each logarithm of the people counted as one.
fn work(people: u32, change: Change) -> f64 {
    let account = Account::of(people as usize, change);
    let (planned, compared) = comparisons(|| plan(&account.input()));
    let planned = planned.unwrap();
    let expected = if change == Change::Nothing { 0 } else { people as usize / 10 };
    assert_eq!(planned.actions.len() + planned.held.len(), expected, "{people}, {change:?}");
    compared as f64 / f64::from(people).log2()
}

#[test]
fn ten_times_the_people_are_hardly_more_than_ten_times_the_work() {
    for (name, change) in Change::ALL {
        let growth = (work(100_000, change) / work(10_000, change)).log10();
        assert!(growth <= MOST, "{name}: the exponent is {growth:.3}");
        assert!(
            growth > 0.9,
            "{name}: the exponent is {growth:.3}, so little that it counts wrong"
        );
    }
}
