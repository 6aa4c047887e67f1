//! Recipients of categories (NP-10).
