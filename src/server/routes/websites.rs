//! Websites.

use crate::server::routes::operation::Operation;

/// Its operations.
pub(crate) fn operations() -> Vec<Operation> {
    vec![]
}
