//! The one integration test binary.

mod architecture;
mod backend_faults;
mod cel;
mod cluster;
mod contract;
mod contract_memory;
mod crds;
mod examples;
mod scripted;
mod server_api;
mod server_invariants;
mod server_rules;
mod server_running;
mod server_story;
mod service;
