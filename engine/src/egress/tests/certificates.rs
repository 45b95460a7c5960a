//! Whom the client believes.

use std::path::PathBuf;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tempfile::TempDir;

use super::support::{
    Server, WAIT, config, egress_with, get, hasty_egress, ok, post, serve, serve_tls,
};
use crate::egress::{Egress, FetchError, Profile};

/// A certificate authority in a folder of its own.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("ca.pem"), pem).unwrap();
        Self {
            issuer: Issuer::new(params, key),
            folder,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A server's side with a certificate for this name that ends in this year.
    fn issue(&self, name: &str, until: i32) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let provider = rustls::crypto::ring::default_provider();
        ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap()
    }
}

fn url(server: &Server) -> String {
    format!("https://localhost:{}/", server.port)
}

/// A client that may call the server and believes this authority.
fn believing(server: &Server, authority: &Authority) -> Egress {
    believing_by(egress_with, server, authority)
}

fn believing_by(
    new: impl Fn(&[(&str, &str)]) -> Egress,
    server: &Server,
    authority: &Authority,
) -> Egress {
    let (port, file) = (server.port, authority.file());
    let allow = format!("localhost:{port},127.0.0.1:{port}");
    let file = file.to_str().unwrap();
    new(&[("EGRESS_ALLOW", &allow), ("EXTRA_CA_FILE", file)])
}

async fn hello(tls: ServerConfig) -> Server {
    serve_tls(tls, |it, _| it.always(|_| ok("hello"))).await
}

fn assert_tls(error: &FetchError, words: &str) {
    let FetchError::Tls { why, .. } = error else {
        panic!("{error}")
    };
    assert!(why.contains(words), "{why}");
    assert!(error.never_sent());
}

#[tokio::test]
async fn believes_a_private_authority_only_if_told() {
    let authority = Authority::new();
    let server = hello(authority.issue("localhost", 2100)).await;
    let answer = believing(&server, &authority)
        .fetch(Profile::Catalog, post(&url(&server)), WAIT)
        .await;
    assert_eq!(answer.unwrap().into_body(), "hello");

    let untold = egress_with(&[("EGRESS_ALLOW", &format!("localhost:{}", server.port))]);
    let error = untold
        .fetch(Profile::Catalog, post(&url(&server)), WAIT)
        .await
        .unwrap_err();
    assert_tls(&error, "UnknownIssuer");
    let error = believing(&server, &Authority::new())
        .fetch(Profile::Catalog, post(&url(&server)), WAIT)
        .await
        .unwrap_err();
    assert_tls(&error, "invalid peer certificate");
    assert_eq!(server.count.requests(), 1);
}

#[tokio::test]
async fn keeps_a_connection_over_tls() {
    let authority = Authority::new();
    let server = hello(authority.issue("localhost", 2100)).await;
    let egress = believing(&server, &authority);
    for _ in 0..3 {
        egress
            .fetch(Profile::Catalog, post(&url(&server)), WAIT)
            .await
            .unwrap();
    }
    assert_eq!(server.count.connections(), 1);
}

#[tokio::test]
async fn never_lends_a_connection_of_the_catalog_to_a_stranger() {
    let authority = Authority::new();
    let server = hello(authority.issue("localhost", 2100)).await;
    let egress = believing(&server, &authority);
    let request = || get(&url(&server));
    egress
        .fetch(Profile::Catalog, request(), WAIT)
        .await
        .unwrap();
    let error = egress
        .fetch(Profile::Untrusted, request(), WAIT)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Forbidden { .. }), "{error}");
    assert_eq!(server.count.requests(), 1);
}

#[tokio::test]
async fn refuses_an_expired_certificate() {
    let authority = Authority::new();
    let server = hello(authority.issue("localhost", 2021)).await;
    let error = believing(&server, &authority)
        .fetch(Profile::Catalog, post(&url(&server)), WAIT)
        .await
        .unwrap_err();
    assert_tls(&error, "expired");
    assert_eq!(server.count.requests(), 0);
}

#[tokio::test]
async fn refuses_a_certificate_for_another_host() {
    let authority = Authority::new();
    let server = hello(authority.issue("other.example", 2100)).await;
    let error = believing(&server, &authority)
        .fetch(Profile::Catalog, post(&url(&server)), WAIT)
        .await
        .unwrap_err();
    assert_tls(&error, "not valid for name");
    assert_eq!(server.count.requests(), 0);
}

#[tokio::test]
async fn takes_a_certificate_for_an_address() {
    let authority = Authority::new();
    let server = hello(authority.issue("127.0.0.1", 2100)).await;
    let url = format!("https://127.0.0.1:{}/", server.port);
    believing(&server, &authority)
        .fetch(Profile::Catalog, get(&url), WAIT)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_server_without_tls_is_never_sent_anything() {
    let authority = Authority::new();
    let server = serve(|mut it, _| async move {
        it.say("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n")
            .await;
        it.hang().await;
    })
    .await;
    let error = believing(&server, &authority)
        .fetch(Profile::Catalog, post(&url(&server)), WAIT)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Tls { .. }), "{error}");
    assert!(error.never_sent());
}

#[tokio::test]
async fn a_handshake_that_hangs_or_breaks_is_never_sent() {
    let authority = Authority::new();
    let server = serve(|it, number| async move {
        match number {
            0 => it.hang().await,
            1 => it.reset(),
            _ => drop(it),
        }
    })
    .await;
    let egress = believing_by(hasty_egress, &server, &authority);
    for _ in 0..3 {
        let started = std::time::Instant::now();
        let error = egress
            .fetch(Profile::Catalog, post(&url(&server)), WAIT)
            .await
            .unwrap_err();
        assert!(matches!(error, FetchError::Connect { .. }), "{error}");
        assert!(started.elapsed() < WAIT.head);
    }
}

#[test]
fn a_file_of_authorities_without_any_stops_the_start() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    let new = || Egress::new(&config(&[("EXTRA_CA_FILE", file.to_str().unwrap())]));
    assert!(new().is_err(), "absent");
    for text in [
        "",
        "not PEM",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        std::fs::write(&file, text).unwrap();
        let error = new().unwrap_err();
        assert!(error.to_string().contains("ca.pem"), "{error}");
    }
}
