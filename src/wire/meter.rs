//! Usage of meters.
