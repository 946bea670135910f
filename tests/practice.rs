//! The practice target over the wire, asked by tonic's own client.

mod practice_client;

use std::io;
use std::sync::{Arc, Mutex};

use tailtrace::clock::Anchor;
use tailtrace::practice::{PracticeError, Server, Settings};
use tailtrace::trace::collector::{Collector, SpanSink, TracesData};
use tailtrace::trace::{Destination, STANDALONE, ServerSpanExporter};
use tailtrace::units::Nanos;
use tailtrace::wire::common::{LoadState, MsgBase};
use tailtrace::wire::milvus::{
    DeleteRequest, DescribeCollectionRequest, DropCollectionRequest, GetCollectionStatisticsRequest, GetLoadStateRequest,
    HasCollectionRequest, QueryRequest, SearchRequest, UpsertRequest,
};
use tailtrace::wire::{self, BytesCodec, is_success};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tonic::{Code, Request};

use practice_client::{COLLECTION, Client, connect, found, in_runtime, insert_request, longs, search_request, set_up, start};

#[test]
fn a_collection_lives_from_set_up_to_drop() {
    let server = start("{}");
    in_runtime(async {
        let mut client = connect(&server).await;
        set_up(&mut client, 0..100).await;

        let described =
            client.describe_collection(DescribeCollectionRequest { collection_name: COLLECTION.into(), ..Default::default() }).await;
        let schema = described.unwrap().into_inner().schema.unwrap();
        assert_eq!(schema.fields.iter().map(|field| field.name.as_str()).collect::<Vec<_>>(), ["id", "vector"]);
        assert!(schema.enable_dynamic_field);
        let state = client.get_load_state(GetLoadStateRequest { collection_name: COLLECTION.into(), ..Default::default() }).await;
        assert_eq!(state.unwrap().into_inner().state(), LoadState::Loaded);
        let statistics = GetCollectionStatisticsRequest { collection_name: COLLECTION.into(), ..Default::default() };
        assert_eq!(client.get_collection_statistics(statistics).await.unwrap().into_inner().stats[0].value, "100");

        // Row i stands at (i, 0).
        assert_eq!(found(&mut client, search_request([41.9, 0.0], 3)).await, [42, 41, 43]);
        let filtered = SearchRequest { dsl: "id % 10 == 0".into(), ..search_request([41.9, 0.0], 3) };
        assert_eq!(found(&mut client, filtered).await, [40, 50, 30]);

        let upsert = insert_request(42..43, |_| [1_000.0, 0.0]);
        let upsert =
            UpsertRequest { collection_name: upsert.collection_name, fields_data: upsert.fields_data, num_rows: 1, ..Default::default() };
        assert_eq!(client.upsert(upsert).await.unwrap().into_inner().upsert_cnt, 1);
        let delete = DeleteRequest { collection_name: COLLECTION.into(), expr: "id in [41, 40]".into(), ..Default::default() };
        assert_eq!(client.delete(delete).await.unwrap().into_inner().delete_cnt, 2);
        assert_eq!(found(&mut client, search_request([41.9, 0.0], 3)).await, [43, 44, 39]);

        let query = |expr: &str, output: &str| QueryRequest {
            collection_name: COLLECTION.into(),
            expr: expr.into(),
            output_fields: vec![output.into()],
            ..Default::default()
        };
        let answer = client.query(query("id < 44 and id > 38", "id")).await.unwrap().into_inner();
        assert_eq!(longs(&answer.fields_data[0]), [39, 42, 43]);
        let answer = client.query(query("", "count(*)")).await.unwrap().into_inner();
        assert_eq!(longs(&answer.fields_data[0]), [98]);

        client.drop_collection(DropCollectionRequest { collection_name: COLLECTION.into(), ..Default::default() }).await.unwrap();
        let has = client.has_collection(HasCollectionRequest { collection_name: COLLECTION.into(), ..Default::default() }).await;
        assert!(!has.unwrap().into_inner().value);
        let status = client.search(search_request([0.0, 0.0], 1)).await.unwrap().into_inner().status.unwrap();
        assert_eq!((status.code, status.error_code), (100, 4));
    });
}

#[test]
fn a_client_that_connects_is_told_what_it_talks_to() {
    let server = start("{}");
    in_runtime(async {
        let mut client = connect(&server).await;
        let base = Some(MsgBase { msg_id: 7, ..Default::default() });
        let version = client.connect(wire::milvus::ConnectRequest { base, ..Default::default() }).await.unwrap().into_inner();
        assert!(version.server_info.unwrap().build_tags.contains("practice"));
    });
}

#[test]
fn failures_of_both_kinds_come_in_their_two_places() {
    // Every request fails: half as a gRPC status, half as Milvus's own.
    let server = start(r#"{"errors": {"UNAVAILABLE": 0.5, "milvus:2200": 0.5}}"#);
    in_runtime(async {
        let mut client = connect(&server).await;
        set_up(&mut client, 0..10).await;
        let (mut grpc, mut milvus) = (0, 0);
        for _ in 0..200 {
            match client.search(search_request([0.0, 0.0], 1)).await {
                Err(status) => {
                    assert_eq!(status.code(), Code::Unavailable);
                    grpc += 1;
                }
                Ok(answer) => {
                    let status = answer.into_inner().status.unwrap();
                    assert!(!is_success(&status) && status.code == 2_200);
                    milvus += 1;
                }
            }
        }
        // 200 fair coins: five standard deviations are 35.
        assert!((65..=135).contains(&grpc) && grpc + milvus == 200, "{grpc} and {milvus}");
        // The set-up of the next run is not hit.
        client.drop_collection(DropCollectionRequest { collection_name: COLLECTION.into(), ..Default::default() }).await.unwrap();
        set_up(&mut client, 0..10).await;
    });
}

#[test]
fn the_null_target_answers_the_same_to_anything() {
    let server = start(r#"{"search": "canned"}"#);
    in_runtime(async {
        let mut client = connect(&server).await;
        let first = client.search(search_request([1.0, 2.0], 3)).await.unwrap().into_inner();
        assert!(is_success(first.status.as_ref().unwrap()));
        assert_eq!(first.results.as_ref().unwrap().scores.len(), 10);
        assert_eq!(client.search(SearchRequest::default()).await.unwrap().into_inner(), first);
        // What writes is stored all the same.
        set_up(&mut client, 0..10).await;
    });
}

#[test]
fn bytes_that_were_encoded_before_get_the_answer_that_the_typed_client_gets() {
    use prost::Message;
    let server = start("{}");
    in_runtime(async {
        let mut client = connect(&server).await;
        set_up(&mut client, 0..10).await;
        let typed = client.search(search_request([3.0, 0.0], 2)).await.unwrap().into_inner();
        let mut plain = tonic::client::Grpc::new(practice_client::channel(&server).await);
        plain.ready().await.unwrap();
        let path = http::uri::PathAndQuery::try_from(wire::method_path("Search")).unwrap();
        let encoded = bytes::Bytes::from(search_request([3.0, 0.0], 2).encode_to_vec());
        let answer = plain.unary(Request::new(encoded), path, BytesCodec).await.unwrap().into_inner();
        let answer = wire::milvus::SearchResults::decode(answer).unwrap();
        assert!(answer.session_ts > typed.session_ts, "moments rise");
        assert_eq!(wire::milvus::SearchResults { session_ts: typed.session_ts, ..answer }, typed);
    });
}

#[test]
fn what_is_not_offered_is_unimplemented_and_what_cannot_be_read_is_refused() {
    let server = start("{}");
    in_runtime(async {
        let mut plain = tonic::client::Grpc::new(practice_client::channel(&server).await);
        for (path, body, code) in [
            ("/milvus.proto.milvus.MilvusService/CreateAlias", &b""[..], Code::Unimplemented),
            ("/other.Service/Search", &b""[..], Code::Unimplemented),
            ("/milvus.proto.milvus.MilvusService/Search", &b"\xff\xff\xff"[..], Code::InvalidArgument),
        ] {
            plain.ready().await.unwrap();
            let request = Request::new(bytes::Bytes::from_static(body));
            let status = plain.unary(request, http::uri::PathAndQuery::from_static(path), BytesCodec).await.unwrap_err();
            assert_eq!(status.code(), code, "{path}: {status}");
        }
    });
}

#[test]
fn connections_are_cut_and_taken_again() {
    let server = start(r#"{"cut_every": "100ms", "refuse_for": "30ms"}"#);
    in_runtime(async {
        let mut client = connect(&server).await;
        set_up(&mut client, 0..10).await;
        // Until the first failure, and until the first success after it: both come, whenever that is.
        let succeeds = async |client: &mut Client| client.search(search_request([0.0, 0.0], 1)).await.is_ok();
        assert!(succeeds(&mut client).await);
        // A connection that is served is greeted with HTTP/2's settings, one that is refused is closed without a word.
        let refused = async || {
            let mut greeting = [0; 1];
            let mut connection = TcpStream::connect(server.addr()).await.unwrap();
            !connection.read(&mut greeting).await.is_ok_and(|read| read > 0)
        };
        let mut seen = (false, false, false);
        let all = async {
            while succeeds(&mut client).await {}
            seen.0 = true;
            // A cut can end one of these before its greeting, not three one after the other.
            let mut in_a_row = 0;
            while in_a_row < 3 {
                in_a_row = if refused().await { in_a_row + 1 } else { 0 };
            }
            seen.1 = true;
            while !succeeds(&mut client).await {}
            seen.2 = true;
        };
        let _ = tokio::time::timeout(std::time::Duration::from_secs(30), all).await;
        assert_eq!(seen, (true, true, true), "cut, refused, taken again");
    });
}

#[test]
fn a_taken_port_and_contradicting_settings_are_told_apart() {
    let server = start("{}");
    let error = Server::start(Settings::default(), server.addr(), None).unwrap_err();
    assert!(matches!(error, PracticeError::Listen { .. }));
    assert!(error.to_string().contains("choose another port"), "{error}");
    let contradiction: Settings = serde_json::from_str(r#"{"max_queue": 1}"#).unwrap();
    let error = Server::start(contradiction, "127.0.0.1:0".parse().unwrap(), None).unwrap_err();
    assert!(error.to_string().starts_with("practice: `max_queue` needs `servers`"), "{error}");
}

#[test]
fn a_stopped_server_leaves_its_port() {
    let server = start("{}");
    let address = server.addr();
    server.stop();
    drop(std::net::TcpListener::bind(address).unwrap());
}

/// Keeps what the collector gets.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<TracesData>>>);

impl SpanSink for Kept {
    fn write(&mut self, data: &TracesData) -> io::Result<()> {
        self.0.lock().unwrap().push(data.clone());
        Ok(())
    }
}

#[test]
fn a_sampled_request_has_its_server_spans_in_the_callers_trace_and_others_have_none() {
    let kept = Kept::default();
    let collector = Collector::start("127.0.0.1:0".parse().unwrap(), Box::new(kept.clone())).unwrap();
    let (exporter, spans) = ServerSpanExporter::start(&Destination::new(collector.url(), STANDALONE), Anchor::take()).unwrap();
    let settings = r#"{"slow_span": {"name": "Delegator-waitTSafe", "fraction": 1, "by": "5ms"}}"#;
    let server = Server::start(serde_json::from_str(settings).unwrap(), "127.0.0.1:0".parse().unwrap(), Some(spans)).unwrap();
    in_runtime(async {
        let mut client = connect(&server).await;
        set_up(&mut client, 0..10).await;
        for flag in ["01", "00"] {
            let mut request = Request::new(search_request([0.0, 0.0], 1));
            let context = format!("00-0af7651916cd43dd8448eb211c803{flag}c-b7ad6b7169203331-{flag}");
            request.metadata_mut().insert("traceparent", context.parse().unwrap());
            client.search(request).await.unwrap();
        }
        client.search(search_request([0.0, 0.0], 1)).await.unwrap();
    });
    server.stop();
    exporter.finish(Nanos::from_secs(10));
    assert_eq!(collector.stop().refused, 0);
    let exports = kept.0.lock().unwrap();
    let resources: Vec<_> = exports.iter().flat_map(|data| &data.resource_spans).collect();
    assert!(resources.iter().all(|spans| format!("{:?}", spans.resource).contains("standalone")));
    let spans: Vec<_> = resources.iter().flat_map(|spans| &spans.scope_spans).flat_map(|spans| &spans.spans).collect();
    assert_eq!(spans.len(), 8, "one search's tree: {:?}", spans.iter().map(|span| &span.name).collect::<Vec<_>>());
    let trace = [0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x30, 0x1c];
    assert!(spans.iter().all(|span| span.trace_id == trace));
    let root = spans.iter().find(|span| span.parent_span_id == 0xb7ad_6b71_6920_3331_u64.to_be_bytes()).unwrap();
    assert_eq!(root.name, "milvus.proto.milvus.MilvusService/Search");
    let slow = spans.iter().find(|span| span.name == "Delegator-waitTSafe").unwrap();
    assert!(slow.end_time_unix_nano - slow.start_time_unix_nano >= 5_000_000);
}
