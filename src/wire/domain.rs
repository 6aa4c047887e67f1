//! Domains and join requests.
