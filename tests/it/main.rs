//! The one integration test binary.

mod apply;
mod architecture;
mod backend_faults;
mod backend_tls;
mod cel;
mod cli_bad;
mod cli_counts;
mod cli_kill;
mod cli_run;
mod cli_secrets;
mod cli_story;
mod cluster;
mod contract;
mod contract_memory;
mod contract_service;
mod crds;
mod examples;
mod ledger;
mod ledger_kube;
mod plan_cases;
mod plan_properties;
mod planner;
mod scripted;
mod server_story;
mod service;
mod world;
