//! What a trace taken apart is: parts that add up.

use std::sync::Arc;

/// The span name of what lies between the client's span and the server's: network, queues in front of the server, the client itself.
pub const NETWORK_AND_CLIENT: &str = "network and client";

/// The span name of the time between intended start and sent.
pub const WAITING_IN_THE_GENERATOR: &str = "waiting in the generator";

/// The span name of the whole time of a request that was given up and has no span of the server, where other requests have them: it did
/// not get there, or no span of it had ended. Neither the network's nor the server's, for all that is known.
pub const GIVEN_UP_UNSEEN: &str = "given up without a server's span";

/// A place where time can be spent: one row of an explanation.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Place {
    /// The service that made the span; of the client's own parts the client's.
    pub service: String,
    /// The span's name.
    pub span: String,
    /// The names from the server's first span down to it, joined by ` > `; of the client's own spans from the first below the
    /// client span, whose own part goes by its name alone. Of a path that is too deep the middle is `…`.
    pub path: String,
}

/// Time spent in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Where; shared between the traces that are read together.
    pub place: Arc<Place>,
    /// How long the request waited for it and for nothing below it, ns: its self time on the critical path.
    pub self_ns: u64,
}

/// One trace taken apart, from the client span's start to its end.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Attribution {
    /// Each place once. They add up to `total_ns`.
    pub parts: Vec<Part>,
    /// The client span's length.
    pub total_ns: u64,
    /// Whether any span of another service than the client's lies below it.
    pub joined: bool,
    /// What was odd about the trace, and mended.
    pub oddities: Oddities,
}

/// How many spans, or traces where it says so, were odd in which way. All are handled; none is passed over in silence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(default)]
pub struct Oddities {
    /// Spans without a parent beside the client's span.
    pub several_roots: u64,
    /// Spans whose parent is not in the trace, or whose parents lead in a circle.
    pub missing_parents: u64,
    /// Spans that start before their parent does; the part outside is left out.
    pub early_children: u64,
    /// Spans that end after their parent did; the part outside is left out.
    pub late_children: u64,
    /// Spans that start after their parent ended: asynchronous work, nobody waited for it.
    pub asynchronous: u64,
    /// Servers' subtrees moved into their caller's span, for the clocks differ.
    pub skewed: u64,
    /// Spans that hang beside the one that ran them, and were taken into it.
    pub misplaced: u64,
    /// Spans that come twice.
    pub repeated: u64,
    /// Traces without the client's span, or without any server span where others have them.
    pub cut: u64,
}

impl std::ops::AddAssign for Oddities {
    fn add_assign(&mut self, other: Self) {
        // By fields, so that a new one cannot be forgotten.
        let Self { several_roots, missing_parents, early_children, late_children, asynchronous, skewed, misplaced, repeated, cut } = other;
        self.several_roots += several_roots;
        self.missing_parents += missing_parents;
        self.early_children += early_children;
        self.late_children += late_children;
        self.asynchronous += asynchronous;
        self.skewed += skewed;
        self.misplaced += misplaced;
        self.repeated += repeated;
        self.cut += cut;
    }
}
