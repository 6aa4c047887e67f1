//! The one integration test binary.

mod backend_faults;
mod backend_tls;
mod contract;
mod contract_memory;
mod crds;
mod scripted;
