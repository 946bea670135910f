//! One request: which method, whose trace, what answer.

use std::cell::RefCell;
use std::future::ready;
use std::rc::Rc;

use bytes::Bytes;
use http::HeaderMap;
use http_body::Body;
use prost::Message;
use tonic::Status;

use crate::clock::{Anchor, Clock, SystemClock};
use crate::practice::failure::Failure;
use crate::practice::model::{Access, Call, Model, Visit};
use crate::practice::refusal::Refusal;
use crate::practice::spans::Tree;
use crate::practice::store::Store;
use crate::practice::{SearchMode, Settings};
use crate::trace::ServerSpans;

use super::answering::Answering;
use super::arrivals::LastCame;
use super::asking::Asking;
use super::body::{Answer, answered, drained, framed, message, refused};
use super::canned::Canned;
use super::leaving::Leaving;
use super::tracing::{Recorded, Tracing};

/// What all requests share. It lives on the server's one thread.
pub(crate) struct Service {
    pub(super) store: RefCell<Store>,
    pub(super) model: Rc<Model<SystemClock>>,
    pub(super) clock: SystemClock,
    canned: Option<Canned>,
    tracing: Option<Tracing>,
}

/// What is known of a request beside what it asks for.
#[derive(Debug, Clone, Copy)]
struct Incoming<'a> {
    headers: &'a HeaderMap,
    /// Of its connection.
    last_came: &'a LastCame,
    /// Of its connection.
    leaving: &'a Leaving,
}

impl Incoming<'_> {
    /// Its answer is to be written.
    fn ended(&self, recorded: Recorded<'_>, visit: &Visit) {
        recorded.ended(visit);
        if let Some(let_go) = visit.let_go {
            self.leaving.next(let_go);
        }
    }
}

/// A whole answer with its framing, or gRPC's own refusal.
pub(super) type Framed = Result<Bytes, Status>;

const ON_PURPOSE: &str = "the practice target fails this request, as it was told to";

const SERVICE: &str = "/milvus.proto.milvus.MilvusService/";

impl Service {
    pub(crate) fn new(settings: &Settings, spans: Option<ServerSpans>) -> Self {
        let clock = SystemClock { wait: settings.wait };
        Self {
            store: RefCell::new(Store::new(Anchor::take(), settings.max_memory)),
            model: Rc::new(Model::new(settings, clock)),
            clock,
            canned: (settings.search == SearchMode::Canned).then(Canned::new),
            tracing: spans.map(|spans| Tracing::new(settings, spans)),
        }
    }

    /// The model, to be driven.
    pub(crate) const fn model(&self) -> &Rc<Model<SystemClock>> {
        &self.model
    }

    /// Answers one request.
    pub(super) async fn answer<B>(&self, request: http::Request<B>, last_came: &LastCame, leaving: &Leaving) -> http::Response<Answer>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (parts, body) = request.into_parts();
        let framed = match parts.uri.path().strip_prefix(SERVICE) {
            Some(method) => self.call(method, Incoming { headers: &parts.headers, last_came, leaving }, body).await,
            None => Err(Status::unimplemented(format!("no service at {}", parts.uri.path()))),
        };
        framed.map_or_else(|status| refused(&status), answered)
    }

    async fn call<B>(&self, method: &str, incoming: Incoming<'_>, body: B) -> Framed
    where
        B: Body<Data = Bytes> + Unpin,
    {
        if let Some(canned) = &self.canned {
            match method {
                "Search" => return self.canned(Tree::Search, incoming, body, &canned.search).await,
                "HybridSearch" => return self.canned(Tree::HybridSearch, incoming, body, &canned.search).await,
                "Query" => return self.canned(Tree::Query, incoming, body, &canned.query).await,
                _ => {}
            }
        }
        // In a box of its own: the null target's requests would carry the size of all this with them otherwise.
        Box::pin(self.call_in_earnest(method, incoming, body)).await
    }

    async fn call_in_earnest<B>(&self, method: &str, incoming: Incoming<'_>, body: B) -> Framed
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let body = message(body).await?;
        match method {
            "Search" => self.visited(Tree::Search, incoming, body, |request| self.search(request)).await,
            "HybridSearch" => self.visited(Tree::HybridSearch, incoming, body, |request| self.hybrid_search(request)).await,
            "Query" => self.visited(Tree::Query, incoming, body, |request| self.query(request)).await,
            "Insert" => self.visited(Tree::Insert, incoming, body, |request| ready(self.insert(request))).await,
            "Upsert" => self.visited(Tree::Upsert, incoming, body, |request| ready(self.upsert(request))).await,
            "Delete" => self.visited(Tree::Delete, incoming, body, |request| self.delete(request)).await,
            _ => {
                let arrived = self.clock.now();
                let framed = self.administer(method, body);
                if let Some(tracing) = &self.tracing {
                    tracing.record_call(format!("{}{method}", &SERVICE[1..]), incoming.headers, arrived, self.clock.now());
                }
                framed
            }
        }
    }

    /// Leads a request on rows through the model, and records its spans.
    async fn visited<Q, A, W>(&self, tree: Tree, incoming: Incoming<'_>, body: Bytes, work: impl FnOnce(Q) -> W) -> Framed
    where
        Q: Message + Default + Asking,
        A: Answering,
        W: Future<Output = Result<A, Refusal>>,
    {
        let request: Q = decoded(body)?;
        let asked = request.asked();
        let recorded = Recorded::new(self.tracing.as_ref(), self.clock, tree, incoming.headers);
        let call = tree.call(asked.as_deref(), incoming, &recorded);
        let (visit, done) = self.model.visit(call, async { framed_answer(work(request).await) }).await;
        incoming.ended(recorded, &visit);
        reply::<A>(&visit, done)
    }

    /// The same with a fixed answer and the request unread.
    async fn canned<B>(&self, tree: Tree, incoming: Incoming<'_>, body: B, answer: &Bytes) -> Framed
    where
        B: Body<Data = Bytes> + Unpin,
    {
        drained(body).await;
        let recorded = Recorded::new(self.tracing.as_ref(), self.clock, tree, incoming.headers);
        if !recorded.is_traced() && self.model.is_bare() {
            self.model.begin(self.clock.now());
            return Ok(answer.clone());
        }
        let (visit, done) = Box::pin(self.model.visit(tree.call(None, incoming, &recorded), ready(answer.clone()))).await;
        incoming.ended(recorded, &visit);
        match tree {
            Tree::Query => reply::<crate::wire::milvus::QueryResults>(&visit, done),
            _ => reply::<crate::wire::milvus::SearchResults>(&visit, done),
        }
    }
}

/// What became of a request, as its answer.
fn reply<A: Answering>(visit: &Visit, done: Option<Bytes>) -> Framed {
    match (done, visit.failure) {
        (Some(answer), _) => Ok(answer),
        (None, Some(Failure::Milvus(code))) => Ok(framed(&A::refused(&Refusal::new(code, ON_PURPOSE)))),
        (None, Some(failure)) => Err(Status::new(failure.code(), ON_PURPOSE)),
        (None, None) => Err(Status::internal("a request was neither done nor failed")),
    }
}

impl Tree {
    /// What the model has to know of a request for it.
    fn call<'a>(self, asked: Option<&'a [u8]>, incoming: Incoming<'_>, recorded: &'a Recorded<'_>) -> Call<'a> {
        let came = incoming.last_came.get();
        Call { access: self.access(), asked, traced: recorded.is_traced(), came, arrived: recorded.arrived() }
    }

    const fn access(self) -> Access {
        match self {
            Self::Search | Self::HybridSearch | Self::Query => Access::Read,
            Self::Insert | Self::Upsert | Self::Delete => Access::Write,
        }
    }
}

/// Reads a request.
pub(super) fn decoded<Q: Message + Default>(body: Bytes) -> Result<Q, Status> {
    Q::decode(body).map_err(|cause| Status::invalid_argument(format!("the request cannot be read: {cause}")))
}

/// The answer or the refusal, with its framing.
pub(super) fn framed_answer<A: Answering>(answer: Result<A, Refusal>) -> Bytes {
    framed(&answer.unwrap_or_else(|refusal| A::refused(&refusal)))
}
