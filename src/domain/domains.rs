//! Domains whose people join by themselves: their names, what the service holds of them, and what we
//! remember (PO-11).

use std::borrow::Borrow;
use std::fmt;
use std::net::IpAddr;

use jiff::Timestamp;
use thiserror::Error;

use crate::domain::identity::EmailAddress;
use crate::domain::keys::{DomainId, ETag};

/// Longest name: that of the record which proves it must still be one.
const MAX_NAME: usize = 230;

/// A domain as it stands in canonical addresses: lower case, A-labels, no dot at the end.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DomainName(String);

/// Why a text is not a domain that people can join by.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DomainError {
    /// An address, or a number of the network.
    #[error("is not a domain name; write it as example.com")]
    NotAName,
    /// One label, an empty one, or characters that no domain has.
    #[error("is not a domain that addresses can have; write it as example.com")]
    NotOfAddresses,
    /// The name of its record would be none.
    #[error("is longer than 230 characters")]
    TooLong,
}

impl DomainName {
    /// Reads a name in any spelling.
    ///
    /// # Errors
    ///
    /// [`DomainError`] when no address can be at it.
    pub fn parse(text: &str) -> Result<Self, DomainError> {
        let name = text.trim();
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.contains('@') || name.parse::<IpAddr>().is_ok() {
            return Err(DomainError::NotAName);
        }
        // An address knows what a domain of addresses is; a number at the end is none.
        let address = EmailAddress::parse(&format!("postmaster@{name}"));
        let address = address.map_err(|_| DomainError::NotOfAddresses)?;
        let domain = address.domain();
        let last = domain.rsplit('.').next().unwrap_or_default();
        if last.starts_with(|first: char| first.is_ascii_digit()) {
            return Err(DomainError::NotAName);
        }
        if domain.len() > MAX_NAME {
            return Err(DomainError::TooLong);
        }
        Ok(Self(domain.to_owned()))
    }

    /// The canonical form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for DomainName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DomainName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One domain at the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservedDomain {
    /// Id at the service.
    pub id: DomainId,
    /// Version of the row.
    pub etag: ETag,
    /// Where it stands.
    pub state: DomainState,
    /// Its people join, once it is verified.
    pub auto_join: bool,
    /// The record that proves it.
    pub record: TxtRecord,
}

/// A TXT record to publish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TxtRecord {
    /// Its name.
    pub name: String,
    /// Its text.
    pub value: String,
}

/// Where a domain stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DomainState {
    /// Its record was not found yet.
    Pending,
    /// It belongs to the account.
    Verified,
    /// Its record is gone: nobody joins by it.
    Lapsed,
    /// A word that we do not know: not understood, not touched.
    Unknown,
}

/// What the ledger knows of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DomainRecord {
    /// We put it in: we take it away when it is no longer declared.
    pub made: bool,
    /// How often in a row its record was not found.
    pub tries: u32,
    /// When it was put in, or its record last looked for.
    pub tried_at: Option<Timestamp>,
    /// Another account had it when we last asked.
    pub taken: bool,
}

#[cfg(test)]
mod tests {
    use super::DomainName;

    #[test]
    fn a_name_has_one_spelling_and_two_labels() {
        for (text, said) in [
            (" Example.COM. ", "example.com"),
            ("Bücher.Example", "xn--bcher-kva.example"),
            ("mail.example.co.uk", "mail.example.co.uk"),
            ("com", "is not a domain that addresses can have; write it as example.com"),
            ("a..example", "is not a domain that addresses can have; write it as example.com"),
            ("127.0.0.1", "is not a domain name; write it as example.com"),
            ("127.1", "is not a domain name; write it as example.com"),
            ("ana@example.com", "is not a domain name; write it as example.com"),
        ] {
            let parsed = DomainName::parse(text);
            let parsed = parsed.map_or_else(|error| error.to_string(), |name| name.to_string());
            assert_eq!(parsed, said, "{text}");
        }
    }
}
