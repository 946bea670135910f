//! When what a connection reads had come to this machine: the kernel stamps it (`SO_TIMESTAMPNS`, socket(7)) where it arrives, before
//! the server's thread is woken for it, let alone has turned to it.
//!
//! A queue that took requests in when its thread noticed them would serve those late that were noticed late, and all that queue behind them.
//! Of several requests that are noticed at once each has come when the last of them came: never before it did, and never
//! later than it was noticed. Elsewhere than on Linux, and where stamps cannot be had, a request has come when it is noticed.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::clock::Moment;

use super::leaving::Leaving;

/// When the last bytes that a connection has read came to this machine. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct LastCame(Rc<Cell<Option<Moment>>>);

impl LastCame {
    /// `None` where that is not known.
    pub(super) fn get(&self) -> Option<Moment> {
        self.0.get()
    }
}

/// A connection that keeps its [`LastCame`], and tells its [`Leaving`] of each write.
#[derive(Debug)]
pub(super) struct Stamped {
    stream: TcpStream,
    last_came: LastCame,
    leaving: Leaving,
    #[cfg(target_os = "linux")]
    stamps: Option<kernel::Stamps>,
}

impl Stamped {
    /// Stamps are asked for where `stamping` says so: the kernel takes its time for them, and every read some of its own.
    #[cfg_attr(not(target_os = "linux"), allow(unused_variables, reason = "there is nobody to ask"))]
    pub(super) fn new(stream: TcpStream, stamping: bool, leaving: Leaving) -> Self {
        #[cfg(target_os = "linux")]
        let stamps = stamping.then(|| kernel::Stamps::of(&stream)).flatten();
        Self {
            stream,
            last_came: LastCame::default(),
            leaving,
            #[cfg(target_os = "linux")]
            stamps,
        }
    }

    pub(super) fn last_came(&self) -> LastCame {
        self.last_came.clone()
    }

    fn with_leaving_told(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if matches!(written, Poll::Ready(Ok(_))) {
            self.leaving.written();
        }
        written
    }
}

impl AsyncRead for Stamped {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        #[cfg(target_os = "linux")]
        if let Some(stamps) = &mut this.stamps {
            loop {
                std::task::ready!(this.stream.poll_read_ready(context))?;
                let read = this.stream.try_io(tokio::io::Interest::READABLE, || stamps.read(&this.stream, buffer.initialize_unfilled()));
                match read {
                    Ok((bytes, came)) => {
                        buffer.advance(bytes);
                        // The end of a connection came with no request.
                        if bytes > 0 {
                            this.last_came.0.set(came);
                        }
                        return Poll::Ready(Ok(()));
                    }
                    Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                    Err(error) => return Poll::Ready(Err(error)),
                }
            }
        }
        Pin::new(&mut this.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Stamped {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.with_leaving_told(written)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, context: &mut Context<'_>, parts: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, parts);
        self.with_leaving_told(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(target_os = "linux")]
mod kernel {
    use std::io::{self, IoSliceMut};
    use std::os::fd::AsRawFd;

    use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt, sockopt};
    use nix::sys::time::TimeSpec;
    use tokio::net::TcpStream;

    use crate::clock::{Anchor, Moment, now};
    use crate::units::Nanos;

    /// What is older has not waited here: the wall clock, by which the kernel stamps, was set meanwhile.
    const OLDEST: Nanos = Nanos::from_secs(1);

    /// Reads with stamps.
    #[derive(Debug)]
    pub(super) struct Stamps {
        /// Where the kernel puts one.
        control: Vec<u8>,
    }

    impl Stamps {
        /// `None` where the kernel gives none.
        pub(super) fn of(stream: &TcpStream) -> Option<Self> {
            setsockopt(stream, sockopt::ReceiveTimestampns, &true).ok()?;
            Some(Self { control: nix::cmsg_space!(TimeSpec) })
        }

        /// Reads once; how many bytes, and when the last segment came that was read to its end.
        pub(super) fn read(&mut self, stream: &TcpStream, buffer: &mut [u8]) -> io::Result<(usize, Option<Moment>)> {
            let mut parts = [IoSliceMut::new(buffer)];
            let read = recvmsg::<()>(stream.as_raw_fd(), &mut parts, Some(&mut self.control), MsgFlags::empty())?;
            // The bytes are read, whatever is wrong with the stamp.
            let stamp = read.cmsgs().ok().and_then(|mut messages| {
                messages.find_map(|message| match message {
                    ControlMessageOwned::ScmTimestampns(stamp) => Some(stamp),
                    _ => None,
                })
            });
            Ok((read.bytes, stamp.and_then(|stamp| moment(stamp, Anchor::take(), now()))))
        }
    }

    /// The moment of a stamp; `None` where it is none of the last [`OLDEST`].
    fn moment(stamp: TimeSpec, anchor: Anchor, present: Moment) -> Option<Moment> {
        let stamp_ns = u64::try_from(stamp.tv_sec()).ok()? * 1_000_000_000 + u64::try_from(stamp.tv_nsec()).ok()?;
        let came = anchor.moment(stamp_ns);
        (came <= present && present.since(came) <= OLDEST).then_some(came)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_stamp_of_the_future_or_of_long_ago_is_none() {
            let (second, present) = (1_000_000_000, Moment::from_ns(5_000_000_000));
            let anchor = Anchor::at(present, 70_000_000_000);
            let of = |stamp_ns: i64| moment(TimeSpec::new(stamp_ns / second, stamp_ns % second), anchor, present).map(Moment::as_ns);
            assert_eq!(of(70 * second - 20_000), Some(4_999_980_000));
            assert_eq!([70 * second, 69 * second].map(of), [Some(5_000_000_000), Some(4_000_000_000)]);
            assert_eq!([70 * second + 1, 69 * second - 1, 0, -second].map(of), [None; 4]);
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::{now, pause};
    use crate::units::Nanos;

    /// Two ends of a connection, the second one stamped or not.
    async fn connected(stamping: bool) -> (TcpStream, Stamped) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (one, other) = tokio::join!(TcpStream::connect(listener.local_addr().unwrap()), listener.accept());
        (one.unwrap(), Stamped::new(other.unwrap().0, stamping, Leaving::new(Rc::default())))
    }

    #[tokio::test]
    async fn what_is_read_late_came_when_it_was_sent() {
        let (mut one, mut other) = connected(true).await;
        let came = other.last_came();
        assert_eq!(came.get(), None);
        // The first socket of a machine that asks for stamps gets them a moment later: the kernel begins them aside.
        for _ in 0..1_000 {
            one.write_all(b"7").await.unwrap();
            other.read_u8().await.unwrap();
            if came.get().is_some() {
                break;
            }
            pause(Nanos::from_millis(10));
        }
        // No more than the window holds while nobody reads.
        for length in [1, 300, 30_000] {
            let before = now();
            one.write_all(&vec![7; length]).await.unwrap();
            let after = now();
            // Long beyond what reading both clocks is off by.
            pause(Nanos::from_millis(50));
            let mut buffer = vec![0; length];
            other.read_exact(&mut buffer).await.unwrap();
            assert!(buffer.iter().all(|byte| *byte == 7));
            let came = came.get().expect("stamps, and no stall of a second");
            let half = Nanos::from_millis(25);
            assert!(came.plus(half) > before && came < after.plus(half), "{:?} after it was sent", came.since(before));
        }
    }

    #[tokio::test]
    async fn where_nobody_asks_nothing_is_known() {
        let (mut one, mut other) = connected(false).await;
        one.write_all(b"7").await.unwrap();
        assert_eq!((other.read_u8().await.unwrap(), other.last_came().get()), (b'7', None));
        drop(one);
        assert_eq!(other.read(&mut [0; 8]).await.unwrap(), 0, "the end");
    }
}
