//! Connections: taken, served, cut and refused.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;

use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::clock::{Clock, SystemClock, Timer};
use crate::practice::Settings;
use crate::units::Nanos;

use super::arrivals::Stamped;
use super::service::Service;

/// Windows that no answer or insert of a sensible size waits for.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 32 << 20;

/// Requests in flight on one connection: more than any load generator keeps, so that the limit is never met by accident.
const MOST_STREAMS: u32 = 100_000;

/// How long nothing is accepted after accepting has failed.
const AFTER_FAILURE: Nanos = Nanos::from_millis(10);

/// Runs the tasks of hyper on the server's one thread.
#[derive(Debug, Clone, Copy)]
struct Local;

impl<F> Executor<F> for Local
where
    F: Future + 'static,
{
    fn execute(&self, task: F) {
        tokio::task::spawn_local(async move {
            task.await;
        });
    }
}

/// Open connections, which can be cut all at once.
#[derive(Debug, Default)]
struct Open {
    connections: RefCell<Vec<AbortHandle>>,
    refusing: Cell<bool>,
}

impl Open {
    fn add(&self, connection: AbortHandle) {
        let mut connections = self.connections.borrow_mut();
        connections.retain(|connection| !connection.is_finished());
        connections.push(connection);
    }

    fn cut(&self) {
        self.connections.borrow_mut().drain(..).for_each(|connection| connection.abort());
    }
}

/// Takes connections and serves them, for ever. Runs inside a `LocalSet`.
pub(crate) async fn serve(listener: TcpListener, service: Rc<Service>, settings: &Settings) -> std::io::Result<()> {
    let clock = SystemClock::default();
    let mut pause = clock.timer()?;
    let open = Rc::new(Open::default());
    if let Some(every) = settings.cut_every {
        tokio::task::spawn_local(cut(open.clone(), service.clone(), every, settings.refuse_for));
    }
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // The caller is gone already, or the process is out of descriptors: that may pass.
            pause.until(clock.now().plus(AFTER_FAILURE)).await;
            continue;
        };
        // Refused by closing what was taken: a closed listener would be refused more truly, but its port, an ephemeral one,
        // may meanwhile become the source of the very connection that looks for it.
        if !open.refusing.get() {
            // Without it an answer waits for the acknowledgement of the one before: 40 ms.
            let _ = stream.set_nodelay(true);
            let stream = Stamped::new(stream, !service.model().is_bare());
            open.add(tokio::task::spawn_local(connection(stream, service.clone())).abort_handle());
        }
    }
}

async fn connection(stream: Stamped, service: Rc<Service>) {
    let came = stream.last_came();
    let answer = service_fn(move |request| {
        let (service, came) = (service.clone(), came.clone());
        async move { Ok::<_, Infallible>(service.answer(request, &came).await) }
    });
    let served = http2::Builder::new(Local)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(MOST_STREAMS)
        // A client that gives up on slow answers resets them by the thousand: that is a measurement, not an attack.
        .max_pending_accept_reset_streams(MOST_STREAMS as usize)
        .max_local_error_reset_streams(None)
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), answer)
        .await;
    // A connection that broke off is the client's to report.
    drop(served);
}

/// Cuts all connections every so often after the first read, and refuses new ones for a while after each cut.
async fn cut(open: Rc<Open>, service: Rc<Service>, every: Nanos, refuse_for: Nanos) {
    let clock = SystemClock::default();
    let Ok(mut timer) = clock.timer() else { return };
    loop {
        let begun = service.model().beginning().await;
        let mut next = begun.plus(every);
        loop {
            timer.until(next).await;
            if service.model().begun() != Some(begun) {
                break; // A new set-up has begun since.
            }
            open.cut();
            open.refusing.set(refuse_for > Nanos::ZERO);
            timer.until(next.plus(refuse_for)).await;
            open.refusing.set(false);
            next = next.plus(every);
        }
    }
}
