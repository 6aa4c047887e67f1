//! Client accesses and access requests.
