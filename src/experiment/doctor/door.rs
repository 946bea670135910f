//! The door before the built-in collector: passes on what comes, and sees who knocks in which language. A Milvus that is told to speak TLS
//! to a collector without it leaves no other trace than the first byte of its greeting.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::clock::pause;
use crate::units::Nanos;

/// Connections that are passed on at a time; a Milvus has a handful.
const MOST: u64 = 64;
/// How often a connection looks whether it was told to end.
const LOOK: Duration = Duration::from_millis(100);
/// How often a door without visitors looks.
const IDLE: Nanos = Nanos::from_millis(20);
/// The first byte of a TLS handshake.
const HANDSHAKE: u8 = 0x16;

#[derive(Debug, Default)]
struct Seen {
    open: AtomicU64,
    in_tls: AtomicU64,
    closed: AtomicBool,
}

/// An open door.
#[derive(Debug)]
pub(super) struct Door {
    address: SocketAddr,
    seen: Arc<Seen>,
    thread: Option<JoinHandle<()>>,
}

impl Door {
    /// Opens at `listen` and leads to `to`.
    pub(super) fn open(listen: SocketAddr, to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen)?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let seen = Arc::new(Seen::default());
        let watched = seen.clone();
        let thread = std::thread::Builder::new().name("tailtrace-door".to_owned()).spawn(move || receive(&listener, to, &watched))?;
        Ok(Self { address, seen, thread: Some(thread) })
    }

    pub(super) const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// How many came with TLS, and were turned away.
    pub(super) fn in_tls(&self) -> u64 {
        self.seen.in_tls.load(Ordering::Relaxed)
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.seen.closed.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn receive(listener: &TcpListener, to: SocketAddr, seen: &Arc<Seen>) {
    while !seen.closed.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) if seen.open.load(Ordering::Relaxed) < MOST => {
                seen.open.fetch_add(1, Ordering::Relaxed);
                let visited = seen.clone();
                let visit = move || {
                    // However it ends, it is the visitor's matter.
                    let _ = lead(&stream, to, &visited);
                    visited.open.fetch_sub(1, Ordering::Relaxed);
                };
                if std::thread::Builder::new().name("tailtrace-door".to_owned()).spawn(visit).is_err() {
                    seen.open.fetch_sub(1, Ordering::Relaxed);
                }
            }
            Ok(_) => {}
            Err(_) => pause(IDLE),
        }
    }
}

/// Looks at the first byte, then passes on both ways until one side has ended.
fn lead(from: &TcpStream, to: SocketAddr, seen: &Arc<Seen>) -> io::Result<()> {
    from.set_nonblocking(false)?;
    from.set_read_timeout(Some(LOOK))?;
    let mut first = [0];
    loop {
        match from.peek(&mut first) {
            Ok(0) => return Ok(()),
            Ok(_) if first[0] == HANDSHAKE => {
                seen.in_tls.fetch_add(1, Ordering::Relaxed);
                return Ok(());
            }
            Ok(_) => break,
            Err(error) if goes_on(&error) && !seen.closed.load(Ordering::Relaxed) => {}
            Err(error) => return Err(error),
        }
    }
    let inner = TcpStream::connect(to)?;
    inner.set_nodelay(true)?;
    from.set_nodelay(true)?;
    inner.set_read_timeout(Some(LOOK))?;
    std::thread::scope(|scope| {
        scope.spawn(|| pass(&inner, from, seen));
        pass(from, &inner, seen);
    });
    Ok(())
}

fn pass(mut from: &TcpStream, mut to: &TcpStream, seen: &Seen) {
    let mut buffer = vec![0; 16 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(count) if count > 0 && to.write_all(&buffer[..count]).is_ok() => {}
            Err(error) if goes_on(&error) && !seen.closed.load(Ordering::Relaxed) => {}
            _ => break,
        }
    }
    // The other way ends with this one.
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}

fn goes_on(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
