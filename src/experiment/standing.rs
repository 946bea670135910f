//! What has to stand before load: the practice target where it is wanted, the way to the target, and the collection.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::task::Poll;

use crate::clock::{Clock, SystemClock, Timer, Wait, now};
use crate::load::Stop;
use crate::milvus::collection::{Prepared, Progress, Setup, SetupError};
use crate::milvus::{Address, CollectionSettings, Connection};
use crate::practice;
use crate::scenario::Plan;
use crate::trace::{Environment, ServerSpans};
use crate::units::{Causes, Nanos};
use crate::workload::Seed;

use super::RunError;
use super::observer::{Event, Observer};

/// How often set-up looks whether it was told to stop.
const LOOK: Nanos = Nanos::from_millis(50);

/// A free port, for this machine only.
pub(super) const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// The standing target.
pub(super) struct Standing {
    practice: Option<practice::Server>,
    connection: Connection,
    address: (String, u16),
    runtime: tokio::runtime::Runtime,
    setup: Option<Setup>,
}

impl Standing {
    /// Starts the practice target where the plan wants it. Nothing is sent yet.
    pub(super) fn start(plan: &Plan, environment: Environment<'_>, spans: Option<ServerSpans>) -> Result<Self, RunError> {
        let practice = match &plan.practice {
            Some(settings) => {
                // Service times and faults follow from the run's seed, so that another run draws others.
                let settings = practice::Settings { seed: settings.seed.or(Some(plan.seed)), ..settings.clone() };
                Some(practice::Server::start(settings, LOOPBACK, spans)?)
            }
            None => None,
        };
        let (uri, address) = match (plan.target.uri.clone(), &practice) {
            (Address::Remote { host, port, .. }, _) => (plan.target.uri.to_string(), (host, port)),
            (Address::Practice, Some(server)) => {
                (format!("http://{}", server.addr()), (server.addr().ip().to_string(), server.addr().port()))
            }
            (Address::Practice, None) => unreachable!("a plan for the practice target holds its settings"),
        };
        let connection = Connection::new(&plan.target, &uri, environment)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Start)?;
        Ok(Self { practice, connection, address, runtime, setup: None })
    }

    /// Makes and fills the collection, or takes the one that is there: by the plan, or because an earlier run of a series made it. A
    /// target that was begun anew between the runs has it no more: it is made again.
    pub(super) fn prepare(
        &mut self,
        plan: &Plan,
        made_before: bool,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<Prepared, RunError> {
        let before = CollectionSettings { reuse: true, ..plan.collection.clone() };
        match made_before.then(|| self.prepare_as(&before, plan, stop, observer)) {
            None | Some(Err(RunError::SetUp(SetupError::Missing { .. }))) => self.prepare_as(&plan.collection, plan, stop, observer),
            Some(prepared) => prepared,
        }
    }

    fn prepare_as(
        &mut self,
        collection: &CollectionSettings,
        plan: &Plan,
        stop: &Stop,
        observer: &mut dyn Observer,
    ) -> Result<Prepared, RunError> {
        let connection = &self.connection;
        let connecting = async {
            let client = connection.client().await?;
            Ok::<_, RunError>(Setup::connect(client, &plan.target, connection.uri()).await?)
        };
        let setup = self.runtime.block_on(unless_stopped(stop, connecting))??;
        let setup = self.setup.insert(setup);
        let mut progress = |progress: Progress| observer.event(&Event::SetUp(progress));
        let preparing = setup.prepare(collection, Seed(plan.seed), &mut progress);
        Ok(self.runtime.block_on(unless_stopped(stop, preparing))??)
    }

    /// Whether this run made a collection that can outlive it: one on a target that does.
    pub(super) fn made_a_collection(&self) -> bool {
        self.practice.is_none() && self.setup.as_ref().is_some_and(Setup::has_made)
    }

    /// What the target says it is.
    pub(super) fn version(&self) -> Option<String> {
        self.setup.as_ref().map(|setup| setup.version().to_owned()).filter(|version| !version.is_empty())
    }

    pub(super) const fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Host and port that requests go to.
    pub(super) fn address(&self) -> (&str, u16) {
        (&self.address.0, self.address.1)
    }

    /// Drops the collection where this run made it and it is not to be kept, and stops the practice target. Says what went
    /// wrong with that: it changes nothing that was measured.
    pub(super) fn end(mut self) -> Option<String> {
        let mut trouble = None;
        // A practice target in this process goes with all that it holds, and its connections may have been cut.
        if let Some(mut setup) = self.setup.take().filter(|_| self.practice.is_none())
            && let Err(error) = self.runtime.block_on(setup.leave())
        {
            trouble = Some(Causes(&error).to_string());
        }
        if let Some(server) = self.practice.take() {
            server.stop();
        }
        trouble
    }
}

/// What `work` comes to, unless it is told to stop before.
pub(super) async fn unless_stopped<T>(stop: &Stop, work: impl Future<Output = T>) -> Result<T, RunError> {
    let (mut work, mut stopped) = (pin!(work), pin!(until_stopped(stop)));
    std::future::poll_fn(|context| match stopped.as_mut().poll(context) {
        Poll::Ready(error) => Poll::Ready(Err(error)),
        Poll::Pending => work.as_mut().poll(context).map(Ok),
    })
    .await
}

/// Ends when it is told to stop.
async fn until_stopped(stop: &Stop) -> RunError {
    let mut timer = match (SystemClock { wait: Wait::Sleep }).timer() {
        Ok(timer) => timer,
        Err(error) => return RunError::Start(error),
    };
    while !stop.is_stopped() {
        timer.until(now().plus(LOOK)).await;
    }
    RunError::Interrupted
}
