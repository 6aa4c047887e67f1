//! What a managing client keeps at the account; opaque to the service.
