//! Single calls of set-up: each with a time limit, each with both kinds of status judged.

use tonic::{Code, Request, Response, Status};

use crate::clock::{Clock, SystemClock, SystemTimer, Timer, Wait};
use crate::units::Nanos;
use crate::wire::common;
use crate::wire::milvus as pb;

use super::super::connection::Client;
use super::error::{SetupError, refused};

/// What a single call may take, where not less is left: loading and flushing answer at once and go on behind.
const CALL_WITHIN: Nanos = Nanos::from_secs(60);

/// Between two questions whether something is done.
const ASK_AGAIN: Nanos = Nanos::from_millis(100);

/// An answer that carries a Milvus status.
pub(super) trait Answer {
    fn status(&self) -> Option<&common::Status>;
}

impl Answer for common::Status {
    fn status(&self) -> Option<&common::Status> {
        Some(self)
    }
}

macro_rules! answers {
    ($($answer:ty),+ $(,)?) => {
        $(impl Answer for $answer {
            fn status(&self) -> Option<&common::Status> {
                self.status.as_ref()
            }
        })+
    };
}

answers! {
    pb::GetVersionResponse, pb::BoolResponse, pb::DescribeCollectionResponse, pb::DescribeIndexResponse,
    pb::GetCollectionStatisticsResponse, pb::GetLoadStateResponse, pb::GetLoadingProgressResponse, pb::FlushResponse,
    pb::GetFlushStateResponse, pb::MutationResult,
}

/// When a step has to be done, and what to say where it is not.
#[derive(Debug, Clone)]
pub(super) struct Deadline {
    name: String,
    limit: Nanos,
    at: crate::clock::Moment,
}

impl Deadline {
    pub(super) fn new(name: &str, limit: Nanos) -> Self {
        Self { name: name.to_owned(), limit, at: SystemClock::default().now().plus(limit) }
    }

    fn left(&self) -> Nanos {
        self.at.since(SystemClock::default().now())
    }

    fn missed(&self, step: &'static str) -> SetupError {
        SetupError::NotReady { name: self.name.clone(), step, limit: self.limit }
    }
}

/// The target, for set-up.
#[derive(Debug)]
pub(super) struct Rpc {
    client: Client,
    uri: String,
    pub(super) version: String,
    timer: SystemTimer,
}

impl Rpc {
    pub(super) fn new(client: Client, uri: String) -> Result<Self, SetupError> {
        let timer = SystemClock { wait: Wait::Sleep }.timer().map_err(SetupError::Timer)?;
        Ok(Self { client, uri, version: "version unknown".to_owned(), timer })
    }

    /// One call. `send` gets a client of its own and the request with its time limit.
    pub(super) async fn call<M, A, F>(
        &self,
        rpc: &'static str,
        limit: Nanos,
        message: M,
        send: impl FnOnce(Client, Request<M>) -> F,
    ) -> Result<A, SetupError>
    where
        A: Answer,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        let mut request = Request::new(message);
        request.set_timeout(limit.min(CALL_WITHIN).as_duration());
        let answer = send(self.client.clone(), request).await.map_err(|status| self.failed(rpc, status))?.into_inner();
        refused(rpc, answer.status())?;
        Ok(answer)
    }

    fn failed(&self, rpc: &'static str, status: Status) -> SetupError {
        if status.code() == Code::Unimplemented {
            return SetupError::NotOffered { rpc, version: self.version.clone() };
        }
        SetupError::Call { rpc, uri: self.uri.clone(), source: Box::new(status) }
    }

    /// A call within what is left until a deadline.
    pub(super) async fn call_before<M, A, F>(
        &self,
        rpc: &'static str,
        deadline: &Deadline,
        message: M,
        send: impl FnOnce(Client, Request<M>) -> F,
    ) -> Result<A, SetupError>
    where
        A: Answer,
        F: Future<Output = Result<Response<A>, Status>>,
    {
        match self.call(rpc, deadline.left(), message, send).await {
            // tonic reports its own time limit as a cancelled call.
            Err(SetupError::Call { source, .. })
                if matches!(source.code(), Code::Cancelled | Code::DeadlineExceeded) && deadline.left() == Nanos(0) =>
            {
                Err(deadline.missed("ready"))
            }
            answer => answer,
        }
    }

    /// Waits until it is time to ask again.
    pub(super) async fn pause(&mut self, deadline: &Deadline, step: &'static str) -> Result<(), SetupError> {
        if deadline.left() == Nanos(0) {
            return Err(deadline.missed(step));
        }
        let due = SystemClock::default().now().plus(ASK_AGAIN.min(deadline.left()));
        self.timer.until(due).await;
        Ok(())
    }
}

/// `None` where the server does not offer the call.
pub(super) fn if_offered<A>(result: Result<A, SetupError>) -> Result<Option<A>, SetupError> {
    match result {
        Ok(answer) => Ok(Some(answer)),
        Err(SetupError::NotOffered { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}
