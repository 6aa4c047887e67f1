//! What the tests of the planner share: profiles, the small YAML of the folder cases, and the plan
//! as text.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

mod agency;
pub mod effects;
pub mod generate;
pub mod history;
pub mod joining;
pub mod organisation;
pub mod profiles;
pub mod read;
pub mod text;
pub mod words;
