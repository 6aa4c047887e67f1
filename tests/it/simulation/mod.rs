//! The operator and the account service in one process, on an API server in memory and a clock of
//! their own: one seed, one history.

#![expect(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "test helpers")]

mod cluster;
mod requests;
