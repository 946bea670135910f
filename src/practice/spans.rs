//! The server's part of a trace, shaped like Milvus's.
//!
//! The names and their nesting are those of a Milvus 2.3 in Jaeger; the shares of the time are rounded from one of its searches.
//! One span is ours: `Proxy-Search-Queue` (or `-Insert-`, …) is the wait for a server, which Milvus leaves without a span, in
//! `Proxy-Search`'s own time.

use std::borrow::Cow;

use crate::clock::Moment;
use crate::trace::{Ids, ParentContext, ServerSpan};
use crate::units::Nanos;

use super::SlowSpan;
use super::model::Visit;

/// One part of a tree: its name and what its time is divided among, in order: its own time and its parts, by weight.
struct Part {
    name: &'static str,
    weight: u32,
    /// Time of its own before the first part.
    own: u32,
    parts: &'static [Part],
}

const fn leaf(name: &'static str, weight: u32) -> Part {
    Part { name, weight, own: 1, parts: &[] }
}

const ALLOCATE: Part = leaf("milvus.proto.rootcoord.RootCoord/AllocTimestamp", 25);
const SEARCH: &[Part] = &[
    ALLOCATE,
    Part {
        name: "SearchTask",
        weight: 70,
        own: 2,
        parts: &[
            leaf("Proxy-Search-PreExecute", 16),
            Part { name: "Proxy-Search-Execute", weight: 74, own: 95, parts: &[leaf(WAIT, 5)] },
            leaf("Proxy-Search-PostExecute", 8),
        ],
    },
];
const QUERY: &[Part] = &[
    ALLOCATE,
    Part {
        name: "QueryTask",
        weight: 70,
        own: 2,
        parts: &[
            leaf("Proxy-Query-PreExecute", 16),
            Part { name: "Proxy-Query-Execute", weight: 74, own: 95, parts: &[leaf(WAIT, 5)] },
            leaf("Proxy-Query-PostExecute", 8),
        ],
    },
];
const INSERT: &[Part] = &[
    ALLOCATE,
    Part {
        name: "InsertTask",
        weight: 70,
        own: 2,
        parts: &[
            leaf("Proxy-Insert-PreExecute", 30),
            Part { name: "Proxy-Insert-Execute", weight: 68, own: 40, parts: &[leaf("SendMsg", 60)] },
        ],
    },
];

/// Waits for the timestamp of the consistency level.
const WAIT: &str = "Delegator-waitTSafe";
const HYBRID: &str = "HybridSearch";

/// The tree of one method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tree {
    Search,
    HybridSearch,
    Query,
    Insert,
    Upsert,
    Delete,
}

impl Tree {
    const fn method(self) -> &'static str {
        match self {
            Self::Search => "Search",
            Self::HybridSearch => HYBRID,
            Self::Query => "Query",
            Self::Insert => "Insert",
            Self::Upsert => "Upsert",
            Self::Delete => "Delete",
        }
    }

    const fn parts(self) -> &'static [Part] {
        match self {
            Self::Search | Self::HybridSearch => SEARCH,
            Self::Query => QUERY,
            Self::Insert | Self::Upsert | Self::Delete => INSERT,
        }
    }

    /// Where a slow span that Milvus does not have stands.
    const fn execute(self) -> &'static str {
        match self {
            Self::Search | Self::HybridSearch => "Proxy-Search-Execute",
            Self::Query => "Proxy-Query-Execute",
            Self::Insert | Self::Upsert | Self::Delete => "Proxy-Insert-Execute",
        }
    }
}

/// Builds the spans of one request and hands each on.
pub(super) fn build(
    tree: Tree,
    visit: &Visit,
    slow: Option<&SlowSpan>,
    caller: ParentContext,
    ids: &mut Ids,
    mut out: impl FnMut(ServerSpan),
) {
    let method = tree.method();
    // What leaves ahead of its end, to be on its way by then, is over for the server.
    let (start, end) = (visit.arrived, visit.let_go.unwrap_or(visit.ended).max(visit.arrived));
    let name = format!("milvus.proto.milvus.MilvusService/{method}");
    let mut server = ServerSpan::server(ids, caller, name, start, end).with("rpc.system", "grpc").with("rpc.method", method);
    if let Some(failure) = visit.failure {
        server = server.failed(failure.to_string());
        out(server);
        return;
    }
    let proxy = server.child(ids, format!("Proxy-{method}"), start, end);
    let mut started = visit.started.clamp(start, end);
    if started > start {
        out(proxy.child(ids, format!("Proxy-{method}-Queue"), start, started));
    }
    let mut builder = Builder { ids, out: &mut out, slow: None, execute: tree.execute() };
    if let Some(slow) = slow.filter(|_| visit.slow > Nanos::ZERO) {
        let name: Cow<'static, str> = Cow::Owned(slow.name.clone());
        let known = holds(tree.parts(), &slow.name);
        if slow.name == proxy.name {
            started = started.plus(visit.slow).min(end);
        } else {
            builder.slow = Some(Slow { name, by: visit.slow, known });
        }
    }
    builder.divide(&proxy, tree.parts(), 5, started, end);
    out(proxy);
    out(server);
}

fn holds(parts: &[Part], name: &str) -> bool {
    parts.iter().any(|part| part.name == name || holds(part.parts, name))
}

/// The slow span of this request.
struct Slow {
    name: Cow<'static, str>,
    by: Nanos,
    /// Whether the tree has a span of this name; otherwise it gets one.
    known: bool,
}

struct Builder<'a, F: FnMut(ServerSpan)> {
    ids: &'a mut Ids,
    out: &'a mut F,
    slow: Option<Slow>,
    execute: &'static str,
}

impl<F: FnMut(ServerSpan)> Builder<'_, F> {
    /// Divides the time from `start` to `end` of a span among its own time (first) and its parts, by weight. What the slow span
    /// adds lies in the part that holds it, and shifts those behind it.
    fn divide(&mut self, parent: &ServerSpan, parts: &'static [Part], own: u32, start: Moment, end: Moment) {
        let extra = parts.iter().map(|part| self.extra(part)).sum::<u64>();
        let length = end.since(start).0;
        let shared = length - extra.min(length);
        let total = u64::from(own) + parts.iter().map(|part| u64::from(part.weight)).sum::<u64>();
        let share = |weight: u32| (u128::from(shared) * u128::from(weight) / u128::from(total)) as u64;
        let mut at = start.plus(Nanos(share(own)));
        for part in parts {
            let ends = at.plus(Nanos(share(part.weight) + self.extra(part).min(length))).min(end);
            let span = parent.child(self.ids, part.name, at, ends);
            self.divide_part(&span, part, at, ends);
            (self.out)(span);
            at = ends;
        }
    }

    fn divide_part(&mut self, span: &ServerSpan, part: &'static Part, start: Moment, end: Moment) {
        let own_place = part.name == self.execute;
        match &self.slow {
            // A name that Milvus does not have: a span of its own at the end of the execution.
            Some(slow) if !slow.known && own_place => {
                let from = end.minus(slow.by).max(start);
                let named = span.child(self.ids, slow.name.clone(), from, end);
                (self.out)(named);
                let slow = self.slow.take();
                self.divide(span, part.parts, part.own, start, from);
                self.slow = slow;
            }
            _ if part.parts.is_empty() => {}
            // The part's own time is what is enlarged: its parts stay as they were.
            Some(slow) if slow.name == part.name => {
                let by = slow.by;
                let slow = self.slow.take();
                self.divide(span, part.parts, part.own, start.plus(by).min(end), end);
                self.slow = slow;
            }
            _ => self.divide(span, part.parts, part.own, start, end),
        }
    }

    /// What the slow span adds to a part.
    fn extra(&self, part: &Part) -> u64 {
        let Some(slow) = &self.slow else { return 0 };
        let home: &str = if slow.known { &slow.name } else { self.execute };
        let inside = part.name == home || holds(part.parts, home);
        if inside { slow.by.0 } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::practice::Failure;
    use crate::trace::parse_traceparent;
    use crate::units::Fraction;

    fn spans(tree: Tree, visit: &Visit, slow: Option<&str>) -> Vec<ServerSpan> {
        let caller = parse_traceparent(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        let slow = slow.map(|name| SlowSpan { name: name.into(), fraction: Fraction::ONE, by: Nanos::from_millis(40) });
        let mut spans = Vec::new();
        build(tree, visit, slow.as_ref(), caller, &mut Ids::seeded(1), |span| spans.push(span));
        for span in &spans {
            assert_eq!(span.trace_id, caller.trace_id);
            assert!(span.start <= span.end, "{}", span.name);
            match spans.iter().find(|parent| parent.span_id == span.parent) {
                Some(parent) => assert!(parent.start <= span.start && span.end <= parent.end, "{} in {}", span.name, parent.name),
                None => assert_eq!((span.parent, span.answers_call), (caller.span_id, true), "{}", span.name),
            }
        }
        spans
    }

    fn visit(arrived: u64, started: u64, ended: u64, slow: u64) -> Visit {
        let at = |millis| Moment::from_ns(millis * 1_000_000);
        Visit { arrived: at(arrived), started: at(started), ended: at(ended), let_go: None, slow: Nanos::from_millis(slow), failure: None }
    }

    /// What of a span is in none of its children, in ns. Children here follow one another.
    fn own(spans: &[ServerSpan], name: &str) -> u64 {
        let span = spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no span {name}"));
        let in_children: u64 = spans.iter().filter(|child| child.parent == span.span_id).map(|child| child.end.since(child.start).0).sum();
        span.end.since(span.start).0 - in_children
    }

    #[test]
    fn a_search_has_milvus_s_tree() {
        let spans = spans(Tree::Search, &visit(0, 0, 10, 0), None);
        let name_of = |id| spans.iter().find(|span| span.span_id == id).map_or("", |span| &*span.name);
        let mut tree: Vec<(&str, &str)> = spans.iter().map(|span| (name_of(span.parent), &*span.name)).collect();
        tree.sort_unstable();
        assert_eq!(
            tree,
            [
                ("", "milvus.proto.milvus.MilvusService/Search"),
                ("Proxy-Search", "SearchTask"),
                ("Proxy-Search", "milvus.proto.rootcoord.RootCoord/AllocTimestamp"),
                ("Proxy-Search-Execute", "Delegator-waitTSafe"),
                ("SearchTask", "Proxy-Search-Execute"),
                ("SearchTask", "Proxy-Search-PostExecute"),
                ("SearchTask", "Proxy-Search-PreExecute"),
                ("milvus.proto.milvus.MilvusService/Search", "Proxy-Search"),
            ]
        );
    }

    #[test]
    fn the_wait_for_a_server_is_a_span_and_lies_before_the_task() {
        let spans = spans(Tree::Insert, &visit(0, 6, 10, 0), None);
        assert_eq!(own(&spans, "Proxy-Insert-Queue"), 6_000_000);
        let task = spans.iter().find(|span| span.name == "InsertTask").unwrap();
        assert!(task.start >= Moment::from_ns(6_000_000));
    }

    #[test]
    fn the_slow_span_holds_all_that_is_added_and_the_others_stay() {
        for (tree, name) in [
            (Tree::Search, "Delegator-waitTSafe"),
            (Tree::Search, "Proxy-Search-PostExecute"),
            (Tree::Search, "Proxy-Search-Execute"),
            (Tree::Search, "SearchTask"),
            (Tree::Search, "Proxy-Search"),
            (Tree::Query, "Delegator-waitTSafe"),
            (Tree::Insert, "SendMsg"),
            (Tree::HybridSearch, "milvus.proto.rootcoord.RootCoord/AllocTimestamp"),
        ] {
            let (plain, slow) = (spans(tree, &visit(0, 2, 12, 0), None), spans(tree, &visit(0, 2, 52, 40), Some(name)));
            assert_eq!(plain.len(), slow.len());
            for span in &plain {
                let added = own(&slow, &span.name) - own(&plain, &span.name);
                assert_eq!(added, if span.name == name { 40_000_000 } else { 0 }, "{} where {name} is slow", span.name);
            }
        }
    }

    #[test]
    fn a_slow_span_that_milvus_does_not_have_stands_under_the_execution() {
        let spans = spans(Tree::Search, &visit(0, 0, 50, 40), Some("disk"));
        assert_eq!(own(&spans, "disk"), 40_000_000);
        let disk = spans.iter().find(|span| span.name == "disk").unwrap();
        let parent = spans.iter().find(|span| span.span_id == disk.parent).unwrap();
        assert_eq!(parent.name, "Proxy-Search-Execute");
    }

    #[test]
    fn a_failed_request_has_a_failed_server_span_and_no_parts() {
        let failed = Visit { failure: Some(Failure::UNAVAILABLE), ..visit(0, 0, 0, 0) };
        let spans = spans(Tree::Search, &failed, None);
        assert_eq!(spans.len(), 1);
        assert_eq!(spans[0].error.as_deref(), Some("UNAVAILABLE"));
    }
}
