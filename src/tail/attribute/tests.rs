use proptest::prelude::*;

use super::*;
use crate::tail::Oddities;
use crate::tail::sketch::{SEARCH, sketch};
use crate::tail::traces::{Span, SpanKind};

const FIRST: ClientSpan<'static> = ClientSpan::Id("0000000000000001");

fn attributed(trace: &Trace, client: ClientSpan<'_>) -> Attribution {
    let attribution = attribute(trace, client, &mut Places::default()).unwrap();
    assert_eq!(attribution.parts.iter().map(|part| part.self_ns).sum::<u64>(), attribution.total_ns, "parts add up");
    attribution
}

/// Path and µs of each part.
fn parts(text: &str) -> Vec<(String, u64)> {
    let attribution = attributed(&sketch(text), FIRST);
    attribution.parts.iter().map(|part| (part.place.path.clone(), part.self_ns / 1_000)).collect()
}

fn oddities(text: &str) -> Oddities {
    attributed(&sketch(text), FIRST).oddities
}

fn named(parts: &[(String, u64)]) -> Vec<(&str, u64)> {
    parts.iter().map(|(path, us)| (path.as_str(), *us)).collect()
}

#[test]
fn a_search_of_a_real_milvus_is_taken_apart_to_the_microsecond() {
    let attribution = attributed(&sketch(SEARCH), ClientSpan::Named { service: "milvus-client", operation: Some("Search") });
    let search = "milvus.proto.milvus.MilvusService/Search";
    let task = format!("{search} > Proxy-Search > SearchTask");
    let expected = [
        ("milvus-client", NETWORK_AND_CLIENT, NETWORK_AND_CLIENT.to_owned(), 462),
        ("standalone", search, search.to_owned(), 56),
        ("standalone", "Proxy-Search", format!("{search} > Proxy-Search"), 79),
        (
            "standalone",
            "milvus.proto.rootcoord.RootCoord/AllocTimestamp",
            format!("{search} > Proxy-Search > milvus.proto.rootcoord.RootCoord/AllocTimestamp"),
            312,
        ),
        ("standalone", "SearchTask", task.clone(), 10),
        ("standalone", "Proxy-Search-PreExecute", format!("{task} > Proxy-Search-PreExecute"), 56),
        ("standalone", "Proxy-Search-Execute", format!("{task} > Proxy-Search-Execute"), 119),
        ("standalone", "Proxy-Search-PostExecute", format!("{task} > Proxy-Search-PostExecute"), 9),
        ("standalone", "Delegator-waitTSafe", format!("{task} > Proxy-Search-Execute > Delegator-waitTSafe"), 1),
    ];
    let found: Vec<_> = attribution
        .parts
        .iter()
        .map(|part| (part.place.service.as_str(), part.place.span.as_str(), part.place.path.clone(), part.self_ns / 1_000))
        .collect();
    assert_eq!(found, expected);
    assert_eq!((attribution.total_ns, attribution.joined, attribution.oddities), (1_104_000, true, Oddities::default()));
}

#[test]
fn a_third_service_below_the_server_has_its_own_service_and_the_servers_path() {
    let attribution = attributed(
        &sketch("c call 0 100 client\n s Search 10 80 server\n  s Execute 20 60 internal\n   segcore SegCoreSearch 30 40 internal"),
        FIRST,
    );
    let last = attribution.parts.last().unwrap();
    assert_eq!(
        (last.place.service.as_str(), last.place.path.as_str(), last.self_ns),
        ("segcore", "Search > Execute > SegCoreSearch", 40_000)
    );
}

#[test]
fn work_that_starts_after_its_parent_ended_is_not_charged() {
    let insert = "c call 0 1000 client\n s Insert 100 800 server\n  s Execute 200 300 internal\n   s SendMsg 510 900 internal\n    s Deep 520 10 internal";
    assert_eq!(named(&parts(insert)), [(NETWORK_AND_CLIENT, 200), ("Insert", 500), ("Insert > Execute", 300)]);
    assert_eq!(oddities(insert), Oddities { asynchronous: 1, ..Oddities::default() });
}

/// A search of a real Milvus 2.3.5 that returns a field which the index does not hold; lengths shortened.
const REQUERY: &str = "
node Search 0 1340 client
 standalone Search 5 1320 server
  standalone Proxy-Search 6 1318 internal
   standalone AllocTimestamp 7 2 internal
   standalone SearchTask 10 1312 internal
    standalone Proxy-Search-Execute 12 88 internal
    standalone Proxy-Search-PostExecute 101 1220 internal
   standalone Proxy-Query 102 1218 internal
   standalone AllocTimestamp 103 1 internal
   standalone RetrieveTask 105 1214 internal
    standalone Delegator-waitTSafe 106 1200 internal
";

#[test]
fn what_milvus_hangs_beside_the_span_that_ran_it_is_charged_where_it_ran() {
    let query = "Search > Proxy-Search > SearchTask > Proxy-Search-PostExecute > Proxy-Query";
    let found = parts(REQUERY);
    let of = |path: &str| found.iter().find(|(other, _)| other == path).unwrap_or_else(|| panic!("{path} in {found:?}")).1;
    assert_eq!(of(&format!("{query} > RetrieveTask > Delegator-waitTSafe")), 1_200);
    assert_eq!(of("Search > Proxy-Search > SearchTask > Proxy-Search-PostExecute"), 2);
    assert_eq!(of(&format!("{query} > AllocTimestamp")), 1, "the first one stays where it is");
    assert_eq!(oddities(REQUERY), Oddities { misplaced: 3, ..Oddities::default() });
}

#[test]
fn only_spans_of_which_it_is_known_take_in_what_lies_inside_of_them_and_only_what_does_wholly() {
    let unknown = REQUERY.replace("Proxy-Search-PostExecute", "Collect").replace("Proxy-Query", "Query");
    assert_eq!(oddities(&unknown), Oddities::default());
    // From 1 µs before to the end: it can have been run by anybody.
    let reaches_out = REQUERY.replace("Proxy-Query 102 1218", "Proxy-Query 100 1221");
    assert_eq!(oddities(&reaches_out).misplaced, 2, "the other two lie inside of both");
    let of_another = REQUERY.replace("standalone Proxy-Query", "querynode Proxy-Query");
    assert_eq!(oddities(&of_another).misplaced, 2);
}

#[test]
fn of_parallel_children_the_one_that_ended_last_was_waited_for() {
    let fan_out = "c call 0 100 client\n s Search 0 100 server\n  s shard-a 10 50\n  s shard-b 10 80\n  s shard-c 12 20";
    assert_eq!(named(&parts(fan_out)), [("Search", 20), ("Search > shard-b", 80)]);
    // Before it began, what ended last before that; a span that ran beside all of them was not waited for.
    let stages = "c call 0 100 client\n s Search 0 100 server\n  s beside 5 94\n  s one 0 30\n  s two 30 30\n  s three 60 40";
    assert_eq!(named(&parts(stages)), [("Search > one", 30), ("Search > two", 30), ("Search > three", 40)]);
}

#[test]
fn own_time_is_what_no_child_covers_even_where_children_overlap() {
    let overlapping = "c call 0 100 client\n s Search 0 100 server\n  s first 10 50\n  s second 50 40";
    assert_eq!(named(&parts(overlapping)), [("Search", 20), ("Search > first", 40), ("Search > second", 40)]);
    // The gap between two that follow each other is covered by one that ran beside them.
    let covered = "c call 0 100 client\n s Search 0 100 server\n  s beside 20 60\n  s one 0 30\n  s two 40 60";
    assert_eq!(named(&parts(covered)), [("Search > beside", 10), ("Search > one", 30), ("Search > two", 60)]);
}

#[test]
fn children_that_overlap_by_less_than_a_hundredth_follow_each_other() {
    // Ended 9 after the next began, of 1,000: it is `one` that was waited for, not what ran beside both.
    let close = "c call 0 1000 client\n s Search 0 1000 server\n  s beside 0 999\n  s one 0 509\n  s two 500 500";
    assert_eq!(named(&parts(close)), [("Search > one", 500), ("Search > two", 500)]);
    let apart = close.replace("509", "511");
    assert_eq!(named(&parts(&apart))[0], ("Search > one", 500), "the nearest to having ended before");
    let apart = apart.replace("one 0 511", "one 200 311");
    assert_eq!(named(&parts(&apart)), [("Search > beside", 200), ("Search > one", 300), ("Search > two", 500)]);
}

#[test]
fn children_that_reach_over_their_parents_ends_are_cut_and_counted() {
    let text = "c call 0 100 client\n s Search 10 80 server\n  s early 5 25 internal\n   s inner 4 10 internal\n  s late 60 50 internal\n  s before 0 8 internal";
    assert_eq!(
        named(&parts(text)),
        [(NETWORK_AND_CLIENT, 20), ("Search", 30), ("Search > early", 16), ("Search > late", 30), ("Search > early > inner", 4)]
    );
    assert_eq!(oddities(text), Oddities { early_children: 2, late_children: 1, ..Oddities::default() }, "`inner` by 1 µs only: rounding");
}

#[test]
fn a_server_whose_clock_is_off_is_moved_into_its_callers_span_as_a_whole() {
    for offset in [-5_000_000_i64, -400, 700, 5_000_000] {
        let mut trace = sketch(SEARCH);
        for span in trace.spans.iter_mut().filter(|span| span.service == "standalone") {
            span.start_ns = span.start_ns.saturating_add_signed(offset * 1_000);
        }
        let mut moved = attributed(&trace, FIRST);
        let straight = attributed(&sketch(SEARCH), FIRST);
        assert_eq!(moved.oddities, Oddities { skewed: 1, ..Oddities::default() });
        moved.oddities = Oddities::default();
        assert_eq!(moved, straight, "lengths are trusted, so nothing else changes at {offset} µs");
    }
}

#[test]
fn only_a_called_service_is_moved_and_only_where_it_fits() {
    // Longer than its caller's span: no offset explains it. Cut, not moved.
    let longer = "c call 0 100 client\n s Search -20 140 server";
    assert_eq!((named(&parts(longer)), oddities(longer).skewed), (vec![("Search", 100)], 0));
    // Same process, other library: late, not skewed.
    let library = "c call 0 100 client\n s Search 10 50 server\n  segcore Seg 50 30 internal";
    assert_eq!(oddities(library), Oddities { late_children: 1, ..Oddities::default() });
    // A server behind a server on a third clock: moved into the client span of its caller.
    let behind =
        "c call 0 100 client\n p Search 1010 80 server\n  p rpc 1020 60 client\n   q Query 20 40 server\n    q scan 30 20 internal";
    assert_eq!(
        named(&parts(behind)),
        [(NETWORK_AND_CLIENT, 20), ("Search", 20), ("Search > rpc", 20), ("Search > rpc > Query", 20), ("Search > rpc > Query > scan", 20)]
    );
    assert_eq!(oddities(behind).skewed, 1, "q's clock is the client's: it is right where it stands, once its caller is");
}

#[test]
fn a_span_whose_parent_is_lost_hangs_below_the_innermost_span_of_its_service_that_holds_it() {
    let mut trace = sketch(SEARCH);
    trace.spans.retain(|span| span.name != "SearchTask");
    let attribution = attributed(&trace, FIRST);
    assert_eq!(attribution.oddities, Oddities { missing_parents: 3, ..Oddities::default() });
    let us = |path: &str| attribution.parts.iter().find(|part| part.place.path.ends_with(path)).map(|part| part.self_ns / 1_000);
    assert_eq!(
        (us("> Proxy-Search > Proxy-Search-Execute"), us("> Proxy-Search")),
        (Some(119), Some(89)),
        "what was its own is its parent's"
    );
    // Without the server's first span the next one is the first.
    let mut trace = sketch(SEARCH);
    trace.spans.retain(|span| span.kind != SpanKind::Server);
    let attribution = attributed(&trace, FIRST);
    assert_eq!((attribution.parts[0].self_ns, attribution.parts[1].place.path.as_str()), (518_000, "Proxy-Search"));
    assert!(attribution.joined);
    // Outside of the client's interval it is somebody else's.
    let mut elsewhere = sketch("c call 0 100 client\n s Search 10 80 server");
    elsewhere.spans.push(Span { id: "f".repeat(16), parent: Some("e".repeat(16)), start_ns: 5, ..elsewhere.spans[1].clone() });
    let attribution = attributed(&elsewhere, FIRST);
    assert_eq!((attribution.parts.len(), attribution.oddities), (2, Oddities { missing_parents: 1, ..Oddities::default() }));
}

#[test]
fn other_roots_repeated_spans_and_circles_are_counted_and_left_out() {
    let mut trace = sketch("c call 0 100 client\n s Search 10 80 server\ns stray 20 10 server\n s below 21 5");
    trace.spans.push(Span { start_ns: trace.spans[1].start_ns + 1, ..trace.spans[1].clone() });
    let circle = |id: &str, parent: &str| Span { id: id.repeat(16), parent: Some(parent.repeat(16)), ..trace.spans[1].clone() };
    let round = [circle("a", "b"), circle("b", "a"), circle("c", "c")];
    trace.spans.extend(round);
    let attribution = attributed(&trace, FIRST);
    assert_eq!(attribution.parts.iter().map(|part| part.self_ns / 1_000).collect::<Vec<_>>(), [20, 80]);
    assert_eq!(attribution.oddities, Oddities { several_roots: 1, repeated: 1, missing_parents: 3, ..Oddities::default() });
    // A circle through the client span itself.
    trace.spans[0].parent = Some(trace.spans[1].id.clone());
    assert_eq!(attributed(&trace, FIRST).parts, attribution.parts);
}

#[test]
fn a_servers_span_that_shares_its_clients_id_is_its_child() {
    let mut trace = sketch("c call 0 100 client\n s Search 10 80 server\n  s inner 20 40 internal");
    trace.spans[1].id = trace.spans[0].id.clone();
    trace.spans[1].parent = None;
    trace.spans.swap(0, 1);
    for span in &mut trace.spans[2..] {
        span.parent = Some("0000000000000001".to_owned());
    }
    let attribution = attributed(&trace, FIRST);
    assert_eq!((attribution.total_ns, attribution.joined, attribution.oddities), (100_000, true, Oddities::default()));
}

#[test]
fn a_trace_without_server_spans_says_so_and_blames_nothing_on_the_network() {
    let attribution = attributed(&sketch("c call 0 100 client"), FIRST);
    assert_eq!((attribution.joined, attribution.parts[0].place.span.as_str(), attribution.parts.len()), (false, "call", 1));
    let empty = attributed(&sketch("c call 0 0 client\n s Search 0 0 server"), FIRST);
    assert_eq!((empty.parts.len(), empty.total_ns, empty.joined), (0, 0, true));
    let cut = attribute(&sketch(SEARCH), ClientSpan::Id("00000000000000ff"), &mut Places::default());
    assert_eq!(cut, Err(Cut::NoClientSpan));
    let cut = attribute(&sketch(SEARCH), ClientSpan::Named { service: "other", operation: None }, &mut Places::default());
    assert_eq!(cut.unwrap_err().to_string(), "the trace has no such client span");
}

#[test]
fn spans_of_the_clients_own_have_rows_and_only_the_calling_one_is_the_network() {
    let around = "c rag-query 0 1000 internal\n c embed 10 200 internal\n c grpc 300 600 client\n  c encode 310 20 internal\n  s Search 400 400 server\n   s inner 500 100";
    assert_eq!(
        named(&parts(around)),
        [("rag-query", 200), ("embed", 200), (NETWORK_AND_CLIENT, 180), ("encode", 20), ("Search", 300), ("Search > inner", 100)]
    );
    // The server's own view: nothing of it is the network.
    let server = "s Search 0 100 server\n s Execute 10 50 internal\n  segcore Seg 20 30 internal";
    let trace = sketch(server);
    let attribution = attributed(&trace, ClientSpan::Named { service: "s", operation: None });
    let paths: Vec<&str> = attribution.parts.iter().map(|part| part.place.path.as_str()).collect();
    assert_eq!((paths[0], attribution.parts.len()), ("Search", 3));
    assert!(!paths.contains(&NETWORK_AND_CLIENT), "{paths:?}");
}

#[test]
fn spans_of_one_place_are_one_part() {
    let twice = "c call 0 100 client\n s Search 10 80 server\n  s seek 20 10\n  s seek 40 15";
    assert_eq!(named(&parts(twice)), [(NETWORK_AND_CLIENT, 20), ("Search", 55), ("Search > seek", 25)]);
}

#[test]
fn a_chain_of_ten_thousand_spans_is_taken_apart_like_any_other() {
    let mut trace = sketch("c call 0 100000 client");
    let start = trace.spans[0].start_ns;
    for depth in 1..10_000_u64 {
        trace.spans.push(Span {
            id: format!("{:016x}", depth + 1),
            parent: Some(format!("{depth:016x}")),
            service: "s".to_owned(),
            name: format!("level {depth}"),
            start_ns: start + depth,
            duration_ns: 100_000_000 - 2 * depth,
            ..Span::default()
        });
    }
    trace.spans.reverse();
    let attribution = attributed(&trace, FIRST);
    assert_eq!(attribution.parts.len(), 10_000);
    assert_eq!(attribution.parts[1].self_ns, 2);
}

#[test]
fn many_traces_share_their_places() {
    let (trace, mut places) = (sketch(SEARCH), Places::default());
    let first = attribute(&trace, FIRST, &mut places).unwrap();
    for _ in 0..1_000 {
        let again = attribute(&trace, FIRST, &mut places).unwrap();
        assert!(again.parts.iter().zip(&first.parts).all(|(a, b)| std::sync::Arc::ptr_eq(&a.place, &b.place)));
    }
}

mod properties;
