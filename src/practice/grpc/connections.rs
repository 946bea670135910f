//! Connections: taken, served, cut and refused.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::rc::Rc;

use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::AbortHandle;

use crate::clock::{Clock, SystemClock, Timer};
use crate::practice::Settings;
use crate::units::Nanos;

use super::arrivals::Stamped;
use super::leaving::Leaving;
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
            open.add(tokio::task::spawn_local(connection(stream, service.clone())).abort_handle());
        }
    }
}

async fn connection(stream: TcpStream, service: Rc<Service>) {
    let leaving = Leaving::new(service.model().lead().clone());
    let stream = Stamped::new(stream, !service.model().is_bare(), leaving.clone());
    let last_came = stream.last_came();
    let answer = service_fn(move |request| {
        let (service, last_came, leaving) = (service.clone(), last_came.clone(), leaving.clone());
        async move { Ok::<_, Infallible>(service.answer(request, &last_came, &leaving).await) }
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::mpsc::{TryRecvError, sync_channel};
    use std::time::Duration;

    use tonic::transport::Endpoint;

    use super::*;
    use crate::clock::{now, pause};
    use crate::wire::milvus::SearchRequest;
    use crate::wire::milvus::milvus_service_client::MilvusServiceClient;

    const SERVICE: &str = r#"{"search": "canned", "service": "constant 600ms"}"#;
    const ASLEEP: Nanos = Nanos::from_millis(400);

    /// How long a search takes that comes while the server's thread is asleep.
    fn search_of_a_sleeper() -> Nanos {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (wish, wishes) = sync_channel::<()>(1);
        let (asleep, said) = sync_channel(1);
        let server = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
            let local = tokio::task::LocalSet::new();
            runtime.block_on(local.run_until(async move {
                let settings: Settings = serde_json::from_str(SERVICE).unwrap();
                let service = Rc::new(Service::new(&settings, None));
                tokio::task::spawn_local(service.model().clone().drive());
                let listener = TcpListener::from_std(listener).unwrap();
                tokio::task::spawn_local(async move { serve(listener, service, &settings).await });
                loop {
                    match wishes.try_recv() {
                        Ok(()) => {
                            asleep.send(()).unwrap();
                            pause(ASLEEP);
                        }
                        Err(TryRecvError::Empty) => tokio::task::yield_now().await,
                        Err(TryRecvError::Disconnected) => break,
                    }
                }
            }));
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let took = runtime.block_on(async {
            let mut client = MilvusServiceClient::new(Endpoint::from_shared(url).unwrap().connect_lazy());
            // The connection, its first stamps, and the first search, which begins the model.
            client.search(SearchRequest::default()).await.unwrap();
            wish.send(()).unwrap();
            said.recv_timeout(Duration::from_secs(10)).unwrap();
            let sent = now();
            client.search(SearchRequest::default()).await.unwrap();
            now().since(sent)
        });
        drop(wish);
        server.join().unwrap();
        took
    }

    /// One step of the lead for each answer that waited for its end, none for those that did not (Milvus's own status at once).
    #[test]
    fn each_answer_that_was_kept_teaches_how_long_answers_take_to_leave() {
        let learned = |settings: &str, answers: u64| {
            let settings: Settings = serde_json::from_str(settings).unwrap();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let local = tokio::task::LocalSet::new();
            runtime.block_on(local.run_until(async move {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                let url = format!("http://{}", listener.local_addr().unwrap());
                let service = Rc::new(Service::new(&settings, None));
                let model = service.model().clone();
                tokio::task::spawn_local(model.clone().drive());
                tokio::task::spawn_local(async move { serve(listener, service, &settings).await });
                let mut client = MilvusServiceClient::new(Endpoint::from_shared(url).unwrap().connect_lazy());
                for _ in 0..answers {
                    client.search(SearchRequest::default()).await.unwrap();
                }
                let end = now();
                end.since(model.lead().before(end))
            }))
        };
        // Long beyond a stop of the thread on a busy machine: an answer that is late for its end is not kept.
        let kept = r#"{"search": "canned", "service": "constant 400ms"}"#;
        // A write takes longer than half a µs, and two answers of the same client never leave in one.
        assert_eq!(learned(kept, 1), Nanos(500));
        assert_eq!(learned(kept, 4), Nanos(2_000));
        assert_eq!(learned(r#"{"search": "canned", "errors": {"milvus:5": 1}}"#, 7), Nanos::ZERO);
    }

    /// Taken in when it was noticed, it would take both times together.
    #[test]
    fn a_request_is_served_from_when_it_came_while_the_thread_was_asleep() {
        let took: Vec<Nanos> = std::iter::repeat_with(search_of_a_sleeper).take(3).collect();
        assert!(took.iter().all(|took| *took >= Nanos::from_millis(600)), "{took:?}");
        // On a busy machine one may take longer; all three would have to.
        assert!(took.iter().any(|took| *took < Nanos::from_millis(800)), "{took:?}");
    }
}
