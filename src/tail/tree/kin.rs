//! Who is whose child in a trace, before any time is looked at.

use std::collections::HashMap;

use crate::tail::attribution::Oddities;
use crate::tail::catalogue;
use crate::tail::traces::{Span, SpanKind, Trace};

use super::{ClientSpan, Cut};

/// So many spans of a trace at most are looked at for spans that they ran and that hang elsewhere.
const MOST_HOSTS: usize = 100;

/// A span's parent, as far as it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Parent {
    /// It has none.
    Root,
    /// It has one that is not in the trace.
    Missing,
    At(usize),
    /// It comes twice; this one counts for nothing.
    Dropped,
}

/// Where climbing from a span ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Top {
    Unknown,
    /// The climb is under way.
    Climbing,
    Found(usize),
    /// Nowhere: parents lead in a circle.
    Circle,
}

/// The relations of a trace's spans, by their place in it.
pub(super) struct Kin {
    /// The client span.
    pub(super) client: usize,
    /// Each span's children; the client span is nobody's.
    pub(super) children: Vec<Vec<usize>>,
    /// Uppermost spans whose parent is missing, and that have nothing to do with the client's own parents; the longest first, so
    /// that it is there when those inside it look for a place.
    pub(super) lost: Vec<usize>,
    /// What was odd about the relations.
    pub(super) oddities: Oddities,
}

impl Kin {
    pub(super) fn of(trace: &Trace, client: ClientSpan<'_>) -> Result<Self, Cut> {
        let client = client.find(trace).ok_or(Cut::NoClientSpan)?;
        let mut oddities = Oddities::default();
        let parents = parents(trace, client, &mut oddities);
        let mut children = vec![Vec::new(); parents.len()];
        for (at, parent) in parents.iter().enumerate() {
            if let Parent::At(parent) = parent
                && at != client
            {
                children[*parent].push(at);
            }
        }
        let tops = tops(&parents);
        take_in_misplaced(trace, client, &parents, &mut children, &mut oddities);
        let own_top = tops[client];
        let mut lost = Vec::new();
        for (at, parent) in parents.iter().enumerate() {
            let is_own = own_top == Top::Found(at);
            match parent {
                Parent::Root if !is_own => oddities.several_roots += 1,
                Parent::Missing if !is_own => {
                    oddities.missing_parents += 1;
                    lost.push(at);
                }
                _ if tops[at] == Top::Circle && at != client && own_top != Top::Circle => oddities.missing_parents += 1,
                _ => {}
            }
        }
        lost.sort_by_key(|at| std::cmp::Reverse(trace.spans[*at].duration_ns));
        Ok(Self { client, children, lost, oddities })
    }
}

fn parents(trace: &Trace, client: usize, oddities: &mut Oddities) -> Vec<Parent> {
    let mut by_id: HashMap<&str, usize> = HashMap::with_capacity(trace.spans.len());
    by_id.insert(&trace.spans[client].id, client);
    for (at, span) in trace.spans.iter().enumerate() {
        let known = *by_id.entry(&span.id).or_insert(at);
        if known != client && span.kind == SpanKind::Client && trace.spans[known].kind != SpanKind::Client {
            by_id.insert(&span.id, at);
        }
    }
    let parent = |at: usize, oddities: &mut Oddities| {
        let span = &trace.spans[at];
        let first = by_id[span.id.as_str()];
        if first != at {
            // A server's span that shares the id of its client's (B3 headers do so) is its child. Any other is a repetition.
            let shares = trace.spans[first].service != span.service && trace.spans[first].kind == SpanKind::Client;
            oddities.repeated += u64::from(!shares);
            return if shares { Parent::At(first) } else { Parent::Dropped };
        }
        match span.parent.as_deref() {
            None => Parent::Root,
            Some(id) => by_id.get(id).map_or(Parent::Missing, |at| Parent::At(*at)),
        }
    };
    (0..trace.spans.len()).map(|at| parent(at, oddities)).collect()
}

/// Hangs spans below the one that ran them where their maker hung them elsewhere: those of the same service that hang below a
/// span above a host ([`catalogue::runs_what_hangs_elsewhere`]), and lie wholly inside of it.
fn take_in_misplaced(trace: &Trace, client: usize, parents: &[Parent], children: &mut [Vec<usize>], oddities: &mut Oddities) {
    let is_host = |at: &usize| *at != client && catalogue::runs_what_hangs_elsewhere(&trace.spans[*at].name);
    let mut hosts: Vec<usize> = (0..trace.spans.len()).filter(is_host).take(MOST_HOSTS).collect();
    // The shortest first: what lies inside of two, one of which lies inside of the other, was run by the inner one.
    hosts.sort_by_key(|at| trace.spans[*at].duration_ns);
    for host in hosts {
        let span = &trace.spans[host];
        // From the host up to the client span, as recorded; no further than there are spans, for parents may lead in a circle.
        let mut path = vec![host];
        while let Some(Parent::At(above)) = path.last().map(|at| parents[*at])
            && above != client
            && trace.spans[above].service == span.service
            && path.len() <= MOST_HOSTS
        {
            path.push(above);
        }
        for above in path[1..].iter().copied() {
            let ran = |at: &usize| !path.contains(at) && trace.spans[*at].service == span.service && lies_inside(&trace.spans[*at], span);
            let taken: Vec<usize> = children[above].extract_if(.., |at| ran(at)).collect();
            oddities.misplaced += taken.len() as u64;
            children[host].extend(taken);
        }
    }
}

fn lies_inside(inner: &Span, outer: &Span) -> bool {
    let end = |span: &Span| span.start_ns.saturating_add(span.duration_ns);
    inner.start_ns >= outer.start_ns && end(inner) <= end(outer) && inner.duration_ns < outer.duration_ns
}

/// The uppermost span above each, found by climbing over each span once.
fn tops(parents: &[Parent]) -> Vec<Top> {
    let mut tops = vec![Top::Unknown; parents.len()];
    let mut climbed = Vec::new();
    for at in 0..parents.len() {
        let mut next = at;
        let top = loop {
            match tops[next] {
                Top::Unknown => {}
                Top::Climbing => break Top::Circle,
                known => break known,
            }
            tops[next] = Top::Climbing;
            climbed.push(next);
            match parents[next] {
                Parent::At(parent) => next = parent,
                Parent::Root | Parent::Missing | Parent::Dropped => break Top::Found(next),
            }
        };
        for at in climbed.drain(..) {
            tops[at] = top;
        }
    }
    tops
}
