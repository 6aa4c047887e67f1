//! Domains whose people join by themselves.
