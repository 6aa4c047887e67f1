//! Websites of an account.
