//! The one integration test binary.

mod backend_faults;
mod contract;
mod contract_memory;
mod crds;
mod scripted;
