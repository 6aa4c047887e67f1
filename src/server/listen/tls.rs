//! The certificate and its key: read at the start, and again when the files change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum_server::tls_rustls::RustlsConfig;
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest as _, Sha256};
use tokio_util::sync::CancellationToken;

use crate::server::error::ServerError;

/// How often the files are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// The files of TLS, in PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// The certificate, and those that lead to its authority.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// What a listener speaks TLS with.
pub(super) struct Tls {
    files: TlsFiles,
    /// The digest of both files when they were read.
    read: Vec<u8>,
    config: RustlsConfig,
}

impl Tls {
    /// Reads the files.
    pub async fn load(files: &TlsFiles) -> Result<Self, ServerError> {
        let (config, read) = load(files).await?;
        Ok(Self { files: files.clone(), read, config: RustlsConfig::from_config(config) })
    }

    /// What new connections use; follows the files.
    pub fn config(&self) -> RustlsConfig {
        self.config.clone()
    }

    /// Looks at the files until the stop. Files that cannot be used change nothing.
    pub async fn follow(mut self, stopping: CancellationToken) {
        let mut said = None;
        while stopping.run_until_cancelled(tokio::time::sleep(LOOK_EVERY)).await.is_some() {
            match self.look().await {
                Ok(true) => tracing::info!("the TLS certificate was read again"),
                Ok(false) => (),
                Err(error) if said.as_ref() == Some(&error.to_string()) => continue,
                Err(error) => {
                    let text = error.to_string();
                    let error = &error as &dyn std::error::Error;
                    tracing::error!(error, "the new TLS files are not used");
                    said = Some(text);
                    continue;
                }
            }
            said = None;
        }
    }

    /// Takes the files if they have changed; false if they have not.
    async fn look(&mut self) -> Result<bool, ServerError> {
        let TlsFiles { cert, key } = &self.files;
        if digest(&read(cert).await?, &read(key).await?) == self.read {
            return Ok(false);
        }
        let (config, read) = load(&self.files).await?;
        self.config.reload_from_config(config);
        self.read = read;
        Ok(true)
    }
}

async fn load(files: &TlsFiles) -> Result<(Arc<ServerConfig>, Vec<u8>), ServerError> {
    let TlsFiles { cert, key } = files;
    let (chain_pem, key_pem) = (read(cert).await?, read(key).await?);
    let shape = |path: &Path, lacks| ServerError::TlsShape { path: path.to_owned(), lacks };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<_, _>>()
        .map_err(|_| shape(cert, "certificate"))?;
    if chain.is_empty() {
        return Err(shape(cert, "certificate"));
    }
    let private = PrivateKeyDer::from_pem_slice(&key_pem).map_err(|_| shape(key, "private key"))?;
    let failed = |source| ServerError::TlsPair { cert: cert.clone(), key: key.clone(), source };
    // The versions that the library holds safe: TLS 1.2 and 1.3.
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(failed)?
        .with_no_client_auth()
        .with_single_cert(chain, private)
        .map_err(failed)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((Arc::new(config), digest(&chain_pem, &key_pem)))
}

async fn read(path: &Path) -> Result<Vec<u8>, ServerError> {
    let failed = |source| ServerError::TlsFile { path: path.to_owned(), source };
    tokio::fs::read(path).await.map_err(failed)
}

fn digest(cert: &[u8], key: &[u8]) -> Vec<u8> {
    let parts = Sha256::new().chain_update(Sha256::digest(cert)).chain_update(Sha256::digest(key));
    parts.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use tempfile::TempDir;

    use super::{Tls, TlsFiles};

    const CERT: &str = include_str!("../../../tests/it/tls/server.pem");
    const KEY: &str = include_str!("../../../tests/it/tls/server.key");
    const OTHER_CERT: &str = include_str!("../../../tests/it/tls/renewed.pem");
    const OTHER_KEY: &str = include_str!("../../../tests/it/tls/renewed.key");

    fn files(folder: &Path, cert: &str, key: &str) -> TlsFiles {
        let files = TlsFiles { cert: folder.join("tls.crt"), key: folder.join("tls.key") };
        fs::write(&files.cert, cert).unwrap();
        fs::write(&files.key, key).unwrap();
        files
    }

    async fn check(cert: &str, key: &str) -> String {
        let folder = TempDir::new().unwrap();
        match Tls::load(&files(folder.path(), cert, key)).await {
            Ok(_) => "taken".to_owned(),
            Err(error) => error.to_string().replace(&format!("{}/", folder.path().display()), ""),
        }
    }

    #[tokio::test]
    async fn what_is_wrong_with_the_files_is_said_with_their_names() {
        assert_eq!(check(CERT, KEY).await, "taken");
        assert_eq!(check("", KEY).await, "the TLS file tls.crt holds no certificate in PEM");
        assert_eq!(check(KEY, KEY).await, "the TLS file tls.crt holds no certificate in PEM");
        assert_eq!(check(CERT, "x").await, "the TLS file tls.key holds no private key in PEM");
        assert_eq!(check(CERT, CERT).await, "the TLS file tls.key holds no private key in PEM");
        let pair = "the certificate of tls.crt and the key of tls.key cannot be used together";
        assert_eq!(check(CERT, OTHER_KEY).await, pair);
        let missing = TlsFiles { cert: "no-such.crt".into(), key: "no-such.key".into() };
        let said = Tls::load(&missing).await.err().unwrap().to_string();
        assert_eq!(said, "could not read the TLS file no-such.crt");
    }

    #[tokio::test]
    async fn files_that_changed_are_taken_only_if_they_are_right() {
        let folder = TempDir::new().unwrap();
        let mut tls = Tls::load(&files(folder.path(), CERT, KEY)).await.unwrap();
        let in_use = |tls: &Tls| std::sync::Arc::as_ptr(&tls.config().get_inner());
        let first = in_use(&tls);
        assert!(!tls.look().await.unwrap());
        files(folder.path(), OTHER_CERT, KEY);
        assert!(tls.look().await.is_err(), "only one of the two is there yet");
        assert_eq!(in_use(&tls), first);
        files(folder.path(), OTHER_CERT, OTHER_KEY);
        assert!(tls.look().await.unwrap());
        assert_ne!(in_use(&tls), first);
        assert!(!tls.look().await.unwrap());
    }
}
