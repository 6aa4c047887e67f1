//! The one integration test binary.

mod crds;
mod plan_cases;
mod plan_properties;
mod planner;
