//! Suggestions of members.
