//! The critical path: which span was waited for at each instant.
//!
//! Walked from the end to the start, as Zhang et al. do ("CRISP: Critical Path Analysis of Large-Scale Microservice
//! Architectures", USENIX ATC '22): the child that ended last was waited for from its start on; before that the one that ended
//! last before its start; and so on. What lies between them is the parent's own time, unless a child was running there: then
//! that one was waited for, as far as anybody can see. So own time is always the interval less the union of the children's.

use crate::tail::tree::Tree;

/// Two children may overlap by less than this share of their parent and still follow each other: clocks are read one after the other. (CRISP's limit.)
const OVERLAP: i128 = 100;

/// What was waited for in one stretch of a span: a child, or nothing below.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stretch {
    from: i128,
    to: i128,
    child: Option<usize>,
}

/// Where the client span's time went, by node of its tree.
#[derive(Debug)]
pub(in crate::tail) struct Charged {
    /// How long each was waited for, and nothing below it.
    pub(in crate::tail) self_ns: Vec<u64>,
    /// Whether it was waited for at all.
    pub(in crate::tail) critical: Vec<bool>,
}

/// Goes down the tree, each span once, with the stretches of time in which it was waited for.
pub(in crate::tail) fn charge(tree: &Tree<'_>) -> Charged {
    let count = tree.nodes.len();
    let mut charged = Charged { self_ns: vec![0; count], critical: vec![false; count] };
    // From late to early, and apart from each other.
    let mut waited: Vec<Vec<(i128, i128)>> = vec![Vec::new(); count];
    waited[0].push((tree.nodes[0].from, tree.nodes[0].to));
    let mut walk = Walk::default();
    for at in 0..count {
        let stretches = std::mem::take(&mut waited[at]);
        charged.critical[at] = !stretches.is_empty();
        let mut own = 0;
        if !stretches.is_empty() {
            walk.over(tree, at);
        }
        let mut path = walk.path.iter().copied().peekable();
        for (from, to) in stretches {
            while let Some(stretch) = path.peek() {
                let (low, high) = (stretch.from.max(from), stretch.to.min(to));
                if low < high {
                    match stretch.child {
                        Some(child) => waited[child].push((low, high)),
                        None => own += high - low,
                    }
                }
                // The rest of it is for the next, earlier stretch of waiting.
                if stretch.from < from {
                    break;
                }
                path.next();
            }
        }
        charged.self_ns[at] = u64::try_from(own).expect("a part of the client span's length");
    }
    charged
}

/// The critical path through the children of one span. Holds its memory from span to span.
#[derive(Debug, Default)]
struct Walk {
    /// From the span's end to its start, without a gap.
    path: Vec<Stretch>,
    /// Children by their end, the last first.
    children: Vec<usize>,
    /// Those that run beside the ones that follow each other, in the same order.
    beside: Vec<usize>,
    /// Of those: how many ended after the moment that the walk has come to, and which of these may still run then.
    passed: usize,
    running: Vec<usize>,
}

impl Walk {
    fn over(&mut self, tree: &Tree<'_>, at: usize) {
        let node = &tree.nodes[at];
        self.path.clear();
        self.beside.clear();
        self.running.clear();
        self.passed = 0;
        self.children.clear();
        self.children.extend(node.children.iter().filter(|child| tree.nodes[**child].from < tree.nodes[**child].to));
        // Of those that ended together the longest was waited for.
        self.children.sort_by_key(|child| (std::cmp::Reverse(tree.nodes[*child].to), tree.nodes[*child].from, *child));
        let chain = self.chain(tree, node.to - node.from);
        let mut now = node.to;
        for stretch in chain {
            self.between(tree, stretch.to, now);
            self.path.push(stretch);
            now = stretch.from;
        }
        self.between(tree, node.from, now);
    }

    /// The children that were waited for one after the other, from the last; the others go into `beside`.
    fn chain(&mut self, tree: &Tree<'_>, length: i128) -> Vec<Stretch> {
        let mut chain: Vec<Stretch> = Vec::new();
        // The end of the child that the walk came by last.
        let mut later_end = i128::MAX;
        for child in &self.children {
            let (from, to) = (tree.nodes[*child].from, tree.nodes[*child].to);
            let later = chain.last().map_or(i128::MAX, |later| later.from);
            let overlaps_little = to < later_end && from < later && (to - later).saturating_mul(OVERLAP) < length;
            if to <= later || overlaps_little {
                chain.push(Stretch { from, to: to.min(later), child: Some(*child) });
                later_end = to;
            } else {
                self.beside.push(*child);
            }
        }
        chain
    }

    /// Fills the time from `from` to `to`, which nothing of the chain covers, with what ran beside it.
    fn between(&mut self, tree: &Tree<'_>, from: i128, to: i128) {
        let mut now = to;
        while now > from {
            while let Some(child) = self.beside.get(self.passed).filter(|child| tree.nodes[**child].to >= now) {
                self.running.push(*child);
                self.passed += 1;
            }
            while self.running.last().is_some_and(|child| tree.nodes[*child].from >= now) {
                self.running.pop();
            }
            // The last of them ended first after now: the nearest to having been waited for.
            let (child, low) = match self.running.last() {
                Some(child) => (Some(*child), tree.nodes[*child].from.max(from)),
                None => (None, self.beside.get(self.passed).map_or(from, |next| tree.nodes[*next].to.max(from))),
            };
            self.path.push(Stretch { from: low, to: now, child });
            now = low;
        }
    }
}
