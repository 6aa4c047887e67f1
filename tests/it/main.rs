//! The one integration test binary.

mod apply;
mod crds;
mod world;
