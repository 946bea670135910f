//! One trace as a picture's data: its spans in the tree's order, where each lies and how much of it was waited for.

use super::attribute::charge;
use super::attribution::WAITING_IN_THE_GENERATOR;
use super::traces::Trace;
use super::tree::{ClientSpan, Cut, Tree};

/// So many spans of one trace are listed at most; of more, those with the most own time.
pub const MOST_BARS: usize = 1_000;

/// The spans below a client span, as they were after mending.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Waterfall {
    /// The trace's id.
    pub trace_id: String,
    /// What the own times add up to where nothing is left out: the client span's length, and the time that it waited before to be sent.
    pub total_ns: u64,
    /// The time before it was sent, where there was any; the client span, and below it each span before its children, children by their start.
    pub spans: Vec<Bar>,
    /// Spans that are not listed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

/// One span.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct Bar {
    /// How many spans lie above it.
    pub depth: usize,
    /// The service that made it.
    pub service: String,
    /// Its name.
    pub name: String,
    /// Its start after the first bar's, moved where its clock was off; below 0 where it began before.
    pub offset_ns: i64,
    /// Its length.
    pub duration_ns: u64,
    /// How long it was waited for, and nothing below it.
    pub self_ns: u64,
    /// Whether it lies on the critical path.
    pub critical: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` hands a reference over")]
const fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Waterfall {
    /// With the time before the client's span, which it waited to be sent: a bar of its own in front of the others.
    #[must_use]
    pub fn after_waiting(mut self, waited_ns: u64) -> Self {
        let Some(client) = self.spans.first().filter(|_| waited_ns > 0) else { return self };
        let waiting = Bar {
            depth: client.depth,
            service: client.service.clone(),
            name: WAITING_IN_THE_GENERATOR.to_owned(),
            offset_ns: -waited_ns.cast_signed(),
            duration_ns: waited_ns,
            self_ns: waited_ns,
            critical: true,
        };
        self.spans.insert(0, waiting);
        for bar in &mut self.spans {
            bar.offset_ns = bar.offset_ns.saturating_add_unsigned(waited_ns);
        }
        self.total_ns += waited_ns;
        self
    }
}

/// The waterfall of one trace.
pub fn waterfall(trace: &Trace, client: ClientSpan<'_>) -> Result<Waterfall, Cut> {
    waterfall_within(trace, client, MOST_BARS)
}

fn waterfall_within(trace: &Trace, client: ClientSpan<'_>, most: usize) -> Result<Waterfall, Cut> {
    let tree = Tree::build(trace, client)?;
    let charged = charge(&tree);
    let keep = kept(&charged.self_ns, most);
    let mut spans = Vec::with_capacity(most.min(tree.nodes.len()));
    let mut waiting = vec![(0, 0)];
    while let Some((at, depth)) = waiting.pop() {
        let node = &tree.nodes[at];
        if keep[at] {
            spans.push(Bar {
                depth,
                service: node.span.service.clone(),
                name: node.span.name.clone(),
                offset_ns: i64::try_from(node.start).unwrap_or(if node.start < 0 { i64::MIN } else { i64::MAX }),
                duration_ns: node.span.duration_ns,
                self_ns: charged.self_ns[at],
                critical: charged.critical[at],
            });
        }
        let mut children = node.children.clone();
        // The last goes onto the stack first.
        children.sort_by_key(|child| std::cmp::Reverse((tree.nodes[*child].start, *child)));
        waiting.extend(children.into_iter().map(|child| (child, depth + 1)));
    }
    let left_out = (tree.nodes.len() - spans.len()) as u64;
    Ok(Waterfall { trace_id: trace.id.clone(), total_ns: tree.total_ns(), spans, left_out })
}

/// The client span and those with the most own time.
fn kept(self_ns: &[u64], most: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (1..self_ns.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(self_ns[*at]), *at));
    let mut keep = vec![false; self_ns.len()];
    keep[0] = true;
    for at in order.into_iter().take(most.saturating_sub(1)) {
        keep[at] = true;
    }
    keep
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::sketch::{SEARCH, sketch};

    const FIRST: ClientSpan<'static> = ClientSpan::Id("0000000000000001");

    #[test]
    fn spans_come_in_the_trees_order_with_where_they_lie_and_what_was_their_own() {
        let mut trace = sketch(SEARCH);
        trace.spans[4..].reverse();
        let search = waterfall(&trace, FIRST).unwrap();
        let lines: Vec<_> = search
            .spans
            .iter()
            .map(|bar| {
                (bar.depth, bar.name.rsplit('/').next().unwrap(), bar.offset_ns / 1_000, bar.duration_ns / 1_000, bar.self_ns / 1_000)
            })
            .collect();
        assert_eq!(
            lines,
            [
                (0, "Search", 0, 1104, 462),
                (1, "Search", 278, 642, 56),
                (2, "Proxy-Search", 332, 586, 79),
                (3, "AllocTimestamp", 370, 312, 312),
                (3, "SearchTask", 701, 195, 10),
                (4, "Proxy-Search-PreExecute", 703, 56, 56),
                (4, "Proxy-Search-Execute", 763, 120, 119),
                (5, "Delegator-waitTSafe", 831, 1, 1),
                (4, "Proxy-Search-PostExecute", 885, 9, 9),
            ]
        );
        assert_eq!((search.total_ns, search.left_out, search.spans[1].service.as_str()), (1_104_000, 0, "standalone"));
        assert!(search.spans.iter().all(|bar| bar.critical));
    }

    #[test]
    fn what_ran_beside_the_critical_path_is_listed_and_marked() {
        let trace = sketch("c call 0 100 client\n s Insert 10 80 server\n  s one 20 30\n  s two 20 60\n   s SendMsg 95 20");
        let spans = waterfall(&trace, FIRST).unwrap().spans;
        let marks: Vec<_> = spans.iter().map(|bar| (bar.name.as_str(), bar.critical, bar.self_ns / 1_000)).collect();
        assert_eq!(marks, [("call", true, 20), ("Insert", true, 20), ("one", false, 0), ("two", true, 60), ("SendMsg", false, 0)]);
    }

    #[test]
    fn of_too_many_spans_those_with_the_most_own_time_stay_and_json_keeps_all() {
        let trace = sketch(SEARCH);
        let short = waterfall_within(&trace, FIRST, 3).unwrap();
        let names: Vec<_> = short.spans.iter().map(|bar| (bar.depth, bar.self_ns / 1_000)).collect();
        assert_eq!((names, short.left_out), (vec![(0, 462), (3, 312), (4, 119)], 6));
        let json = serde_json::to_string(&short).unwrap();
        assert!(json.contains("\"left_out\":6") && json.contains("\"offset_ns\":370000"), "{json}");
        assert_eq!(serde_json::from_str::<Waterfall>(&json).unwrap(), short);
    }

    #[test]
    fn what_was_waited_before_sending_stands_in_front_and_counts() {
        let bar = |name: &str, depth, offset_ns, self_ns| Bar { depth, name: name.into(), offset_ns, self_ns, ..Bar::default() };
        let picture = Waterfall { total_ns: 10, spans: vec![bar("Search", 0, 0, 4), bar("Wait", 1, 2, 6)], ..Waterfall::default() };
        let later = picture.clone().after_waiting(5);
        let bars: Vec<_> = later.spans.iter().map(|bar| (bar.name.as_str(), bar.offset_ns, bar.self_ns)).collect();
        assert_eq!(bars, [(WAITING_IN_THE_GENERATOR, 0, 5), ("Search", 5, 4), ("Wait", 7, 6)]);
        assert_eq!((later.total_ns, later.spans.iter().map(|bar| bar.self_ns).sum()), (15, 15_u64));
        assert_eq!(picture.clone().after_waiting(0), picture);
    }
}
