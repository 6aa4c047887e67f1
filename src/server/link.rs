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
use ulid::Ulid;

use crate::server::error::ServerError;
use crate::server::ids;

/// Bytes of the HMAC that a link carries.
const MAC_BYTES: usize = 16;

/// How long the link works that proves an address.
pub(crate) const ADDRESS_LIFETIME: SignedDuration = SignedDuration::from_hours(24);

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

/// What a mailed link about a row is for. A link for one purpose is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Accept or decline an invitation.
    Invitation,
    /// Grant an agency access, or refuse it.
    Grant,
    /// Confirm or accept an ownership change: which of the two says the address.
    Own,
    /// Log in as a client.
    LogIn,
}

impl Purpose {
    /// The path of its page; the token follows.
    pub fn path(self) -> &'static str {
        match self {
            Self::Invitation => "/i/",
            Self::Grant => "/grant/",
            Self::Own => "/own/",
            Self::LogIn => "/log-in-as/",
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Invitation => "invitation",
            Self::Grant => "grant",
            Self::Own => "own",
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
    let fresh = now.duration_since(asked_at) < ADDRESS_LIFETIME;
    (key.verifies("address", &[&address, second], signature) && fresh).then_some(address)
}

/// What is put behind the mailbox of a return path, so that a bounce says which mail it is of: the
/// mail's id and the HMAC of it, in base 32 as an id is. A mailbox has 64 characters at most.
pub(crate) fn bounce_tag(key: &SecretKey, mail: &str) -> String {
    let signature = u128::from_str_radix(&key.sign("bounce", &[mail]), 16).unwrap_or_default();
    format!("{mail}-{}", Ulid::from(signature))
}

/// The mail of a return path with a [`bounce_tag`], as `bounce+TAG@example.com`. Mail servers on the
/// way may change the case.
pub(crate) fn bounced_mail(key: &SecretKey, return_path: &str) -> Option<String> {
    let (mailbox, _) = return_path.rsplit_once('@')?;
    let (_, tag) = mailbox.rsplit_once('+')?;
    let (mail, signature) = tag.split_once('-')?;
    let mail = mail.to_ascii_uppercase();
    let signature = Ulid::from_string(signature).ok()?;
    key.verifies("bounce", &[&mail], &format!("{:032x}", signature.0)).then_some(mail)
}

#[cfg(test)]
mod tests {
    use super::{Purpose, RowLink, SecretKey, bounce_tag, bounced_mail, row_token};

    const ID: &str = "inv_01J0000000000000000000000A";

    #[test]
    fn a_link_is_bound_to_row_generation_address_and_key() {
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::load(&folder.path().join("key")).unwrap();
        let other = SecretKey::load(&folder.path().join("other")).unwrap();
        for purpose in [Purpose::Invitation, Purpose::Grant, Purpose::Own] {
            let token = row_token(&key, purpose, ID, 2, "ana@example.com");
            let link = RowLink::parse(purpose, &token).unwrap();
            assert_eq!((link.id, link.generation), (ID, 2));
            assert!(link.verifies(&key, "ana@example.com"));
            assert!(!link.verifies(&key, "bob@example.com"));
            assert!(!link.verifies(&other, "ana@example.com"));
            let forged = token.replacen("-2-", "-3-", 1);
            assert!(!RowLink::parse(purpose, &forged).unwrap().verifies(&key, "ana@example.com"));
            let forged = token.replacen("A-2-", "B-2-", 1);
            assert!(!RowLink::parse(purpose, &forged).unwrap().verifies(&key, "ana@example.com"));
        }
    }

    #[test]
    fn a_link_for_one_purpose_is_none_for_another() {
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::load(&folder.path().join("key")).unwrap();
        let purposes = [Purpose::Invitation, Purpose::Grant, Purpose::Own];
        for made in purposes {
            let token = row_token(&key, made, ID, 1, "ana@example.com");
            for read in purposes {
                let link = RowLink::parse(read, &token).unwrap();
                assert_eq!(link.verifies(&key, "ana@example.com"), made == read);
            }
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_not_taken_apart() {
        let long = format!("{}-1-00", "a".repeat(41));
        for text in ["", "inv_1", "inv_1-x-00", "inv/1-1-00", "-", long.as_str()] {
            let link = RowLink::parse(Purpose::Invitation, text);
            assert!(link.is_none(), "{text} was taken");
        }
    }

    #[test]
    fn a_return_path_says_which_mail_came_back_and_cannot_be_forged() {
        let folder = tempfile::tempdir().unwrap();
        let key = SecretKey::load(&folder.path().join("key")).unwrap();
        let mail = "01J0000000000000000000000A";
        let path = format!("bounce+{}@example.com", bounce_tag(&key, mail));
        assert!(path.split('@').next().unwrap().len() <= 64, "{path}");
        assert_eq!(bounced_mail(&key, &path).as_deref(), Some(mail));
        assert_eq!(bounced_mail(&key, &path.to_lowercase()).as_deref(), Some(mail));
        let other = path.replacen("0A-", "0B-", 1);
        let cut = path.replacen("@", "0@", 1);
        let none = ["", "bounce@example.com", "bounce+x@example.com", "bounce+x-y@example.com"];
        for forged in [other.as_str(), &cut].into_iter().chain(none) {
            assert_eq!(bounced_mail(&key, forged), None, "{forged}");
        }
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
