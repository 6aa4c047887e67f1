//! Changes of owner: asked for, confirmed, accepted (DO-09).
