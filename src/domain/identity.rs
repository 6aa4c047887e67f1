//! The canonical e-mail address: parsed once, then trusted.

use std::fmt;

use email_address::{EmailAddress as Syntax, Options};
use sha2::{Digest as _, Sha256};
use thiserror::Error;
use unicode_normalization::UnicodeNormalization as _;

use crate::domain::keys::{TeamId, TeamRef};

/// Longest address taken, in bytes. Source: RFC 5321, 4.5.3.1.3 (path), less its two brackets.
const MAX_BYTES: usize = 254;

/// One person, known by the canonical form of an e-mail address (OP-09).
///
/// Canonical: Unicode NFC, the domain as lower-case A-label (RFC 5890), the local part in lower
/// case. Dots and plus signs are kept as they are: whether they matter is the mail host's to say.
#[derive(Clone, Debug, Eq)]
#[cfg_attr(not(test), derive(PartialEq, PartialOrd, Ord, Hash))]
pub struct EmailAddress(String);

/// Why a text is not an address that can be invited.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    /// The text is not of the form `local@domain` of RFC 5321.
    #[error("is not an e-mail address")]
    Syntax,
    /// The domain is not a valid internationalised domain name.
    #[error("has a domain that is not a valid domain name")]
    Domain,
    /// The canonical form is longer than 254 bytes.
    #[error("is longer than 254 bytes")]
    TooLong,
}

impl EmailAddress {
    /// Reads an address in any spelling.
    ///
    /// # Errors
    ///
    /// [`AddressError`] when it cannot be the address of a mailbox: a display name, an address
    /// literal, a domain without a dot, control characters.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if text.chars().count() > MAX_BYTES {
            return Err(AddressError::TooLong);
        }
        let text: String = text.trim().nfc().collect();
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::Syntax)?;
        let domain = idna::domain_to_ascii_strict(domain).map_err(|_| AddressError::Domain)?;
        let canonical: String = format!("{}@{domain}", local.to_lowercase()).nfc().collect();
        if canonical.len() > MAX_BYTES {
            return Err(AddressError::TooLong);
        }
        let options =
            Options::default().with_required_tld().without_domain_literal().without_display_text();
        Syntax::parse_with_options(&canonical, options).map_err(|_| AddressError::Syntax)?;
        Ok(Self(canonical))
    }

    /// The canonical form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &str {
        self.0.rsplit_once('@').map_or("", |(_, domain)| domain)
    }

    /// The name under which the ledger keeps this person: the first 128 bits of
    /// SHA-256(salt ‖ canonical address), in hex.
    #[must_use]
    pub fn hashed(&self, salt: &str) -> PersonHash {
        hash(&[salt, &self.0])
    }
}

impl fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whom a row of a member or an invitation is about: one person in the account, or in one team of
/// it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MemberKey {
    /// The person.
    pub person: EmailAddress,
    /// The team; `None`: the account as a whole.
    pub team: Option<TeamKey>,
}

/// One team of an account that has many.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TeamKey {
    /// At the service.
    Known(TeamId),
    /// Declared by this object and not at the service, as far as we know.
    Declared(TeamRef),
}

impl TeamKey {
    /// The id, or the reference of one that has none yet.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Known(id) => id.as_str(),
            Self::Declared(reference) => reference.as_str(),
        }
    }
}

impl MemberKey {
    /// The same place under another address.
    #[must_use]
    pub fn at(&self, person: &EmailAddress) -> Self {
        Self { person: person.clone(), team: self.team.clone() }
    }

    /// The name under which the ledger keeps it: as [`EmailAddress::hashed`], and the id of the
    /// team behind a space, which no address has.
    #[must_use]
    pub fn hashed(&self, salt: &str) -> PersonHash {
        let Self { person, team } = self;
        match team {
            None => person.hashed(salt),
            Some(team) => hash(&[salt, person.as_str(), " ", team.as_str()]),
        }
    }
}

impl From<EmailAddress> for MemberKey {
    /// The person in the account as a whole.
    fn from(person: EmailAddress) -> Self {
        Self { person, team: None }
    }
}

impl fmt::Display for MemberKey {
    /// The address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.person.fmt(f)
    }
}

/// The first 128 bits of SHA-256 over `parts`, in hex.
fn hash(parts: &[&str]) -> PersonHash {
    let digest = parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize();
    PersonHash(digest[..16].iter().map(|byte| format!("{byte:02x}")).collect())
}

/// A person in the ledger: a salted hash, 32 hex digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PersonHash(pub String);

#[cfg(test)]
mod tests {
    use super::EmailAddress;

    fn canonical(text: &str) -> String {
        EmailAddress::parse(text).map_or_else(|error| format!("error: {error}"), |a| a.to_string())
    }

    // rule: OP-09
    #[test]
    fn spellings_of_one_address_are_one_person() {
        assert_eq!(canonical("Ana.B+x@EXAMPLE.com"), "ana.b+x@example.com");
        assert_eq!(canonical("ana@Mail.BÜCHER.example"), "ana@mail.xn--bcher-kva.example");
        assert_eq!(canonical("ana@mail.xn--bcher-kva.example"), "ana@mail.xn--bcher-kva.example");
        assert_eq!(canonical("ANA@mail.XN--BCHER-KVA.example"), "ana@mail.xn--bcher-kva.example");
        assert_eq!(canonical("jose\u{301}@example.com"), canonical("josé@example.com"));
        assert_ne!(canonical("a.na@example.com"), canonical("ana@example.com"));
    }

    #[test]
    fn what_is_no_mailbox_is_refused() {
        for text in ["", "ana", "ana@", "@example.com", "ana@localhost", "a b@example.com"] {
            assert!(canonical(text).starts_with("error:"), "{text} was taken");
        }
        for text in ["Ana <ana@example.com>", "ana@[127.0.0.1]", "a\r\nBcc: b@example.com"] {
            assert!(canonical(text).starts_with("error:"), "{text} was taken");
        }
        assert!(canonical(&format!("{}@example.com", "a".repeat(300))).contains("254"));
    }
}
