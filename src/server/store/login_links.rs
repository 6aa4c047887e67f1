//! Links by which an agency's person logs in as a client, once.
