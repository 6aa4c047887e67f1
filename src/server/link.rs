//! Links that are mailed: id, generation and a 128-bit HMAC under the secret key.

use std::fs;
use std::io;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use hmac::{Hmac, Mac as _};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;

use crate::server::error::ServerError;
use crate::server::ids;

/// Bytes of the HMAC that a link carries.
const MAC_BYTES: usize = 16;

/// Most characters of an id.
const MAX_ID: usize = 40;

/// The key under which links and form marks are made. Not in backups of the database.
pub(crate) struct SecretKey(SecretString);

impl SecretKey {
    /// Reads the key, or makes one that only the owner of the process can read.
    pub fn load(path: &Path) -> Result<Self, ServerError> {
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => make(path)
                .map_err(|source| ServerError::SecretKey { path: path.to_owned(), source })?,
            Err(source) => return Err(ServerError::SecretKey { path: path.to_owned(), source }),
        };
        let text = text.trim();
        if text.len() < 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(ServerError::SecretKeyShape { path: path.to_owned() });
        }
        Ok(Self(text.to_owned().into()))
    }

    /// The HMAC of `parts`, 32 hex digits. `purpose` keeps one use from passing for another.
    pub fn sign(&self, purpose: &str, parts: &[&str]) -> String {
        ids::hex(&self.mac(purpose, parts).finalize().into_bytes()[..MAC_BYTES])
    }

    /// True if `signature` is the one of `parts`; takes the same time whatever differs.
    pub fn verifies(&self, purpose: &str, parts: &[&str], signature: &str) -> bool {
        let Some(bytes) = unhex(signature) else { return false };
        bytes.len() == MAC_BYTES && self.mac(purpose, parts).verify_truncated_left(&bytes).is_ok()
    }

    fn mac(&self, purpose: &str, parts: &[&str]) -> Hmac<Sha256> {
        // An HMAC takes a key of any length: the second arm cannot be reached.
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.expose_secret().as_bytes())
            .unwrap_or_else(|_| Hmac::<Sha256>::new(&Default::default()));
        for part in std::iter::once(&purpose).chain(parts) {
            mac.update(&part.len().to_be_bytes());
            mac.update(part.as_bytes());
        }
        mac
    }
}

fn make(path: &Path) -> io::Result<String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let text = ids::secret();
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(text)
}

/// The bytes of hex digits.
pub(crate) fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

/// What a link about a row is for. A link for one purpose is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Grant an agency access, or refuse it.
    Grant,
    /// Log in as a client.
    LogIn,
}

impl Purpose {
    /// The path of its page; the token follows.
    pub fn path(self) -> &'static str {
        match self {
            Self::Grant => "/grant/",
            Self::LogIn => "/log-in-as/",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Grant => "grant",
            Self::LogIn => "log-in",
        }
    }
}

/// What a row's link says, before anything is believed of it.
pub(crate) struct RowLink<'a> {
    purpose: Purpose,
    /// Id of the row.
    pub id: &'a str,
    /// Which of its links.
    pub generation: i64,
    signature: &'a str,
}

impl<'a> RowLink<'a> {
    /// Takes a link's token apart.
    pub fn parse(purpose: Purpose, token: &'a str) -> Option<Self> {
        let mut parts = token.splitn(3, '-');
        let (id, generation, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let of_id = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let known = id.len() <= MAX_ID && id.bytes().all(of_id);
        let generation = generation.parse().ok()?;
        known.then_some(Self { purpose, id, generation, signature })
    }

    /// True if it was made for this purpose, row, generation and address.
    pub fn verifies(&self, key: &SecretKey, address: &str) -> bool {
        let parts = [self.id, &self.generation.to_string(), address];
        key.verifies(self.purpose.word(), &parts, self.signature)
    }
}

/// The token of a row's link: id, generation and the HMAC of purpose, both and the address.
pub(crate) fn row_token(
    key: &SecretKey,
    purpose: Purpose,
    id: &str,
    generation: i64,
    address: &str,
) -> String {
    let signature = key.sign(purpose.word(), &[id, &generation.to_string(), address]);
    format!("{id}-{generation}-{signature}")
}

/// What an invitation's link says, before anything is believed of it.
pub(crate) struct InvitationLink<'a> {
    /// Id of the invitation.
    pub id: String,
    /// Which of its links.
    pub generation: i64,
    signature: &'a str,
}

impl<'a> InvitationLink<'a> {
    /// Takes a link's token apart.
    pub fn parse(token: &'a str) -> Option<Self> {
        let mut parts = token.splitn(3, '-');
        let (id, generation, signature) = (parts.next()?, parts.next()?, parts.next()?);
        let known = id.len() == 26 && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let generation = generation.parse().ok()?;
        known.then(|| Self { id: format!("inv_{id}"), generation, signature })
    }

    /// True if it was made for this invitation, this generation and this address.
    pub fn verifies(&self, key: &SecretKey, address: &str) -> bool {
        let parts = [self.id.as_str(), &self.generation.to_string(), address];
        key.verifies("invitation", &parts, self.signature)
    }
}

/// The token of an invitation's link.
pub(crate) fn invitation_token(
    key: &SecretKey,
    id: &str,
    generation: i64,
    address: &str,
) -> String {
    let signature = key.sign("invitation", &[id, &generation.to_string(), address]);
    format!("{}-{generation}-{signature}", id.trim_start_matches("inv_"))
}

/// The token of a link that proves an address: the address in hex, when it was asked for, and the
/// HMAC of both. Nothing is stored.
pub(crate) fn address_token(key: &SecretKey, address: &str, asked_at: Timestamp) -> String {
    let (name, second) = (ids::hex(address.as_bytes()), asked_at.as_second().to_string());
    format!("{name}-{second}-{}", key.sign("address", &[address, &second]))
}

/// The address that a token of [`address_token`] proves, for a day.
pub(crate) fn proven_address(key: &SecretKey, token: &str, now: Timestamp) -> Option<String> {
    let mut parts = token.splitn(3, '-');
    let (name, second, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let address = String::from_utf8(unhex(name)?).ok()?;
    let asked_at = Timestamp::from_second(second.parse().ok()?).ok()?;
    let fresh = now.duration_since(asked_at) < SignedDuration::from_hours(24);
    (key.verifies("address", &[&address, second], signature) && fresh).then_some(address)
}

#[cfg(test)]
mod tests {
    use super::{InvitationLink, SecretKey, invitation_token};

    #[test]
    fn a_link_is_bound_to_invitation_generation_address_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::load(&folder.path().join("key")).unwrap();
        let other = SecretKey::load(&folder.path().join("other")).unwrap();
        let id = "inv_01J0000000000000000000000A";
        let token = invitation_token(&key, id, 2, "ana@example.com");
        let link = InvitationLink::parse(&token).unwrap();
        assert_eq!((link.id.as_str(), link.generation), (id, 2));
        assert!(link.verifies(&key, "ana@example.com"));
        assert!(!link.verifies(&key, "bob@example.com"));
        assert!(!link.verifies(&other, "ana@example.com"));
        let forged = token.replacen("-2-", "-3-", 1);
        assert!(!InvitationLink::parse(&forged).unwrap().verifies(&key, "ana@example.com"));
    }

    #[test]
    fn the_key_file_is_made_once_and_is_the_owners_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        let first = SecretKey::load(&path).unwrap().sign("p", &["a"]);
        assert_eq!(SecretKey::load(&path).unwrap().sign("p", &["a"]), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::write(&path, "short").unwrap();
        assert!(SecretKey::load(&path).is_err());
    }
}
