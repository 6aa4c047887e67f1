//! The one integration test binary.

mod crds;
mod server_story;
mod service;
