//! Keeps who is on an account equal to what is declared in git.
//!
//! The map. One path: fetch → resolve → observe → plan → apply → report.

pub mod api;
pub mod apply;
pub mod backend;
pub mod cli;
pub mod controller;
pub mod domain;
pub mod failpoint;
pub mod ledger;
pub mod manifests;
pub mod plan;
pub mod profile;
pub mod server;
pub mod telemetry;
pub mod wire;
pub mod yaml;

// The benchmark of plans, whose accounts the tests of their growth use, names the crate.
#[cfg(test)]
extern crate self as seatkeeper;
