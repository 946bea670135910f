//! From a trace to the places where its time went.
//!
//! ```
//! use tailtrace::tail::{ClientSpan, Places, attribute};
//! use tailtrace::tail::traces::{Span, Trace};
//! let span = |id: &str, parent: Option<&str>, service: &str, name: &str, start_ns, duration_ns| Span {
//!     id: id.into(), parent: parent.map(Into::into), service: service.into(), name: name.into(), start_ns, duration_ns,
//!     ..Span::default()
//! };
//! let trace = Trace { id: "1f".into(), spans: vec![
//!     span("a", None, "tailtrace", "Search", 0, 1_000),
//!     span("b", Some("a"), "standalone", "Proxy-Search", 300, 600),
//! ] };
//! let mut places = Places::default();
//! let attribution = attribute(&trace, ClientSpan::Id("a"), &mut places).unwrap();
//! let parts: Vec<_> = attribution.parts.iter().map(|part| (part.place.span.as_str(), part.self_ns)).collect();
//! assert_eq!(parts, [("network and client", 400), ("Proxy-Search", 600)]);
//! ```

mod critical;
mod places;

use super::attribution::{Attribution, NETWORK_AND_CLIENT, Part};
use super::traces::Trace;
use super::tree::{ClientSpan, Cut, Tree};

pub(super) use critical::charge;
pub use places::Places;
use places::{Frame, PlaceId};

/// Charges every instant of the client span to the one place that the client was waiting for: the parts add up to the span's
/// length exactly, whatever the trace is like.
///
/// Where spans run beside each other, the one that ended last was waited for (the critical path); a span's own time is what no
/// span below it covers. Time in spans of one name, service and path is one part. Parts come in the order of the tree.
pub fn attribute(trace: &Trace, client: ClientSpan<'_>, places: &mut Places) -> Result<Attribution, Cut> {
    let tree = Tree::build(trace, client)?;
    let charged = charge(&tree);
    let callers = tree.callers();
    let own_service = &tree.nodes[0].span.service;
    // What the paths of a span's children begin with.
    let mut below: Vec<Frame> = Vec::with_capacity(tree.nodes.len());
    let mut times: Vec<(PlaceId, u64)> = Vec::new();
    for (at, node) in tree.nodes.iter().enumerate() {
        let waited_for = charged.critical[at];
        let on_the_way = callers[at];
        // A service that was called begins a path of its own.
        let enters = at == 0 || (tree.nodes[node.parent].of_client && !node.of_client);
        let above = if enters { Frame::TOP } else { below[node.parent] };
        let frame = if waited_for && !on_the_way { places.frame(above, &node.span.name) } else { above };
        below.push(if at == 0 || on_the_way { Frame::TOP } else { frame });
        if charged.self_ns[at] > 0 {
            let place =
                if on_the_way { places.of_client(own_service, NETWORK_AND_CLIENT) } else { places.place(frame, &node.span.service) };
            times.push((place, charged.self_ns[at]));
        }
    }
    let mut parts: Vec<(PlaceId, u64)> = Vec::with_capacity(times.len());
    let mut known = std::collections::HashMap::with_capacity(times.len());
    for (place, ns) in times {
        let at = *known.entry(place).or_insert_with(|| {
            parts.push((place, 0));
            parts.len() - 1
        });
        parts[at].1 += ns;
    }
    let parts = parts.into_iter().map(|(place, self_ns)| Part { place: places.get(place), self_ns }).collect();
    Ok(Attribution { parts, total_ns: tree.total_ns(), joined: tree.joined(), oddities: tree.oddities })
}

#[cfg(test)]
mod tests;
