//! Conditions: what can be said of an object, in the words that tools read.

use crate::domain::reason::Reason;
use jiff::{SignedDuration, Timestamp, TimestampRound, Unit};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// Whether something is so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Truth {
    /// It is.
    True,
    /// It is not.
    False,
    /// Nobody knows at this moment.
    Unknown,
}

impl Truth {
    /// As a condition has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

/// What one condition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Say {
    /// Whether it is so.
    pub truth: Truth,
    /// Why, for machines.
    pub reason: Reason,
    /// Why, for people.
    pub message: String,
}

impl Say {
    /// It is so.
    pub fn yes(reason: Reason, message: impl Into<String>) -> Self {
        Self { truth: Truth::True, reason, message: message.into() }
    }

    /// It is not.
    pub fn no(reason: Reason, message: impl Into<String>) -> Self {
        Self { truth: Truth::False, reason, message: message.into() }
    }

    /// Nobody knows.
    pub fn unknown(reason: Reason, message: impl Into<String>) -> Self {
        Self { truth: Truth::Unknown, reason, message: message.into() }
    }
}

/// What can be said of one object. `Ready` follows from the first two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Says {
    /// It is valid and what it names exists.
    pub accepted: Say,
    /// The account matched at the last look.
    pub synced: Say,
    /// A person must act.
    pub stalled: Option<Say>,
}

impl Says {
    /// `Ready`: accepted and synced; what is wrong first says why not.
    fn ready(&self) -> Say {
        let Self { accepted, synced, stalled: _ } = self;
        match (accepted.truth, synced.truth) {
            (Truth::True, _) => synced.clone(),
            (Truth::False | Truth::Unknown, _) => accepted.clone(),
        }
    }

    /// The conditions of a status: in the order of their types, so that equal ones are equal.
    ///
    /// `lastTransitionTime` moves only when `status` does. Source: Kubernetes API conventions,
    /// "Typical status properties".
    pub fn conditions(
        &self,
        old: &[Condition],
        generation: Option<i64>,
        now: Timestamp,
    ) -> Vec<Condition> {
        let ready = self.ready();
        let Self { accepted, synced, stalled } = self;
        let mut says = vec![("Accepted", accepted), ("Ready", &ready), ("Synced", synced)];
        says.extend(stalled.as_ref().map(|stalled| ("Stalled", stalled)));
        says.sort_by_key(|(type_, _)| *type_);
        let condition = |(type_, say): (&str, &Say)| {
            let before = old.iter().find(|old| old.type_ == type_);
            let same = before.filter(|old| old.status == say.truth.as_str());
            Condition {
                type_: type_.to_owned(),
                status: say.truth.as_str().to_owned(),
                reason: say.reason.to_string(),
                message: say.message.clone(),
                observed_generation: generation,
                last_transition_time: same
                    .map_or_else(|| time(now), |old| old.last_transition_time.clone()),
            }
        };
        says.into_iter().map(condition).collect()
    }
}

/// A time as a status carries it: whole seconds.
pub fn time(at: Timestamp) -> Time {
    let down = TimestampRound::new().smallest(Unit::Second).mode(jiff::RoundMode::Trunc);
    Time(at.round(down).unwrap_or_else(|_| at.saturating_sub(SignedDuration::ZERO).unwrap_or(at)))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::{Say, Says};
    use crate::domain::reason::Reason;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn says(synced: Say) -> Says {
        let accepted = Say::yes(Reason::Accepted, "");
        let stalled =
            (synced.reason == Reason::RemovalHeld).then(|| Say::yes(Reason::RemovalHeld, ""));
        Says { accepted, synced, stalled }
    }

    #[test]
    fn an_unchanged_outcome_gives_equal_conditions() {
        let first = says(Say::no(Reason::RemovalHeld, "2 held"));
        let then = first.conditions(&[], Some(3), at("2026-11-22T05:00:00.75Z"));
        let again = first.conditions(&then, Some(3), at("2026-11-22T06:00:00Z"));
        assert_eq!(then, again);
        let types: Vec<_> = then.iter().map(|c| (c.type_.as_str(), c.status.as_str())).collect();
        assert_eq!(
            types,
            [("Accepted", "True"), ("Ready", "False"), ("Stalled", "True"), ("Synced", "False")]
        );
    }

    #[test]
    fn the_time_moves_with_the_status_alone() {
        let held = says(Say::no(Reason::RemovalHeld, "2 held")).conditions(
            &[],
            Some(1),
            at("2026-11-22T05:00:00Z"),
        );
        let more = says(Say::no(Reason::RemovalHeld, "3 held")).conditions(
            &held,
            Some(1),
            at("2026-11-22T06:00:00Z"),
        );
        assert_eq!(held[3].last_transition_time, more[3].last_transition_time);
        assert_eq!(more[3].message, "3 held");
        let done = says(Say::yes(Reason::Synced, "")).conditions(
            &more,
            Some(1),
            at("2026-11-22T07:00:00Z"),
        );
        assert_eq!(done.len(), 3, "Stalled is there only while a person must act");
        assert_ne!(done[2].last_transition_time, more[3].last_transition_time);
        assert_eq!(done[0].last_transition_time, more[0].last_transition_time);
    }
}
