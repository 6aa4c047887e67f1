//! The one integration test binary.

mod backend_faults;
mod crds;
mod scripted;
