//! Suggestions of members (CT-04).
