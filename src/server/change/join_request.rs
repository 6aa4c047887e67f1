//! Join requests (X6).
