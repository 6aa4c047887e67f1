//! What was used of each meter.
