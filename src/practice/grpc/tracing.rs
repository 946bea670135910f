//! Which requests the server traces, and what it records of them.

use std::cell::{Cell, RefCell};

use http::HeaderMap;
use rand::RngExt;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::clock::{Clock, Moment, SystemClock};
use crate::practice::failure::Failure;
use crate::practice::model::Visit;
use crate::practice::spans::{self, Tree};
use crate::practice::{Settings, SlowSpan};
use crate::trace::{Ids, ParentContext, ServerSpan, ServerSpans};
use crate::units::Nanos;

use super::caller::sampled_caller;

/// Who is traced, and where the spans go.
pub(super) struct Tracing {
    spans: ServerSpans,
    slow_span: Option<SlowSpan>,
    sample_fraction: f64,
    ids: RefCell<Ids>,
    deciding: RefCell<StdRng>,
}

impl Tracing {
    pub(super) fn new(settings: &Settings, spans: ServerSpans) -> Self {
        Self {
            spans,
            slow_span: settings.slow_span.clone(),
            sample_fraction: settings.sample_fraction.get(),
            ids: RefCell::new(Ids::new()),
            deciding: RefCell::new(StdRng::seed_from_u64(settings.seed.unwrap_or(0))),
        }
    }

    /// What administers has the one span that answers the call, where its caller is traced.
    pub(super) fn record_call(&self, name: String, headers: &HeaderMap, arrived: Moment, ended: Moment) {
        let ids = &mut *self.ids.borrow_mut();
        if let Some(caller) = sampled_caller(headers, ids, || false) {
            self.spans.end(ServerSpan::server(ids, caller, name, arrived, ended));
        }
    }

    fn caller(&self, headers: &HeaderMap) -> Option<ParentContext> {
        let itself = || self.sample_fraction > 0.0 && self.deciding.borrow_mut().random::<f64>() < self.sample_fraction;
        sampled_caller(headers, &mut self.ids.borrow_mut(), itself)
    }

    fn record(&self, tree: Tree, visit: &Visit, caller: ParentContext) {
        let mut ids = self.ids.borrow_mut();
        spans::build(tree, visit, self.slow_span.as_ref(), caller, &mut ids, |span| self.spans.end(span));
    }
}

/// What is recorded of one request on rows. Where it is given up before its answer is there, nobody asks for the future that makes it any
/// more, it is dropped, and what the server has seen of the request is recorded as failed, as gRPC's own instrumentation does.
pub(super) struct Recorded<'a> {
    tracing: Option<&'a Tracing>,
    clock: SystemClock,
    tree: Tree,
    /// Its caller, where it is traced.
    caller: Option<ParentContext>,
    /// When it came to the server, if it has.
    arrived: Cell<Option<Moment>>,
}

impl<'a> Recorded<'a> {
    pub(super) fn new(tracing: Option<&'a Tracing>, clock: SystemClock, tree: Tree, headers: &HeaderMap) -> Self {
        let caller = tracing.and_then(|tracing| tracing.caller(headers));
        Self { tracing, clock, tree, caller, arrived: Cell::new(None) }
    }

    pub(super) const fn is_traced(&self) -> bool {
        self.caller.is_some()
    }

    pub(super) const fn arrived(&self) -> &Cell<Option<Moment>> {
        &self.arrived
    }

    /// It was not given up.
    pub(super) fn ended(mut self, visit: &Visit) {
        if let (Some(tracing), Some(caller)) = (self.tracing, self.caller.take()) {
            tracing.record(self.tree, visit, caller);
        }
    }
}

impl Drop for Recorded<'_> {
    fn drop(&mut self) {
        if let (Some(tracing), Some(caller), Some(arrived)) = (self.tracing, self.caller.take(), self.arrived.get()) {
            let (ended, failure) = (self.clock.now(), Some(Failure::CANCELLED));
            tracing.record(self.tree, &Visit { arrived, started: ended, ended, let_go: None, slow: Nanos::ZERO, failure }, caller);
        }
    }
}
