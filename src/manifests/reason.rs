//! Why a declaration is not accepted.

pub use crate::domain::reason::Reason;

/// Why something is not accepted, for machines and for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// For machines.
    pub reason: Reason,
    /// Where in the object, as a JSON pointer (RFC 6901).
    pub pointer: String,
    /// For people: what is wrong.
    pub message: String,
    /// For people: what to do next.
    pub hint: String,
}

impl Rejection {
    /// Says that the value at `pointer` is wrong.
    pub(super) fn new(
        reason: Reason,
        pointer: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { reason, pointer: pointer.into(), message: message.into(), hint: hint.into() }
    }

    /// What is wrong and what to do, in one text, for the message of a condition.
    #[must_use]
    pub fn text(&self) -> String {
        let field = super::source::field(&self.pointer);
        if field.is_empty() {
            format!("{}; {}", self.message, self.hint)
        } else {
            format!("{field}: {}; {}", self.message, self.hint)
        }
    }
}
