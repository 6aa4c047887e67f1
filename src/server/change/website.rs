//! Websites and their state.
