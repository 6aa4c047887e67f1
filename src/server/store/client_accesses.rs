//! Client accesses: an agency asks, its client grants (NC-01).
