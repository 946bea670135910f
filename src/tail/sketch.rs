//! Traces for tests, drawn as text: one span a line, indented below its parent.

use crate::tail::traces::{Span, SpanKind, Trace};

/// Reads lines of `service name start duration kind`, in µs; the kind may be left out. Ids count from 1 in the order of lines.
pub(crate) fn sketch(text: &str) -> Trace {
    let mut above: Vec<(usize, String)> = Vec::new();
    let mut spans = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let indent = line.len() - line.trim_start().len();
        above.retain(|(other, _)| *other < indent);
        let words: Vec<&str> = line.split_whitespace().collect();
        let id = format!("{:016x}", spans.len() + 1);
        let kind = match words.get(4).copied() {
            Some("client") => SpanKind::Client,
            Some("server") => SpanKind::Server,
            Some("internal") => SpanKind::Internal,
            None => SpanKind::Unspecified,
            Some(other) => panic!("{other} is no kind"),
        };
        spans.push(Span {
            id: id.clone(),
            parent: above.last().map(|(_, id)| id.clone()),
            service: words[0].to_owned(),
            name: words[1].to_owned(),
            kind,
            start_ns: 1_700_000_000_000_000_000_u64.checked_add_signed(words[2].parse::<i64>().unwrap() * 1_000).unwrap(),
            duration_ns: words[3].parse::<u64>().unwrap() * 1_000,
            ..Span::default()
        });
        above.push((indent, id));
    }
    Trace { id: format!("{:032x}", 1), spans }
}

/// One search of a real Milvus 2.3.5, as Jaeger shows it.
pub(crate) const SEARCH: &str = "
milvus-client /milvus.proto.milvus.MilvusService/Search 0 1104 client
 standalone milvus.proto.milvus.MilvusService/Search 278 642 server
  standalone Proxy-Search 332 586 internal
   standalone milvus.proto.rootcoord.RootCoord/AllocTimestamp 370 312 internal
   standalone SearchTask 701 195 internal
    standalone Proxy-Search-PreExecute 703 56 internal
    standalone Proxy-Search-Execute 763 120 internal
     standalone Delegator-waitTSafe 831 1 internal
    standalone Proxy-Search-PostExecute 885 9 internal
";
