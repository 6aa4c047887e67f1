//! The one integration test binary.

mod apply;
mod architecture;
mod backend_faults;
mod backend_tls;
mod backend_writes;
mod cel;
mod cluster;
mod contract;
mod contract_memory;
mod contract_service;
mod crds;
mod examples;
mod ledger;
mod ledger_kube;
mod operator_deletion;
mod operator_faults;
mod operator_story;
mod operator_world;
mod plan_cases;
mod plan_properties;
mod planner;
mod scripted;
mod server_story;
mod service;
mod world;
