//! What each step of the mode ladder would do, as text and as JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::cli::summary::summary;
use crate::plan::ladder::{Ladder, Radius};
use crate::profile::Profile;

/// A line for each mode that writes; nothing outside of mode `Observe`.
#[must_use]
pub fn text(ladder: &Ladder, profile: &Profile) -> String {
    let mut text = String::new();
    for (mode, plan) in ladder {
        let held = match (Radius::of(plan).held, &plan.stop) {
            (_, Some(stop)) => format!("; {}: {stop}", stop.reason()),
            (0, None) => String::new(),
            (held, None) => format!("; {held} held back"),
        };
        let _ = writeln!(text, "mode {mode:?} would: {}{held}", summary(plan, profile));
    }
    text
}

/// One object for each mode that writes.
#[must_use]
pub fn json(ladder: &Ladder, profile: &Profile) -> Value {
    let step = |(mode, plan): &(_, _)| {
        let Radius { additions, changes, removals, held } = Radius::of(plan);
        json!({
            "mode": format!("{mode:?}"),
            "additions": additions,
            "changes": changes,
            "removals": removals,
            "held": held,
            "stop": plan.stop.as_ref().map(|stop| stop.reason().as_str()),
            "summary": summary(plan, profile),
        })
    };
    ladder.iter().map(step).collect()
}
