//! JSON of the account API, version 1; used by client and server alike, and the source of the
//! OpenAPI document.
//!
//! Times are RFC 3339 UTC with microseconds. Answers may gain fields and words of enums at any
//! time: a client ignores the former and leaves alone what carries the latter (`Unknown`). The
//! server refuses request fields that it does not know.

mod account;
mod bounce;
mod client_access;
mod domain;
mod feed;
mod invitation;
mod member;
mod meter;
mod ownership_change;
mod page;
mod permission;
mod problem;
mod recipient;
mod subscription;
mod suggestion;
mod team;
mod token;
mod website;

pub use account::*;
pub use bounce::*;
pub use client_access::*;
pub use domain::*;
pub use feed::*;
pub use invitation::*;
pub use member::*;
pub use meter::*;
pub use ownership_change::*;
pub use page::*;
pub use permission::*;
pub use problem::*;
pub use recipient::*;
pub use subscription::*;
pub use suggestion::*;
pub use team::*;
pub use token::*;
pub use website::*;

/// Header of the idempotency key; required for every POST that mails.
pub const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Header that says that an answer was given before under the same key.
pub const IDEMPOTENCY_REPLAYED: &str = "idempotency-replayed";
/// Header of the answer to a change: where the change, or the last of several, stands in the feed.
pub const FEED_POSITION: &str = "feed-position";
/// Media type of [`Problem`]. Source: RFC 9457, 3.
pub const PROBLEM_JSON: &str = "application/problem+json";
/// Rows of a page unless asked otherwise.
pub const DEFAULT_PAGE_SIZE: u32 = 50;
/// Most rows of a page.
pub const MAX_PAGE_SIZE: u32 = 1000;
/// Most bytes of a request's body.
pub const MAX_BODY: usize = 1024 * 1024;
/// Most characters of a name for people.
pub const MAX_NAME: usize = 100;
/// Most characters of what an inviter writes to a person.
pub const MAX_MESSAGE: usize = 500;
/// Shortest lifetime of an invitation that can be asked for, in seconds.
pub const MIN_EXPIRES_IN: u64 = 60;
/// Longest lifetime of an invitation that any profile has, in seconds: a year.
pub const MAX_EXPIRES_IN: u64 = 31_536_000;
/// Most characters of a reference that a client sets.
pub const MAX_REFERENCE: usize = 128;
/// Ids, short names and names of a profile: what a path is made of, 128 characters at most.
pub const KEY_PATTERN: &str = "^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$";
/// Names in a profile: roles, plans, meters, categories.
pub const WORD_PATTERN: &str = "^[a-z][a-z0-9.-]{0,62}$";
/// Text in one line: no control characters, which no text of a request may have.
pub const TEXT_PATTERN: &str = r"^[^\x00-\x1f\x7f-\x9f]*$";
/// Text in one line that says something.
pub const NAME_PATTERN: &str =
    r"^[^\x00-\x1f\x7f-\x9f]*[^\s\x00-\x1f\x7f-\x9f][^\x00-\x1f\x7f-\x9f]*$";
