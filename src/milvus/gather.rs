//! Gathers what is written within two turns of the runtime and writes it with one system call.
//!
//! HTTP/2 under tonic hands every larger DATA frame to the transport by itself, so that every request costs a system call
//! (56 % of the CPU of a request, measured). This transport takes what is written into a buffer and lets a small task on the
//! same lane write all of it once the tasks that were ready before it have had their turn, and those after them. The delay, two
//! turns of the lane (microseconds), lies inside service time.
//!
//! The buffer is bounded: where the peer does not read, writing waits, as on a bare socket. Errors and shutdown are passed on.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;

/// Bytes that wait to be written before the writer has to wait: several full HTTP/2 flow-control windows of small requests,
/// and little beside a run's memory.
const CAPACITY: usize = 256 * 1024;

/// A TCP connection whose writes are gathered. Its two halves and its small task belong to one runtime thread, so the lock
/// around the buffer is never contended; it is there because tonic asks that a transport can be sent.
#[derive(Debug)]
pub(crate) struct Gathered {
    read: OwnedReadHalf,
    out: Arc<Mutex<Out>>,
}

/// What is shared between the connection's task, which fills, and the small task, which writes.
#[derive(Debug, Default)]
struct Out {
    bytes: Vec<u8>,
    /// Wakes the small task when there is something to do.
    drain: Option<Waker>,
    /// Wakes the connection's task when there is room again, or when the shutdown is done.
    filler: Option<Waker>,
    /// What writing ended with, told to whoever writes next.
    failed: Option<io::ErrorKind>,
    closing: bool,
    closed: bool,
}

impl Gathered {
    /// Takes over a connection. Must be called inside the runtime that will use it.
    pub(crate) fn new(stream: TcpStream) -> Self {
        let (read, write) = stream.into_split();
        let out = Arc::new(Mutex::new(Out::default()));
        tokio::spawn(drain(write, out.clone()));
        Self { read, out }
    }
}

fn lock(out: &Mutex<Out>) -> MutexGuard<'_, Out> {
    out.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Out {
    /// Room for more, or the filler waits for it.
    fn poll_room(&mut self, context: &Context<'_>) -> Poll<io::Result<()>> {
        if let Some(kind) = self.failed {
            return Poll::Ready(Err(kind.into()));
        }
        if self.closing {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        if self.bytes.len() >= CAPACITY {
            self.filler = Some(context.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }

    /// Takes all of it, where there is room.
    fn poll_take(&mut self, context: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(context))?;
        self.bytes.extend_from_slice(bytes);
        self.wake_drain();
        Poll::Ready(Ok(bytes.len()))
    }

    fn wake_drain(&mut self) {
        if let Some(drain) = self.drain.take() {
            drain.wake();
        }
    }

    fn wake_filler(&mut self) {
        if let Some(filler) = self.filler.take() {
            filler.wake();
        }
    }
}

impl AsyncRead for Gathered {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.read).poll_read(context, buffer)
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        lock(&self.out).poll_take(context, bytes)
    }

    /// Taken is as good as written: the small task writes it, and an error shows at the next write or read.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match lock(&self.out).failed {
            Some(kind) => Poll::Ready(Err(kind.into())),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut out = lock(&self.out);
        if let Some(kind) = out.failed {
            return Poll::Ready(Err(kind.into()));
        }
        if out.closed {
            return Poll::Ready(Ok(()));
        }
        out.closing = true;
        out.filler = Some(context.waker().clone());
        out.wake_drain();
        Poll::Pending
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        let mut out = lock(&self.out);
        out.closing = true;
        out.wake_drain();
    }
}

/// The small task: takes all that has been gathered, writes it, and ends with the connection. It lets the tasks that are ready have their
/// turn once more before it writes: a request's head is handed over in one turn and its body in the next.
async fn drain(mut write: impl AsyncWrite + Unpin, out: Arc<Mutex<Out>>) {
    let mut taken = Vec::new();
    loop {
        let mut waited = false;
        let last = std::future::poll_fn(|context| {
            let mut out = lock(&out);
            if out.bytes.is_empty() && !out.closing {
                out.drain = Some(context.waker().clone());
                return Poll::Pending;
            }
            if !waited && !out.closing && out.bytes.len() < CAPACITY {
                waited = true;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            std::mem::swap(&mut out.bytes, &mut taken);
            out.wake_filler();
            Poll::Ready(out.closing)
        })
        .await;
        let mut result = tokio::io::AsyncWriteExt::write_all(&mut write, &taken).await;
        taken.clear();
        if result.is_ok() && last && lock(&out).bytes.is_empty() {
            result = tokio::io::AsyncWriteExt::shutdown(&mut write).await;
            lock(&out).closed = true;
        }
        let mut out = lock(&out);
        if let Err(error) = result {
            out.failed = Some(error.kind());
        }
        if out.closed || out.failed.is_some() {
            out.wake_filler();
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    async fn pair() -> (Gathered, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (Gathered::new(near.unwrap()), far.unwrap().0)
    }

    fn in_runtime<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    /// Keeps what each write brought.
    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<Vec<u8>>>>);

    impl AsyncWrite for Written {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            self.0.lock().unwrap().push(bytes.to_vec());
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// As HTTP/2's connection does: it lets another task bring the body, hands over the head, and the body when that has come.
    #[test]
    fn a_requests_head_and_body_are_written_together() {
        in_runtime(async {
            let (out, written) = (Arc::new(Mutex::new(Out::default())), Written::default());
            let draining = tokio::spawn(drain(written.clone(), out.clone()));
            // It waits for something to write.
            tokio::task::yield_now().await;
            let connection = out.clone();
            tokio::spawn(async move {
                let take = |bytes: &'static [u8]| {
                    let out = connection.clone();
                    std::future::poll_fn(move |context| lock(&out).poll_take(context, bytes))
                };
                let (bring, body) = tokio::sync::oneshot::channel();
                tokio::spawn(async move { bring.send(b"body".as_slice()) });
                take(b"head").await.unwrap();
                take(body.await.unwrap()).await.unwrap();
            });
            while written.0.lock().unwrap().concat().len() < 8 {
                tokio::task::yield_now().await;
            }
            assert_eq!(*written.0.lock().unwrap(), [b"headbody"]);
            draining.abort();
        });
    }

    #[test]
    fn many_writes_arrive_whole_and_in_order() {
        in_runtime(async {
            let (mut near, far) = pair().await;
            let sent: Vec<u8> = (0..1_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            // A task of its own: nothing but the transport wakes it where it waits for room.
            let pieces: Vec<Vec<u8>> = sent.chunks(777).map(<[u8]>::to_vec).collect();
            let writer = tokio::spawn(async move {
                for piece in pieces {
                    near.write_all(&piece).await.unwrap();
                }
                near.shutdown().await.unwrap();
            });
            // As much as was sent and no more than that: what is written twice would never end.
            let mut received = Vec::new();
            let mut bounded = far.take(2 * sent.len() as u64);
            let read = tokio::time::timeout(std::time::Duration::from_secs(30), bounded.read_to_end(&mut received)).await;
            read.expect("the writer waits for ever").unwrap();
            drop(bounded);
            let _ = writer.await;
            assert!(received == sent, "what arrived differs from what was written");
        });
    }

    #[test]
    fn what_is_written_in_one_turn_is_written_at_once() {
        in_runtime(async {
            let (mut near, mut far) = pair().await;
            for _ in 0..50 {
                near.write_all(&[7; 100]).await.unwrap();
            }
            assert_eq!(lock(&near.out).bytes.len(), 5_000, "nothing is written before the turn is over");
            let mut buffer = [0; 8_000];
            let read = tokio::time::timeout(std::time::Duration::from_secs(30), far.read(&mut buffer)).await;
            assert_eq!(read.expect("nothing is written").unwrap(), 5_000);
        });
    }

    #[test]
    fn a_peer_that_does_not_read_makes_the_writer_wait() {
        in_runtime(async {
            let (mut near, mut far) = pair().await;
            let mut taken = 0;
            // Socket buffers take some MB; after them and the capacity nothing more may be taken.
            let piece = [1; 16 * 1024];
            let full = std::future::poll_fn(|context| {
                match Pin::new(&mut near).poll_write(context, &piece) {
                    Poll::Ready(written) => taken += written.unwrap(),
                    Poll::Pending => return Poll::Ready(true),
                }
                context.waker().wake_by_ref();
                if taken > 1 << 30 { Poll::Ready(false) } else { Poll::Pending }
            });
            assert!(full.await, "1 GB was taken for a peer that reads nothing");
            assert!(lock(&near.out).bytes.len() <= CAPACITY + piece.len());
            let mut received = vec![0; taken];
            far.read_exact(&mut received).await.unwrap();
            near.write_all(&piece).await.unwrap();
        });
    }

    #[test]
    fn a_peer_that_is_gone_is_told_to_the_writer() {
        in_runtime(async {
            let (mut near, far) = pair().await;
            drop(far);
            // The first write may still be taken; the peer's answer to it, and with it the error, comes within some turns. A writer
            // that is never told fills its buffer and waits.
            let told = async {
                for _ in 0..1_000_000 {
                    if let Err(error) = near.write_all(&[0]).await {
                        return Some(error.kind());
                    }
                    tokio::task::yield_now().await;
                }
                None
            };
            let told = tokio::time::timeout(std::time::Duration::from_secs(30), told).await.ok().flatten();
            assert!(matches!(told, Some(io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset)), "{told:?}");
        });
    }

    #[test]
    fn a_connection_that_is_dropped_is_closed() {
        in_runtime(async {
            let (mut near, mut far) = pair().await;
            near.write_all(b"last words").await.unwrap();
            drop(near);
            let mut received = Vec::new();
            let read = tokio::time::timeout(std::time::Duration::from_secs(30), far.read_to_end(&mut received)).await;
            assert!(read.is_ok(), "the connection stays open");
            assert_eq!(received, b"last words");
        });
    }
}
