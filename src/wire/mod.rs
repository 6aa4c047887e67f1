//! JSON of the account API, version 1; used by client and server alike, and the source of the
//! OpenAPI document.
//!
//! Times are RFC 3339 UTC with microseconds. Answers may gain fields and words of enums at any
//! time: a client ignores the former and leaves alone what carries the latter (`Unknown`). The
//! server refuses request fields that it does not know.

mod account;
mod feed;
mod invitation;
mod member;
mod page;
mod problem;
mod subscription;
mod team;
mod token;

pub use account::*;
pub use feed::*;
pub use invitation::*;
pub use member::*;
pub use page::*;
pub use problem::*;
pub use subscription::*;
pub use team::*;
pub use token::*;

/// Header of the idempotency key; required for every POST that mails.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Header that says that an answer was given before under the same key.
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";
/// Media type of [`Problem`]. Source: RFC 9457, 3.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Rows of a page unless asked otherwise.
pub const DEFAULT_PAGE_SIZE: u32 = 50;
/// Most rows of a page.
pub const MAX_PAGE_SIZE: u32 = 1000;
