//! Passwords: argon2 with its default cost, two at a time so that sign-ins cannot take all memory.

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use prometheus_client::metrics::counter::Counter;
use tokio::sync::Semaphore;
use uuid::Uuid;

use crate::server::error::ApiError;

/// Fewest characters. Source: NIST SP 800-63B, 5.1.1.2.
pub(crate) const MIN_CHARACTERS: usize = 8;
/// Most bytes that are hashed.
pub(crate) const MAX_BYTES: usize = 1024;

/// Hashes and compares passwords away from the tasks that answer requests.
pub(crate) struct Passwords {
    permits: Semaphore,
    hashed: Counter,
}

impl Passwords {
    /// Two at a time; each run of argon2 is counted in `hashed`.
    pub fn new(hashed: Counter) -> Self {
        Self { permits: Semaphore::new(2), hashed }
    }

    /// The PHC string of a password.
    pub async fn hash(&self, password: &str) -> Result<String, ApiError> {
        let _permit = self.permits.acquire().await.map_err(|_| ApiError::Panicked)?;
        self.hashed.inc();
        let password = password.to_owned();
        tokio::task::spawn_blocking(move || {
            let salt = SaltString::encode_b64(Uuid::new_v4().as_bytes()).ok()?;
            let hash = Argon2::default().hash_password(password.as_bytes(), &salt).ok()?;
            Some(hash.to_string())
        })
        .await
        .ok()
        .flatten()
        .ok_or(ApiError::Panicked)
    }

    /// True if the password is the one of `hash`. Without a hash it takes as long and is false, so
    /// that the time does not tell who has an account.
    pub async fn matches(&self, password: &str, hash: Option<String>) -> Result<bool, ApiError> {
        let Some(hash) = hash else {
            self.hash(password).await?;
            return Ok(false);
        };
        let _permit = self.permits.acquire().await.map_err(|_| ApiError::Panicked)?;
        self.hashed.inc();
        let password = password.to_owned();
        tokio::task::spawn_blocking(move || {
            let hash = PasswordHash::new(&hash).ok()?;
            Some(Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
        .ok()
        .flatten()
        .ok_or(ApiError::Panicked)
    }
}
