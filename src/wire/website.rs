//! Websites.
