//! Passwords: argon2 with its default cost, two at a time so that sign-ins cannot take all memory.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::password_hash::{Output, ParamsString, PasswordHash, Salt, SaltString};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::server::error::ApiError;

/// Fewest characters. Source: NIST SP 800-63B, 5.1.1.2.
pub(crate) const MIN_CHARACTERS: usize = 8;
/// Most bytes that are hashed.
pub(crate) const MAX_BYTES: usize = 1024;

/// How many run at once.
const AT_ONCE: usize = 2;

/// Hashes and compares passwords away from the tasks that answer requests.
pub(crate) struct Passwords {
    permits: Semaphore,
    memories: Arc<Mutex<Vec<Vec<Block>>>>,
    hashed: Counter,
}

impl Passwords {
    /// Each run of argon2 is counted in `hashed`.
    pub fn new(hashed: Counter) -> Self {
        Self { permits: Semaphore::new(AT_ONCE), memories: Arc::default(), hashed }
    }

    /// The PHC string of a password.
    pub async fn hash(&self, password: &str) -> Result<String, ApiError> {
        let password = password.to_owned();
        self.run(move |memory| new_hash(password.as_bytes(), memory)).await
    }

    /// True if the password is the one of `hash`. Without a hash it takes as long and is false, so
    /// that the time does not tell who has an account.
    pub async fn matches(&self, password: &str, hash: Option<String>) -> Result<bool, ApiError> {
        let Some(hash) = hash else {
            self.hash(password).await?;
            return Ok(false);
        };
        let password = password.to_owned();
        self.run(move |memory| fits(password.as_bytes(), &hash, memory)).await
    }

    /// Lends the work memory that is kept from one run to the next: what threads free, the
    /// allocator keeps for each of them.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Vec<Block>) -> Option<T> + Send + 'static,
    ) -> Result<T, ApiError> {
        let _permit = self.permits.acquire().await.map_err(|_| ApiError::Panicked)?;
        self.hashed.inc();
        let memories = Arc::clone(&self.memories);
        tokio::task::spawn_blocking(move || {
            let lent = memories.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let mut memory = lent.unwrap_or_default();
            let result = work(&mut memory);
            memories.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
            result
        })
        .await
        .ok()
        .flatten()
        .ok_or(ApiError::Panicked)
    }
}

fn new_hash(password: &[u8], memory: &mut Vec<Block>) -> Option<String> {
    let argon2 = Argon2::default();
    let salt = SaltString::encode_b64(Uuid::new_v4().as_bytes()).ok()?;
    let output = output(&argon2, password, salt.as_salt(), memory)?;
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon2.params()).ok()?,
        salt: Some(salt.as_salt()),
        hash: Some(output),
    };
    Some(hash.to_string())
}

fn fits(password: &[u8], hash: &str, memory: &mut Vec<Block>) -> Option<bool> {
    let hash = PasswordHash::new(hash).ok()?;
    let algorithm = Algorithm::try_from(hash.algorithm).ok()?;
    let version = Version::try_from(hash.version?).ok()?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash).ok()?);
    // Outputs compare in constant time.
    Some(output(&argon2, password, hash.salt?, memory)? == hash.hash?)
}

fn output(
    argon2: &Argon2<'_>,
    password: &[u8],
    salt: Salt<'_>,
    memory: &mut Vec<Block>,
) -> Option<Output> {
    let mut bytes = [0; Salt::MAX_LENGTH];
    let salt = salt.decode_b64(&mut bytes).ok()?;
    memory.resize(argon2.params().block_count(), Block::default());
    let length = argon2.params().output_len().unwrap_or(Params::DEFAULT_OUTPUT_LEN);
    Output::init_with(length, |out| {
        Ok(argon2.hash_password_into_with_memory(password, salt, out, memory.as_mut_slice())?)
    })
    .ok()
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::{PasswordHasher as _, PasswordVerifier as _};

    use super::*;

    #[test]
    fn hashes_are_those_of_any_argon2_and_do_not_depend_on_what_the_memory_held() {
        let (argon2, mut memory) = (Argon2::default(), Vec::new());
        for password in [b"correct horse battery".as_slice(), b"another one"] {
            let made = new_hash(password, &mut memory).unwrap();
            let read = PasswordHash::new(&made).unwrap();
            assert!(argon2.verify_password(password, &read).is_ok());
            assert!(argon2.verify_password(b"a wrong one", &read).is_err());

            let salt = SaltString::encode_b64(&[7; 16]).unwrap();
            let theirs = argon2.hash_password(password, &salt).unwrap().to_string();
            assert_eq!(fits(password, &theirs, &mut memory), Some(true));
            assert_eq!(fits(b"a wrong one", &theirs, &mut memory), Some(false));
        }
    }

    #[tokio::test]
    async fn no_more_memory_is_kept_than_is_used_at_once() {
        let passwords = Passwords::new(Counter::default());
        futures::future::join_all((0..8).map(|_| passwords.hash("a password"))).await;
        let kept = passwords.memories.lock().unwrap().len();
        assert!((1..=AT_ONCE).contains(&kept), "{kept}");
    }
}
