//! A Jaeger for tests: an HTTP server in this process that answers as it is told, one thread a connection.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

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
    stop: Arc<AtomicBool>,
}

impl JaegerServer {
    pub(crate) fn start(answers: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let (answers, stopped): (Arc<Answers>, _) = (Arc::new(answers), stop.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if stopped.load(Ordering::Acquire) {
                    return;
                }
                let answers = answers.clone();
                std::thread::spawn(move || serve(stream, &*answers));
            }
        });
        Self { address, stop }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for JaegerServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // Wakes the listener, which then sees it.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(stream: TcpStream, answers: &Answers) {
    let mut out = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream);
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
        let written = match answers(path) {
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
        if written.is_err() {
            return;
        }
    }
}
