//! The practice target as a server: one thread of its own, started and stopped.

use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::thread::JoinHandle;

use tokio::sync::oneshot;

use crate::clock::Wait;
use crate::trace::ServerSpans;

use super::grpc::{Service, serve};
use super::{PracticeError, Settings};

/// A running practice target. It stops when it is dropped.
///
/// ```
/// use tailtrace::practice::{Server, Settings};
/// let server = Server::start(Settings::default(), "127.0.0.1:0".parse().unwrap(), None).unwrap();
/// assert_ne!(server.addr().port(), 0);
/// server.stop();
/// ```
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server that listens at `listen` (port 0: a free one). Spans go to `spans`, if there is any.
    pub fn start(settings: Settings, listen: SocketAddr, spans: Option<ServerSpans>) -> Result<Self, PracticeError> {
        settings.check()?;
        let listening = |source| PracticeError::Listen { address: listen, source };
        let start = |source| PracticeError::Start { source };
        let listener = TcpListener::bind(listen).map_err(listening)?;
        listener.set_nonblocking(true).map_err(listening)?;
        let address = listener.local_addr().map_err(listening)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().map_err(start)?;
        let (stop, stopped) = oneshot::channel();
        let run = move || {
            let local = tokio::task::LocalSet::new();
            // The tasks of the set end with it, when the runtime does.
            runtime.block_on(local.run_until(run(settings, listener, spans, stopped)));
        };
        let thread = std::thread::Builder::new().name("tailtrace-practice".to_owned()).spawn(run).map_err(start)?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// Where it listens.
    #[must_use]
    pub const fn addr(&self) -> SocketAddr {
        self.address
    }

    /// Cuts all connections and ends the thread.
    pub fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// Serves until it is stopped.
async fn run(settings: Settings, listener: TcpListener, spans: Option<ServerSpans>, mut stopped: oneshot::Receiver<()>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let service = Rc::new(Service::new(&settings, spans));
    if settings.wait == Wait::Poll {
        tokio::task::spawn_local(never_sleep());
    }
    let mut driver = tokio::task::spawn_local(service.model().clone().drive());
    tokio::task::spawn_local(async move { serve(listener, service, &settings).await });
    // Without a timer (the system has no descriptor left) nobody would ever be answered: rather nobody is served.
    poll_fn(|context| match Pin::new(&mut stopped).poll(context) {
        Poll::Pending => Pin::new(&mut driver).poll(context).map(drop),
        Poll::Ready(_) => Poll::Ready(()),
    })
    .await;
}

/// Keeps the thread from sleeping for requests: a runtime with a task that is always ready looks for them after every turn.
async fn never_sleep() {
    loop {
        tokio::task::yield_now().await;
    }
}
