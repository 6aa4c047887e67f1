//! Changes of owner, in two steps (DO-09).

use crate::server::routes::operation::Operation;

/// Its operations.
pub(crate) fn operations() -> Vec<Operation> {
    vec![]
}
