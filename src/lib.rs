//! Keeps who is on an account equal to what is declared in git.
//!
//! The map, in reading order. One path: fetch → resolve → observe → plan → apply → report.

pub mod api;
pub mod backend;
pub mod domain;
pub mod manifests;
pub mod plan;
pub mod profile;
pub mod wire;
pub mod yaml;
