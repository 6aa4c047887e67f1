//! The words of the problem: plain values without I/O, without a clock and without serialisation.

pub mod capability;
pub mod clients;
#[cfg(test)]
pub(crate) mod compared;
pub mod desired;
pub mod domains;
pub mod endings;
pub mod identity;
pub mod joining;
pub mod keys;
pub mod ledger_view;
pub mod observed;
pub mod ownership;
pub mod particulars;
pub mod policy;
pub mod reason;
pub mod recipients;
pub mod teams;
