//! Members that were suggested (CT-04).

use crate::server::routes::operation::Operation;

/// Its operations.
pub(crate) fn operations() -> Vec<Operation> {
    vec![]
}
