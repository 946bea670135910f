//! What a request says about its trace.

use http::HeaderMap;

use crate::trace::{Ids, ParentContext, SpanId, TraceId, parse_traceparent};

/// The caller's place in its trace, where the server is to record its part: W3C `traceparent` decides by its flag; Milvus's own
/// request id (`client_request_id`, 32 hexadecimal digits) counts as sampled, as in Milvus 2.5, and has no caller's span.
/// Without either, `itself` decides.
pub(crate) fn sampled_caller(headers: &HeaderMap, ids: &mut Ids, itself: impl FnOnce() -> bool) -> Option<ParentContext> {
    if let Some(parent) = headers.get("traceparent").and_then(|value| parse_traceparent(value.as_bytes())) {
        return parent.sampled.then_some(parent);
    }
    let request_id = headers.get("client_request_id").or_else(|| headers.get("client-request-id"));
    let trace_id = request_id
        .and_then(|value| value.to_str().ok())
        .filter(|text| text.len() == 32)
        .and_then(|text| TraceId::from_hex(text).ok())
        .filter(|id| *id != TraceId::INVALID);
    let root = |trace_id| ParentContext { trace_id, span_id: SpanId::INVALID, sampled: true };
    match trace_id {
        Some(trace_id) => Some(root(trace_id)),
        None => itself().then(|| root(ids.trace_id())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(headers: &[(&'static str, &'static str)], itself: bool) -> Option<(String, bool)> {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
        let caller = sampled_caller(&headers, &mut Ids::seeded(1), || itself)?;
        Some((caller.trace_id.to_string(), caller.span_id != SpanId::INVALID))
    }

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

    #[test]
    fn the_callers_flag_decides_whatever_the_servers_own_fraction() {
        let flagged = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        let unflagged = ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00");
        assert_eq!(sampled(&[flagged], false), Some((TRACE.into(), true)));
        assert_eq!(sampled(&[unflagged], true), None);
    }

    #[test]
    fn a_request_id_is_a_trace_without_a_callers_span() {
        for name in ["client_request_id", "client-request-id"] {
            assert_eq!(sampled(&[(name, TRACE)], false), Some((TRACE.into(), false)));
        }
        for id in ["abc", "zzf7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"] {
            assert_eq!(sampled(&[("client_request_id", id)], false), None, "{id}");
        }
    }

    #[test]
    fn without_context_the_server_decides_itself() {
        assert_eq!(sampled(&[], false), None);
        assert!(sampled(&[], true).is_some_and(|(_, parent)| !parent));
        assert!(sampled(&[("traceparent", "garbage")], true).is_some());
    }
}
