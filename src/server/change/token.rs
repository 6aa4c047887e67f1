//! Tokens: made and taken away.
