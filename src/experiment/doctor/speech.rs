//! What listens at an address: nobody, TLS, HTTP/2, something else. Found out with a few bytes over plain TCP.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::time::Duration;

/// How long connecting, and each answer, may take.
const WITHIN: Duration = Duration::from_secs(2);

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Speech {
    /// The name leads nowhere.
    Unresolved(String),
    /// Nobody listens.
    Closed(String),
    /// There is no way there, or no answer from there.
    OutOfReach(String),
    /// TLS.
    Tls,
    /// HTTP/2 without TLS, as gRPC has it.
    Http2,
    /// HTTP/1 without TLS.
    Http1,
    /// Somebody listens and says nothing of the kind.
    Silent,
}

/// A TLS 1.2 record with the beginning of a handshake that offers nothing: whoever speaks TLS answers with an alert or a handshake.
const CLIENT_HELLO: [u8; 52] = {
    let mut hello = [0; 52];
    // Record: handshake, TLS 1.0, 47 bytes; handshake: client hello, 43 bytes; version TLS 1.2; then a random of 32 zeros.
    let head = [0x16, 3, 1, 0, 47, 1, 0, 0, 43, 3, 3];
    let mut at = 0;
    while at < head.len() {
        hello[at] = head[at];
        at += 1;
    }
    // Session id: none. One cipher suite, two bytes. One compression method: null. No extensions.
    hello[45] = 2;
    hello[46] = 0xc0;
    hello[47] = 0x2f;
    hello[48] = 1;
    hello
};

/// The connection preface of HTTP/2 with an empty settings frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// Looks at `host:port`.
pub(super) fn listen_to(host: &str, port: u16) -> Speech {
    let address = match (host, port).to_socket_addrs() {
        Ok(addresses) => addresses.collect::<Vec<_>>(),
        Err(error) => return Speech::Unresolved(error.to_string()),
    };
    // A server that refuses what it does not understand closes the connection: each question has its own.
    let answer = match ask(&address, PREFACE) {
        Ok(answer) => answer,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Speech::Closed(error.to_string()),
        Err(error) => return Speech::OutOfReach(error.to_string()),
    };
    match answer.as_slice() {
        // A frame on stream 0: settings first, or a farewell.
        [0, _, _, 4 | 7, ..] => Speech::Http2,
        // Some answer a version that they do not know with a page and no head.
        text if text.starts_with(b"HTTP/1") || text.starts_with(b"<") => Speech::Http1,
        _ => match ask(&address, &CLIENT_HELLO) {
            Ok(answer) if matches!(answer[..], [0x15 | 0x16, 3, ..]) => Speech::Tls,
            _ => Speech::Silent,
        },
    }
}

/// The first bytes of the answer, none where there is none. An error where there is no connection.
fn ask(addresses: &[SocketAddr], question: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut failed: std::io::Error = ErrorKind::NotFound.into();
    for address in addresses {
        match TcpStream::connect_timeout(address, WITHIN) {
            Ok(mut stream) => return Ok(exchange(&mut stream, question)),
            // Of several addresses of a host, one where nobody listens tells more than one that cannot be reached.
            Err(error) if failed.kind() != ErrorKind::ConnectionRefused => failed = error,
            Err(_) => {}
        }
    }
    Err(failed)
}

fn exchange(stream: &mut TcpStream, question: &[u8]) -> Vec<u8> {
    let mut answer = [0; 16];
    let mut read = 0;
    let asked = stream.set_read_timeout(Some(WITHIN)).and_then(|()| stream.write_all(question));
    while asked.is_ok() && read < 9 {
        match stream.read(&mut answer[read..]) {
            Ok(count) if count > 0 => read += count,
            _ => break,
        }
    }
    answer[..read].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    /// Answers every connection with these bytes once something came.
    fn answering(answer: &'static [u8]) -> u16 {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        std::thread::spawn(move || {
            for stream in listener.incoming().take(2) {
                let mut stream = stream.unwrap();
                let _ = stream.read(&mut [0; 64]);
                let _ = stream.write_all(answer);
            }
        });
        port
    }

    #[test]
    fn what_listens_is_known_by_its_first_bytes() {
        for (answer, speech) in [
            (&b"\0\0\x12\x04\0\0\0\0\0"[..], Speech::Http2),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", Speech::Http1),
            (b"<!DOCTYPE HTML>\n<html>", Speech::Http1),
            // An alert: handshake failure.
            (b"\x15\x03\x03\0\x02\x02\x28", Speech::Tls),
            (b"220 smtp ready\r\n", Speech::Silent),
            (b"", Speech::Silent),
        ] {
            assert_eq!(listen_to("127.0.0.1", answering(answer)), speech);
        }
    }

    #[test]
    fn nobody_is_told_from_nowhere() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert!(matches!(listen_to("127.0.0.1", free), Speech::Closed(_)));
        assert!(matches!(listen_to("no-such-host.invalid", 1), Speech::Unresolved(_)));
        // No connection is ever made to everybody.
        assert!(matches!(listen_to("255.255.255.255", 1), Speech::OutOfReach(_)));
    }

    #[test]
    fn a_grpc_server_is_http2() {
        let server = crate::practice::Server::start(crate::practice::Settings::default(), "127.0.0.1:0".parse().unwrap(), None).unwrap();
        assert_eq!(listen_to("127.0.0.1", server.addr().port()), Speech::Http2);
    }

    #[test]
    fn the_hello_says_how_long_it_is() {
        assert_eq!(usize::from(CLIENT_HELLO[4]) + 5, CLIENT_HELLO.len());
        assert_eq!(usize::from(CLIENT_HELLO[8]) + 9, CLIENT_HELLO.len());
    }
}
