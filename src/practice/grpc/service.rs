//! One request: which method, whose trace, what answer.

use std::cell::{Cell, RefCell};
use std::future::ready;
use std::rc::Rc;

use bytes::Bytes;
use http::HeaderMap;
use http::request::Parts;
use http_body::Body;
use prost::Message;
use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tonic::Status;

use crate::clock::{Anchor, Clock, Moment, SystemClock};
use crate::practice::failure::Failure;
use crate::practice::model::{Access, Call, Model, Visit};
use crate::practice::refusal::Refusal;
use crate::practice::spans::{self, Tree};
use crate::practice::store::Store;
use crate::practice::{SearchMode, Settings, SlowSpan};
use crate::trace::{Ids, ParentContext, ServerSpan, ServerSpans};
use crate::units::Nanos;

use super::answering::Answering;
use super::asking::Asking;
use super::body::{Answer, answered, drained, framed, message, refused};
use super::caller::sampled_caller;
use super::canned::Canned;

/// What all requests share. It lives on the server's one thread.
pub(crate) struct Service {
    pub(super) store: RefCell<Store>,
    pub(super) model: Rc<Model<SystemClock>>,
    pub(super) clock: SystemClock,
    canned: Option<Canned>,
    tracing: Option<Tracing>,
}

/// Who is traced, and where the spans go.
struct Tracing {
    spans: ServerSpans,
    slow_span: Option<SlowSpan>,
    sample_fraction: f64,
    ids: RefCell<Ids>,
    deciding: RefCell<StdRng>,
}

impl Tracing {
    fn caller(&self, headers: &HeaderMap) -> Option<ParentContext> {
        let itself = || self.sample_fraction > 0.0 && self.deciding.borrow_mut().random::<f64>() < self.sample_fraction;
        sampled_caller(headers, &mut self.ids.borrow_mut(), itself)
    }

    fn record(&self, tree: Tree, visit: &Visit, caller: ParentContext) {
        let mut ids = self.ids.borrow_mut();
        spans::build(tree, visit, self.slow_span.as_ref(), caller, &mut ids, |span| self.spans.end(span));
    }
}

/// A traced request that may be given up before its answer is there: then nobody asks for the future that makes it any more, it is
/// dropped, and what the server has seen of the request is recorded as failed, as gRPC's own instrumentation does.
struct Watched<'a> {
    tracing: Option<&'a Tracing>,
    clock: SystemClock,
    tree: Tree,
    caller: Option<ParentContext>,
    /// When the server noticed it, if it has.
    arrived: Cell<Option<Moment>>,
}

impl Watched<'_> {
    /// What the model has to know of it.
    fn call<'a>(&'a self, asked: Option<&'a [u8]>) -> Call<'a> {
        Call { access: self.tree.access(), asked, traced: self.caller.is_some(), arrived: &self.arrived }
    }

    /// It was not given up: what became of it is recorded.
    fn ended(mut self, visit: &Visit) {
        if let (Some(tracing), Some(caller)) = (self.tracing, self.caller.take()) {
            tracing.record(self.tree, visit, caller);
        }
    }
}

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if let (Some(tracing), Some(caller), Some(arrived)) = (self.tracing, self.caller.take(), self.arrived.get()) {
            let (ended, failure) = (self.clock.now(), Some(Failure::CANCELLED));
            tracing.record(self.tree, &Visit { arrived, started: ended, ended, slow: Nanos::ZERO, failure }, caller);
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
        let tracing = spans.map(|spans| Tracing {
            spans,
            slow_span: settings.slow_span.clone(),
            sample_fraction: settings.sample_fraction.get(),
            ids: RefCell::new(Ids::new()),
            deciding: RefCell::new(StdRng::seed_from_u64(settings.seed.unwrap_or(0))),
        });
        Self {
            store: RefCell::new(Store::new(Anchor::take(), settings.max_memory)),
            model: Rc::new(Model::new(settings, clock)),
            clock,
            canned: (settings.search == SearchMode::Canned).then(Canned::new),
            tracing,
        }
    }

    /// The model, to be driven.
    pub(crate) const fn model(&self) -> &Rc<Model<SystemClock>> {
        &self.model
    }

    /// Answers one request.
    pub(crate) async fn answer<B>(&self, request: http::Request<B>) -> http::Response<Answer>
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let (parts, body) = request.into_parts();
        let framed = match parts.uri.path().strip_prefix(SERVICE) {
            Some(method) => self.call(method, &parts, body).await,
            None => Err(Status::unimplemented(format!("no service at {}", parts.uri.path()))),
        };
        framed.map_or_else(|status| refused(&status), answered)
    }

    async fn call<B>(&self, method: &str, parts: &Parts, body: B) -> Framed
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let headers = &parts.headers;
        if let Some(canned) = &self.canned {
            match method {
                "Search" => return self.canned(Tree::Search, headers, body, &canned.search).await,
                "HybridSearch" => return self.canned(Tree::HybridSearch, headers, body, &canned.search).await,
                "Query" => return self.canned(Tree::Query, headers, body, &canned.query).await,
                _ => {}
            }
        }
        // In a box of its own: the null target's requests would carry the size of all this with them otherwise.
        Box::pin(self.call_in_earnest(method, headers, body)).await
    }

    async fn call_in_earnest<B>(&self, method: &str, headers: &HeaderMap, body: B) -> Framed
    where
        B: Body<Data = Bytes> + Unpin,
    {
        let body = message(body).await?;
        match method {
            "Search" => self.visited(Tree::Search, headers, body, |request| self.search(request)).await,
            "HybridSearch" => self.visited(Tree::HybridSearch, headers, body, |request| self.hybrid_search(request)).await,
            "Query" => self.visited(Tree::Query, headers, body, |request| self.query(request)).await,
            "Insert" => self.visited(Tree::Insert, headers, body, |request| ready(self.insert(request))).await,
            "Upsert" => self.visited(Tree::Upsert, headers, body, |request| ready(self.upsert(request))).await,
            "Delete" => self.visited(Tree::Delete, headers, body, |request| self.delete(request)).await,
            _ => {
                let arrived = self.clock.now();
                let framed = self.administer(method, body);
                self.record_call(method, headers, arrived);
                framed
            }
        }
    }

    /// What administers has the one span that answers the call, where its caller is traced.
    fn record_call(&self, method: &str, headers: &HeaderMap, arrived: Moment) {
        let Some(tracing) = &self.tracing else { return };
        let ids = &mut *tracing.ids.borrow_mut();
        if let Some(caller) = sampled_caller(headers, ids, || false) {
            tracing.spans.end(ServerSpan::server(ids, caller, format!("{}{method}", &SERVICE[1..]), arrived, self.clock.now()));
        }
    }

    /// Leads a request on rows through the model, and records its spans.
    async fn visited<Q, A, W>(&self, tree: Tree, headers: &HeaderMap, body: Bytes, work: impl FnOnce(Q) -> W) -> Framed
    where
        Q: Message + Default + Asking,
        A: Answering,
        W: Future<Output = Result<A, Refusal>>,
    {
        let request: Q = decoded(body)?;
        let asked = request.asked();
        let watched = self.watched(tree, headers);
        let call = watched.call(asked.as_deref());
        let (visit, done) = self.model.visit(call, async { framed_answer(work(request).await) }).await;
        watched.ended(&visit);
        finished::<A>(&visit, done)
    }

    /// The same with a fixed answer and the request unread.
    async fn canned<B>(&self, tree: Tree, headers: &HeaderMap, body: B, answer: &Bytes) -> Framed
    where
        B: Body<Data = Bytes> + Unpin,
    {
        drained(body).await;
        let watched = self.watched(tree, headers);
        if watched.caller.is_none() && self.model.is_bare() {
            self.model.begin();
            return Ok(answer.clone());
        }
        let (visit, done) = Box::pin(self.model.visit(watched.call(None), ready(answer.clone()))).await;
        watched.ended(&visit);
        match tree {
            Tree::Query => finished::<crate::wire::milvus::QueryResults>(&visit, done),
            _ => finished::<crate::wire::milvus::SearchResults>(&visit, done),
        }
    }

    fn watched(&self, tree: Tree, headers: &HeaderMap) -> Watched<'_> {
        let tracing = self.tracing.as_ref();
        let caller = tracing.and_then(|tracing| tracing.caller(headers));
        Watched { tracing, clock: self.clock, tree, caller, arrived: Cell::new(None) }
    }
}

fn finished<A: Answering>(visit: &Visit, done: Option<Bytes>) -> Framed {
    match (done, visit.failure) {
        (Some(answer), _) => Ok(answer),
        (None, Some(Failure::Milvus(code))) => Ok(framed(&A::refused(&Refusal::new(code, ON_PURPOSE)))),
        (None, Some(failure)) => Err(Status::new(failure.code(), ON_PURPOSE)),
        (None, None) => Err(Status::internal("a request was neither done nor failed")),
    }
}

impl Tree {
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
