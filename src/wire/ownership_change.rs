//! Changes of owner.
