//! Changes of owner, in two steps (DO-09).
