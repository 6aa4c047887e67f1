//! What is said of people who are missing in a look that is not trusted for it.

use crate::plan::{Hold, HoldCause};

/// People that are named.
const NAMED: usize = 10;

/// How many are missing, if that is what waits for a person.
pub fn count(hold: &Hold) -> Option<u64> {
    match hold.why {
        HoldCause::ReadUntrusted { absent } => Some(absent),
        HoldCause::RemovalBrake | HoldCause::EmptySource(_) | HoldCause::LedgerLost => None,
    }
}

/// Who is missing, as far as the files declare them, and the ways out.
pub fn text(hold: &Hold, absent: u64) -> String {
    let names: Vec<String> = hold.absent.iter().take(NAMED).map(ToString::to_string).collect();
    let more = absent.saturating_sub(names.len() as u64);
    let who = match (names.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!(": {}", names.join(", ")),
        (false, more) => format!(": {}, and {more} more", names.join(", ")),
    };
    let digest = &hold.digest;
    format!(
        "! held set {digest}: {absent} missing{who}\n  hint: compare with the account service; if it is \
         so, let just this be believed, once: seatkeeper apply … --approve {digest}; whoever was a member \
         then counts as having left, and is not invited again by itself\n"
    )
}
