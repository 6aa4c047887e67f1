//! Who receives which category of mail (NP-10).

use crate::server::routes::operation::Operation;

/// Its operations.
pub(crate) fn operations() -> Vec<Operation> {
    vec![]
}
