//! People who would have joined by domain (X6).

use crate::server::routes::operation::Operation;

/// Its operations.
pub(crate) fn operations() -> Vec<Operation> {
    vec![]
}
