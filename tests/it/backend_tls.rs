//! TLS of the transport: whom it trusts. The certificates in `tls/` are for 127.0.0.1, valid until
//! 2120, and made for this test only.

#![expect(clippy::unwrap_used, reason = "test helpers")]

use std::error::Error as _;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::thread;

use http::{Request, Response};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, Stream};
use seatkeeper::backend::transport::{Reqwest, Transport as _, TransportError};

const CA: &[u8] = include_bytes!("tls/ca.pem");
const ANOTHER_CA: &[u8] = include_bytes!("tls/another_ca.pem");

/// Serves one connection over TLS and gives its port.
fn service() -> u16 {
    let chain = vec![CertificateDer::from_pem_slice(include_bytes!("tls/server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = Stream::new(&mut connection, &mut socket);
        // Fails where the client does not trust us; that is the client's to tell.
        if stream.read(&mut [0; 4096]).is_ok() {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").unwrap();
        }
    });
    port
}

async fn check(host: &str, ca_bundle: Option<&[u8]>) -> Result<Response<Vec<u8>>, TransportError> {
    let url = format!("https://{host}:{}", service()).parse().unwrap();
    let transport = Reqwest::new(&url, ca_bundle).unwrap();
    transport.send(Request::get("/v1/capabilities").body(Vec::new()).unwrap()).await
}

#[tokio::test]
async fn a_service_is_trusted_by_the_ca_bundle_and_nothing_else() {
    assert_eq!(check("127.0.0.1", Some(CA)).await.unwrap().body(), b"ok");
    for (host, ca_bundle, why) in [
        ("127.0.0.1", None, "the system does not know this authority"),
        ("127.0.0.1", Some(ANOTHER_CA), "the bundle has another authority"),
        ("localhost", Some(CA), "the certificate is for another name"),
    ] {
        let error = check(host, ca_bundle).await.expect_err(why);
        let mut words = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            words = format!("{words}: {error}");
            cause = error.source();
        }
        assert!(words.contains("certificate"), "{why}: {words}");
    }
}
