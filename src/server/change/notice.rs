//! What people are told of beside their own place: digests, short seats, billing, usage.
