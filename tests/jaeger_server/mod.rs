//! A Jaeger for tests: an HTTP server in this process that answers as it is told, one thread a connection.
//!
//! The certificate beside it is for `localhost`, signed by an authority that nobody trusts; both are good from 2020 to 2120, were made
//! with openssl, and their keys protect nothing.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// Who signed the certificate of [`JaegerServer::start_secure`], as PEM.
#[allow(dead_code, reason = "each test binary uses its part")]
pub(crate) const AUTHORITY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/jaeger_server/authority.pem");

/// The first byte of a connection that begins with TLS.
const TLS_HANDSHAKE: u8 = 0x16;

/// What is answered.
#[allow(dead_code, reason = "each test binary uses its part of them")]
pub(crate) enum Answer {
    /// A status and a body.
    Says(u16, String),
    /// The head of an answer of this length, and nothing after it until the client has gone.
    Hangs(u64),
    /// Bytes as they are.
    Raw(&'static [u8]),
}

/// Gets the path with the query as it was asked for.
pub(crate) type Answers = dyn Fn(&str) -> Answer + Send + Sync;

/// A running server; ends when dropped.
pub(crate) struct JaegerServer {
    address: SocketAddr,
    scheme: &'static str,
    stop: Arc<AtomicBool>,
}

impl JaegerServer {
    pub(crate) fn start(answers: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_as("http", Arc::new(answers), |stream, answers| serve(stream, answers))
    }

    /// One that speaks TLS.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub(crate) fn start_secure(answers: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let config = Arc::new(tls());
        Self::start_as("https", Arc::new(answers), move |stream, answers| {
            serve(StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream), answers);
        })
    }

    fn start_as(scheme: &'static str, answers: Arc<Answers>, serve: impl Fn(TcpStream, &Answers) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (serve, stopped) = (Arc::new(serve), stop.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let (serve, answers) = (serve.clone(), answers.clone());
                std::thread::spawn(move || serve(stream, &*answers));
            }
        });
        Self { address, scheme, stop }
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The same by the name that the certificate holds.
    #[allow(dead_code, reason = "each test binary uses its part")]
    pub(crate) fn url_by_name(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }
}

impl Drop for JaegerServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the listener, which then sees it.
        let _ = TcpStream::connect(self.address);
    }
}

fn tls() -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(include_bytes!("localhost.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("localhost.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_no_client_auth().with_single_cert(vec![certificate], key).unwrap()
}

fn serve(stream: impl Read + Write, answers: &Answers) {
    let mut lines = BufReader::new(stream);
    if lines.fill_buf().is_ok_and(|first| first.first() == Some(&TLS_HANDSHAKE)) {
        // As Go's server, and so Jaeger, answers what is no HTTP.
        let _ = lines.get_mut().write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n400 Bad Request");
        return;
    }
    loop {
        let mut first = String::new();
        if lines.read_line(&mut first).unwrap_or(0) == 0 {
            return;
        }
        let mut header = String::new();
        while lines.read_line(&mut header).is_ok_and(|read| read > 2) {
            header.clear();
        }
        let path = first.split(' ').nth(1).unwrap_or_default();
        let answer = answers(path);
        let out = lines.get_mut();
        let written = match answer {
            Answer::Says(status, body) => {
                write!(out, "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
            }
            Answer::Hangs(length) => {
                let begun = write!(out, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n");
                let mut rest = String::new();
                // Until the client closes.
                let _ = lines.read_line(&mut rest);
                begun
            }
            Answer::Raw(bytes) => out.write_all(bytes).and(Err(std::io::ErrorKind::ConnectionAborted.into())),
        };
        if written.and_then(|()| lines.get_mut().flush()).is_err() {
            return;
        }
    }
}
