//! Random trees: sound ones against closed forms and a slow, plain other implementation; garbage against the sum.

use super::*;
use crate::tail::tree::Tree;

/// A tree by numbers: each span's parent among the spans before it, and its interval, in ns.
fn tree_of(spans: &[(usize, u64, u64)]) -> Trace {
    let spans = spans.iter().enumerate().map(|(at, (parent, start, end))| Span {
        id: format!("{:016x}", at + 1),
        parent: (at > 0).then(|| format!("{:016x}", parent + 1)),
        service: if at == 0 { "c" } else { "s" }.to_owned(),
        name: format!("n{at}"),
        kind: SpanKind::Internal,
        start_ns: 1_000 + start,
        duration_ns: end - start,
        ..Span::default()
    });
    Trace { id: "1".to_owned(), spans: spans.collect() }
}

/// Children that follow each other inside of their parents: each span is cut by sorted points into children and own time.
fn sequential() -> impl Strategy<Value = Vec<(usize, u64, u64)>> {
    proptest::collection::vec((0..1_000_usize, proptest::collection::vec(0..1_000_u64, 0..4)), 1..20).prop_map(|cuts| {
        let mut spans = vec![(0, 0, 100_000_u64)];
        let mut split = std::collections::HashSet::new();
        for (which, mut points) in cuts {
            let at = which % spans.len();
            if !split.insert(at) {
                continue;
            }
            let (_, start, end) = spans[at];
            points.sort_unstable();
            let points: Vec<u64> = points.iter().map(|point| start + (end - start) * point / 1_000).collect();
            spans.extend(points.chunks_exact(2).map(|pair| (at, pair[0], pair[1])));
        }
        spans
    })
}

/// Intervals of children anywhere in and around their parents'.
fn overlapping() -> impl Strategy<Value = Vec<(usize, u64, u64)>> {
    proptest::collection::vec((0..1_000_usize, 0..60_u64, 0..60_u64), 0..12).prop_map(|spans| {
        let mut tree = vec![(0, 10, 50)];
        for (parent, a, b) in spans {
            tree.push((parent % tree.len(), a.min(b), a.max(b)));
        }
        tree
    })
}

/// Own time of each node by the slow way: instant by instant, and each rule as it is told.
fn by_instants(tree: &Tree<'_>) -> Vec<u64> {
    let mut own = vec![0; tree.nodes.len()];
    for instant in tree.nodes[0].from..tree.nodes[0].to {
        let mut at = 0;
        while let Some(child) = waited_for(tree, at, instant) {
            at = child;
        }
        own[at] += 1;
    }
    own
}

fn waited_for(tree: &Tree<'_>, at: usize, instant: i128) -> Option<usize> {
    let span = |child: &usize| (tree.nodes[*child].from, tree.nodes[*child].to);
    let length = tree.nodes[at].to - tree.nodes[at].from;
    let mut rest: Vec<usize> = tree.nodes[at].children.iter().copied().filter(|child| span(child).0 < span(child).1).collect();
    let mut now = tree.nodes[at].to;
    let mut later = (i128::MAX, i128::MAX);
    loop {
        // The one that ended last among those that the later one may have waited for.
        let follows = |child: &usize| {
            let (from, to) = span(child);
            to <= later.0 || (to < later.1 && from < later.0 && (to - later.0) * 100 < length)
        };
        let next = rest.iter().copied().filter(follows).max_by_key(|child| (span(child).1, -span(child).0, std::cmp::Reverse(*child)));
        let (from, to) = next.map_or((tree.nodes[at].from, tree.nodes[at].from), |child| (span(&child).0, span(&child).1.min(later.0)));
        if instant >= to && instant < now {
            return beside(tree, at, &(to..now), instant);
        }
        if instant >= from && instant < to {
            return next;
        }
        let next = next?;
        rest.retain(|child| *child != next);
        (now, later) = (from, span(&next));
    }
}

/// Who ran beside in a stretch that none of those that follow each other covers.
fn beside(tree: &Tree<'_>, at: usize, stretch: &std::ops::Range<i128>, instant: i128) -> Option<usize> {
    let mut current: Option<usize> = None;
    for now in (stretch.start..stretch.end).rev() {
        if current.is_none_or(|child| tree.nodes[child].from > now) {
            let runs = |child: &usize| tree.nodes[*child].from <= now && tree.nodes[*child].to > now;
            let running = tree.nodes[at].children.iter().copied().filter(runs);
            current = running.min_by_key(|child| (tree.nodes[*child].to, -tree.nodes[*child].from, std::cmp::Reverse(*child)));
        }
        if now == instant {
            return current;
        }
    }
    None
}

/// The interval less the union of the children's.
fn less_union(tree: &Tree<'_>, at: usize) -> u64 {
    let node = &tree.nodes[at];
    let covered = |instant: &i128| node.children.iter().any(|child| (tree.nodes[*child].from..tree.nodes[*child].to).contains(instant));
    (node.from..node.to).filter(|instant| !covered(instant)).count() as u64
}

fn garbage() -> impl Strategy<Value = Trace> {
    let time = prop_oneof![0..20_u64, Just(0), Just(u64::MAX), any::<u64>(), 1_000_000_000..1_000_010_000_u64];
    let span = (0..8_u64, proptest::option::of(0..10_u64), 0..3_usize, 0..3_usize, 0..4_usize, time.clone(), time);
    proptest::collection::vec(span, 0..24).prop_map(|spans| {
        let kinds = [SpanKind::Unspecified, SpanKind::Client, SpanKind::Server, SpanKind::Internal];
        let spans = spans.into_iter().map(|(id, parent, service, name, kind, start_ns, duration_ns)| Span {
            id: format!("{id:016x}"),
            parent: parent.map(|id| format!("{id:016x}")),
            service: ["a", "b", "c"][service].to_owned(),
            name: ["x", "y", ""][name].to_owned(),
            kind: kinds[kind],
            start_ns,
            duration_ns,
            ..Span::default()
        });
        Trace { id: "1".to_owned(), spans: spans.collect() }
    })
}

proptest! {
    #[test]
    fn of_children_that_follow_each_other_own_time_is_length_less_the_childrens(spans in sequential()) {
        let trace = tree_of(&spans);
        let attribution = attributed(&trace, FIRST);
        let own = |at: usize| {
            let children: u64 = spans.iter().skip(1).filter(|span| span.0 == at).map(|span| span.2 - span.1).sum();
            spans[at].2 - spans[at].1 - children
        };
        for at in 1..spans.len() {
            let found: u64 = attribution.parts.iter().filter(|part| part.place.span == format!("n{at}")).map(|part| part.self_ns).sum();
            prop_assert_eq!(found, own(at), "span {}", at);
        }
    }

    #[test]
    fn the_critical_path_is_that_of_the_slow_way(spans in overlapping()) {
        let trace = tree_of(&spans);
        let tree = Tree::build(&trace, FIRST).unwrap();
        let charged = charge(&tree);
        prop_assert_eq!(charged.self_ns.iter().sum::<u64>(), tree.total_ns());
        prop_assert_eq!(charged.self_ns[0], less_union(&tree, 0));
        prop_assert_eq!(&charged.self_ns, &by_instants(&tree));
        for (at, own) in charged.self_ns.iter().enumerate() {
            prop_assert!(*own <= less_union(&tree, at), "never more than nothing below covers");
        }
    }

    #[test]
    fn whatever_a_trace_is_like_its_parts_add_up(trace in garbage(), client in 0..8_u64) {
        let id = format!("{client:016x}");
        for client in [ClientSpan::Id(&id), ClientSpan::Named { service: "a", operation: None }, ClientSpan::Named { service: "b", operation: Some("x") }] {
            match attribute(&trace, client, &mut Places::default()) {
                Ok(attribution) => prop_assert_eq!(
                    attribution.parts.iter().map(|part| u128::from(part.self_ns)).sum::<u128>(),
                    u128::from(attribution.total_ns)
                ),
                Err(Cut::NoClientSpan) => {}
            }
        }
    }
}
