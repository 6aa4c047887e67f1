//! Client accesses: asked for, granted, ended (NC).
