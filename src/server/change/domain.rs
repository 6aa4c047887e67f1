//! Domains, and who joins by them (PO-11).
