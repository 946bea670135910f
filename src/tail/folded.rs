//! Folded stacks of critical-path time: what flame-graph tools read.
//!
//! One stack a line, its frames joined by `;`, then a space and whole µs: the weighted mean a request spent there and in nothing
//! below. The first frame is the client's service. [`FoldedBy::Diff`] has two such columns, the typical requests' and the
//! slow ones', as `difffolded.pl` of Brendan Gregg's `FlameGraph` writes them: `flamegraph.pl` draws the second as widths and what
//! it is above the first in red.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::str::FromStr;

use super::attribution::Part;

/// Which requests the stacks are of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FoldedBy {
    /// The slow ones.
    Tail,
    /// The typical ones.
    Typical,
    /// Both, in two columns: typical, then slow.
    Diff,
}

impl FoldedBy {
    /// What can be asked for.
    pub const NAMES: [&'static str; 3] = ["tail", "typical", "diff"];
}

/// A kind of folded stacks that there is not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no kind of folded stacks: take `tail`, `typical` or `diff`")]
pub struct UnknownFolded(String);

impl FromStr for FoldedBy {
    type Err = UnknownFolded;

    fn from_str(text: &str) -> Result<Self, UnknownFolded> {
        match text {
            "tail" => Ok(Self::Tail),
            "typical" => Ok(Self::Typical),
            "diff" => Ok(Self::Diff),
            _ => Err(UnknownFolded(text.to_owned())),
        }
    }
}

/// A request taken apart, and how many it stands for.
#[derive(Debug, Clone, Copy)]
pub struct Weighted<'a> {
    /// Where its time went.
    pub parts: &'a [Part],
    /// Its weight: above 0; others count for nothing.
    pub weight: f64,
}

/// The lines, sorted by stack; stacks under half a microsecond in all columns are left out.
#[must_use]
pub fn folded(by: FoldedBy, client: &str, tail: &[Weighted<'_>], typical: &[Weighted<'_>]) -> String {
    let empty = BTreeMap::new();
    let typical = if by == FoldedBy::Tail { empty.clone() } else { means(client, typical) };
    let tail = if by == FoldedBy::Typical { empty } else { means(client, tail) };
    let mut stacks: Vec<&String> = typical.keys().chain(tail.keys()).collect();
    stacks.sort_unstable();
    stacks.dedup();
    let mut lines = String::new();
    for stack in stacks {
        let us = |means: &BTreeMap<String, f64>| means.get(stack).map_or(0, |ns| (ns / 1_000.0).round() as u64);
        let (typical, tail) = (us(&typical), us(&tail));
        // Writing to a `String` has no way to fail.
        let _ = match by {
            _ if typical + tail == 0 => Ok(()),
            FoldedBy::Tail => writeln!(lines, "{stack} {tail}"),
            FoldedBy::Typical => writeln!(lines, "{stack} {typical}"),
            FoldedBy::Diff => writeln!(lines, "{stack} {typical} {tail}"),
        };
    }
    lines
}

/// Weighted mean of each stack's time in ns; where a trace has none of it, that is 0.
fn means(client: &str, traces: &[Weighted<'_>]) -> BTreeMap<String, f64> {
    let sound = |weighted: &&Weighted<'_>| weighted.weight.is_finite() && weighted.weight > 0.0;
    let weights: f64 = traces.iter().filter(sound).map(|weighted| weighted.weight).sum();
    let mut means = BTreeMap::new();
    for weighted in traces.iter().filter(sound) {
        for part in weighted.parts {
            let frames = part.place.path.split(" > ").map(frame);
            let stack = std::iter::once(frame(client)).chain(frames).collect::<Vec<_>>().join(";");
            *means.entry(stack).or_insert(0.0) += weighted.weight / weights * part.self_ns as f64;
        }
    }
    means
}

/// A name without what would end its frame or its line.
fn frame(name: &str) -> String {
    name.chars().map(|c| if c == ';' || c.is_control() { '_' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::sketch::{SEARCH, sketch};
    use crate::tail::traces::Trace;
    use crate::tail::{Attribution, ClientSpan, Places, attribute};

    fn attributed(trace: &Trace) -> Attribution {
        attribute(trace, ClientSpan::Id("0000000000000001"), &mut Places::default()).unwrap()
    }

    #[test]
    fn stacks_hold_the_critical_path_in_microseconds() {
        let attribution = attributed(&sketch(SEARCH));
        let tail = [Weighted { parts: &attribution.parts, weight: 100.0 }];
        let search = "milvus.proto.milvus.MilvusService/Search";
        let task = format!("milvus-client;{search};Proxy-Search;SearchTask");
        let expected = format!(
            "milvus-client;{search} 56\n\
             milvus-client;{search};Proxy-Search 79\n\
             {task} 10\n\
             {task};Proxy-Search-Execute 119\n\
             {task};Proxy-Search-Execute;Delegator-waitTSafe 1\n\
             {task};Proxy-Search-PostExecute 9\n\
             {task};Proxy-Search-PreExecute 56\n\
             milvus-client;{search};Proxy-Search;milvus.proto.rootcoord.RootCoord/AllocTimestamp 312\n\
             milvus-client;network and client 462\n"
        );
        assert_eq!(folded(FoldedBy::Tail, "milvus-client", &tail, &[]), expected);
        assert_eq!(folded(FoldedBy::Typical, "milvus-client", &[], &tail), expected);
        let total: u64 = expected.lines().map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum();
        assert_eq!(total, 1_104, "all of the client span");
    }

    #[test]
    fn the_difference_has_the_typical_column_first_and_zeros_where_a_side_has_nothing() {
        let (slow, fast) = (
            attributed(&sketch("c call 0 100 client\n s Search 10 80 server\n  s wait;x 20 50")),
            attributed(&sketch("c call 0 40 client\n s Search 10 20 server")),
        );
        let tail = [Weighted { parts: &slow.parts, weight: 1.0 }];
        let typical = [Weighted { parts: &fast.parts, weight: 1.0 }];
        assert_eq!(folded(FoldedBy::Diff, "c", &tail, &typical), "c;Search 20 30\nc;Search;wait_x 0 50\nc;network and client 20 20\n");
    }

    #[test]
    fn means_are_weighted_over_all_traces_of_a_side() {
        let (with, without) =
            (attributed(&sketch("c call 0 100 client\n s Search 0 100 server")), attributed(&sketch("c call 0 100 client")));
        let tail = [
            Weighted { parts: &with.parts, weight: 30.0 },
            Weighted { parts: &without.parts, weight: 10.0 },
            Weighted { parts: &without.parts, weight: f64::NAN },
            Weighted { parts: &without.parts, weight: 0.0 },
        ];
        assert_eq!(folded(FoldedBy::Tail, "c", &tail, &[]), "c;Search 75\nc;call 25\n");
        assert_eq!(folded(FoldedBy::Diff, "c", &[], &[]), "");
    }

    #[test]
    fn kinds_are_known_by_name() {
        let kinds = FoldedBy::NAMES.map(|name| name.parse::<FoldedBy>().unwrap());
        assert_eq!(kinds, [FoldedBy::Tail, FoldedBy::Typical, FoldedBy::Diff]);
        assert_eq!(
            "p99".parse::<FoldedBy>().unwrap_err().to_string(),
            "`p99` is no kind of folded stacks: take `tail`, `typical` or `diff`"
        );
    }
}
