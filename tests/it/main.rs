//! The one integration test binary.

mod cel;
mod cluster;
mod crds;
