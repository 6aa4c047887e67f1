//! The one integration test binary.

mod apply;
mod crds;
mod ledger;
mod ledger_kube;
mod world;
