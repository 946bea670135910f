//! Set-up, search and insert against a server: the practice target, or a Milvus that `TAILTRACE_TEST_MILVUS` names, such as
//! `http://127.0.0.1:19530`.

use std::num::NonZeroU32;
use std::sync::Arc;

use prost::Message;
use tailtrace::milvus::collection::{Collection, Filled, PrimaryKind, Progress, Setup, SetupError};
use tailtrace::milvus::operation::{InsertSettings, Requests, SearchSettings, Settings, Work, mean_recall};
use tailtrace::milvus::{Client, CollectionSettings, Connection, Consistency, TargetSettings};
use tailtrace::practice;
use tailtrace::wire::common::KeyValuePair;
use tailtrace::wire::milvus as pb;
use tailtrace::wire::schema::{CollectionSchema, DataType, FieldSchema};
use tailtrace::workload::{Metric, Seed};

const ROWS: u64 = 2_000;
const DIM: u32 = 16;

/// A server to test against, and how to reach it.
struct Target {
    connection: Connection,
    settings: TargetSettings,
    _practice: Option<practice::Server>,
}

impl Target {
    fn new() -> Self {
        let given = std::env::var("TAILTRACE_TEST_MILVUS").ok();
        let practice =
            given.is_none().then(|| practice::Server::start(practice::Settings::default(), "127.0.0.1:0".parse().unwrap(), None).unwrap());
        let uri = given.unwrap_or_else(|| format!("http://{}", practice.as_ref().unwrap().addr()));
        let settings = TargetSettings::at(uri.parse().unwrap());
        let connection = Connection::new(&settings, &uri, |_| None).unwrap();
        Self { connection, settings, _practice: practice }
    }

    async fn client(&self) -> Client {
        self.connection.client().await.unwrap()
    }

    async fn setup(&self) -> Setup {
        Setup::connect(self.client().await, &self.settings, self.connection.uri()).await.unwrap()
    }

    async fn exists(&self, name: &str) -> bool {
        let request = pb::HasCollectionRequest { collection_name: name.to_owned(), ..Default::default() };
        self.client().await.has_collection(request).await.unwrap().into_inner().value
    }

    async fn drop_collection(&self, name: &str) {
        let request = pb::DropCollectionRequest { collection_name: name.to_owned(), ..Default::default() };
        let status = self.client().await.drop_collection(request).await.unwrap().into_inner();
        assert_eq!(status.code, 0, "{}", status.reason);
    }

    /// A collection that somebody else made: a text key, another name for the vectors, a price.
    async fn make_foreign(&self, name: &str, description: &str) {
        let field = |name: &str, kind: DataType, param: Option<(&str, &str)>| FieldSchema {
            name: name.to_owned(),
            data_type: kind as i32,
            type_params: param.map(|(key, value)| KeyValuePair { key: key.to_owned(), value: value.to_owned() }).into_iter().collect(),
            ..Default::default()
        };
        let fields = vec![
            FieldSchema { is_primary_key: true, ..field("sku", DataType::VarChar, Some(("max_length", "64"))) },
            field("embedding", DataType::FloatVector, Some(("dim", "8"))),
            field("price", DataType::Double, None),
        ];
        let schema = CollectionSchema { name: name.to_owned(), description: description.to_owned(), fields, ..Default::default() };
        let request = pb::CreateCollectionRequest {
            collection_name: name.to_owned(),
            schema: schema.encode_to_vec().into(),
            shards_num: 1,
            consistency_level: Consistency::Session.level() as i32,
            ..Default::default()
        };
        let status = self.client().await.create_collection(request).await.unwrap().into_inner();
        assert_eq!(status.code, 0, "{}", status.reason);
    }

    async fn index_foreign(&self, name: &str) {
        let request = pb::CreateIndexRequest {
            collection_name: name.to_owned(),
            field_name: "embedding".to_owned(),
            extra_params: [("index_type", "FLAT"), ("metric_type", "COSINE"), ("params", "{}")]
                .map(|(key, value)| KeyValuePair { key: key.to_owned(), value: value.to_owned() })
                .into(),
            ..Default::default()
        };
        let status = self.client().await.create_index(request).await.unwrap().into_inner();
        assert_eq!(status.code, 0, "{}", status.reason);
    }
}

fn run<T>(test: impl AsyncFnOnce(Target) -> T) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test(Target::new()))
}

fn settings(name: &str) -> CollectionSettings {
    CollectionSettings {
        name: format!("tailtrace_test_{name}"),
        dim: NonZeroU32::new(DIM),
        rows: ROWS.try_into().unwrap(),
        ..CollectionSettings::default()
    }
}

/// Sends requests 0 to `count` of an operation, judges their answers, and gives what was kept.
async fn send(target: &Target, work: &Work, settings: &Settings, count: u64) -> tailtrace::milvus::operation::Kept {
    let mut client = target.client().await;
    let mut operation = settings.make(work).unwrap();
    let mut requests = Requests::new();
    let mut written = 0;
    for sequence in 0..count {
        let mut request = requests.encode(&mut *operation, sequence);
        if operation.of_session() && written > 0 {
            operation.append_session(written, &mut request);
        }
        let message = &request[5..];
        let answer = match settings {
            Settings::Search(_) => client.search(pb::SearchRequest::decode(message).unwrap()).await.unwrap().into_inner().encode_to_vec(),
            Settings::Insert(_) => client.insert(pb::InsertRequest::decode(message).unwrap()).await.unwrap().into_inner().encode_to_vec(),
        };
        let timestamp = operation.judge(sequence, true, &answer).unwrap();
        written = timestamp.unwrap_or(written);
    }
    operation.leave()
}

fn search(consistency: Option<Consistency>) -> Settings {
    Settings::Search(SearchSettings { top_k: 10, consistency, params: [("ef".to_owned(), 64.into())].into() })
}

#[test]
fn a_collection_is_made_and_found_and_dropped() {
    run(async |target| {
        for metric in Metric::ALL {
            let settings = CollectionSettings { metric: Some(metric), ..settings(&format!("made_{}", metric.name())) };
            let mut setup = target.setup().await;
            assert!(!setup.version().is_empty());
            let mut steps = Vec::new();
            let prepared = setup.prepare(&settings, Seed(7), &mut |step| steps.push(step)).await.unwrap();
            assert_eq!(steps.first(), Some(&Progress::Filling { rows: 0, of: ROWS }));
            assert!(steps.contains(&Progress::Filling { rows: ROWS, of: ROWS }) && steps.contains(&Progress::Loading { percent: 100 }));
            assert_eq!(prepared.collection.filled, Some(Filled { rows: ROWS, seed: Seed(7) }));
            let work = Work { collection: Arc::new(prepared.collection), vectors: prepared.vectors, stream: 0, written: 0 };

            let before = send(&target, &work, &search(Some(Consistency::Strong)), 50).await;
            let recall = mean_recall(&before, &work.collection, &work.vectors, 0, 10, 1).unwrap();
            assert_eq!((recall.at, recall.queries), (10, 50));
            // The practice target searches exactly. HNSW with ef 64 over this data misses a few in a hundred at most.
            assert!(recall.mean > if std::env::var("TAILTRACE_TEST_MILVUS").is_ok() { 0.9 } else { 0.999 }, "{metric} {recall:?}");

            // Rows written beside change no answer: the same ids, whatever was inserted.
            let writers = Work { stream: 1, ..work.clone() };
            send(&target, &writers, &Settings::Insert(InsertSettings { batch: 100 }), 5).await;
            let after = send(&target, &work, &search(Some(Consistency::Strong)), 50).await;
            let again = mean_recall(&after, &work.collection, &work.vectors, 0, 10, 1).unwrap();
            assert_eq!(again, recall, "{metric}");

            assert!(target.exists(&settings.name).await);
            setup.leave().await.unwrap();
            assert!(!target.exists(&settings.name).await);
            setup.leave().await.unwrap();
        }
    });
}

#[test]
fn every_consistency_level_is_taken() {
    run(async |target| {
        let mut setup = target.setup().await;
        let settings = CollectionSettings { consistency: Consistency::Session, ..settings("levels") };
        let prepared = setup.prepare(&settings, Seed(1), &mut |_| {}).await.unwrap();
        assert_eq!(prepared.collection.consistency, Some(Consistency::Session));
        let work = Work { collection: Arc::new(prepared.collection), vectors: prepared.vectors, stream: 0, written: 0 };
        for level in
            [None, Some(Consistency::Strong), Some(Consistency::Session), Some(Consistency::Bounded), Some(Consistency::Eventually)]
        {
            assert_eq!(send(&target, &work, &search(level), 3).await.answers().len(), 3, "{level:?}");
        }
        setup.leave().await.unwrap();
    });
}

#[test]
fn a_collection_that_is_there_is_neither_overwritten_nor_dropped() {
    run(async |target| {
        let settings = settings("foreign");
        target.make_foreign(&settings.name, "my products").await;
        let mut setup = target.setup().await;
        let error = setup.prepare(&settings, Seed(1), &mut |_| {}).await.unwrap_err();
        assert!(matches!(&error, SetupError::Exists { own: false, .. }), "{error}");
        for words in ["collection.reuse = true", "collection.name", "drop it yourself"] {
            assert!(error.to_string().contains(words), "{error}");
        }
        setup.leave().await.unwrap();
        assert!(target.exists(&settings.name).await);
        target.drop_collection(&settings.name).await;
    });
}

#[test]
fn a_kept_collection_is_taken_by_a_later_run_with_its_truth() {
    run(async |target| {
        let kept = CollectionSettings { keep: true, metric: Some(Metric::Cosine), ..settings("kept") };
        let mut first = target.setup().await;
        first.prepare(&kept, Seed(1), &mut |_| {}).await.unwrap();
        first.leave().await.unwrap();

        let error = target.setup().await.prepare(&kept, Seed(2), &mut |_| {}).await.unwrap_err();
        assert!(matches!(&error, SetupError::Exists { own: true, .. }), "{error}");

        let again = CollectionSettings { name: kept.name.clone(), reuse: true, ..CollectionSettings::default() };
        let mut second = target.setup().await;
        let prepared = second.prepare(&again, Seed(2), &mut |_| {}).await.unwrap();
        let collection = &prepared.collection;
        assert_eq!((collection.dim, collection.metric), (DIM as usize, Metric::Cosine));
        assert_eq!(collection.filled, Some(Filled { rows: ROWS, seed: Seed(1) }));
        let work = Work { collection: Arc::new(prepared.collection), vectors: prepared.vectors, stream: 0, written: 0 };
        let answers = send(&target, &work, &search(Some(Consistency::Strong)), 20).await;
        assert!(mean_recall(&answers, &work.collection, &work.vectors, 0, 10, 1).unwrap().mean > 0.9);
        second.leave().await.unwrap();
        assert!(target.exists(&kept.name).await, "what was reused is not dropped");
        target.drop_collection(&kept.name).await;
    });
}

#[test]
fn a_foreign_collection_is_reused_as_it_is() {
    run(async |target| {
        let name = "tailtrace_test_reused".to_owned();
        target.make_foreign(&name, "my products").await;
        target.index_foreign(&name).await;
        let reuse = CollectionSettings { name: name.clone(), reuse: true, ..CollectionSettings::default() };
        let mut setup = target.setup().await;
        let prepared = setup.prepare(&reuse, Seed(1), &mut |_| {}).await.unwrap();
        let Collection { primary, vector_field, dim, metric, scalars, consistency, filled, .. } = &prepared.collection;
        assert_eq!((primary.name.as_str(), primary.kind, primary.auto), ("sku", PrimaryKind::VarChar, false));
        assert_eq!((vector_field.as_str(), *dim, *metric), ("embedding", 8, Metric::Cosine));
        assert_eq!(scalars.iter().map(|scalar| (scalar.name.as_str(), scalar.kind)).collect::<Vec<_>>(), [("price", DataType::Double)]);
        assert_eq!((*consistency, *filled), (Some(Consistency::Session), None));
        let work = Work { collection: Arc::new(prepared.collection), vectors: prepared.vectors, stream: 0, written: 0 };
        send(&target, &work, &Settings::Insert(InsertSettings { batch: 10 }), 3).await;
        assert!(send(&target, &work, &search(Some(Consistency::Strong)), 3).await.answers().is_empty(), "no truth is known");
        setup.leave().await.unwrap();
        assert!(target.exists(&name).await);
        target.drop_collection(&name).await;
    });
}

#[test]
fn what_does_not_fit_a_reused_collection_is_said_before_any_load() {
    run(async |target| {
        let name = "tailtrace_test_differs".to_owned();
        let reuse = CollectionSettings { name: name.clone(), reuse: true, ..CollectionSettings::default() };
        let missing = target.setup().await.prepare(&reuse, Seed(1), &mut |_| {}).await.unwrap_err();
        assert!(matches!(missing, SetupError::Missing { .. }), "{missing}");
        target.make_foreign(&name, "").await;
        let bare = target.setup().await.prepare(&reuse, Seed(1), &mut |_| {}).await.unwrap_err();
        assert!(bare.to_string().contains("no index"), "{bare}");
        target.index_foreign(&name).await;
        for (settings, words) in [
            (CollectionSettings { dim: NonZeroU32::new(9), ..reuse.clone() }, "has dim 8, the scenario says 9"),
            (CollectionSettings { metric: Some(Metric::L2), ..reuse.clone() }, "has metric COSINE, the scenario says L2"),
            (CollectionSettings { vector_field: Some("price".to_owned()), ..reuse.clone() }, "but `embedding`"),
        ] {
            let error = target.setup().await.prepare(&settings, Seed(1), &mut |_| {}).await.unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        target.drop_collection(&name).await;
    });
}

#[test]
fn set_up_that_takes_too_long_is_given_up_and_leaves_nothing() {
    run(async |target| {
        let ready_within = "300ms".parse().unwrap();
        let settings = CollectionSettings { rows: 1_000_000_000.try_into().unwrap(), ready_within, ..settings("too_long") };
        let error = target.setup().await.prepare(&settings, Seed(1), &mut |_| {}).await.unwrap_err();
        assert!(matches!(error, SetupError::NotReady { .. }), "{error}");
        assert!(error.to_string().contains("within 300ms (collection.ready_within)"), "{error}");
        assert!(!target.exists(&settings.name).await);
    });
}

#[test]
fn a_collection_that_took_the_place_of_ours_is_not_dropped() {
    run(async |target| {
        let settings = settings("replaced");
        let mut setup = target.setup().await;
        setup.prepare(&settings, Seed(1), &mut |_| {}).await.unwrap();
        target.drop_collection(&settings.name).await;
        target.make_foreign(&settings.name, "somebody else's").await;
        setup.leave().await.unwrap();
        assert!(target.exists(&settings.name).await);
        target.drop_collection(&settings.name).await;
    });
}

/// The practice target, gone when the collection is to be dropped; it `comes_back` after the first attempt to reach it, empty.
fn leave_while_gone(reach_within: &str, comes_back: bool) -> Result<(), SetupError> {
    let listen = |address: &str| practice::Server::start(practice::Settings::default(), address.parse().unwrap(), None);
    let server = listen("127.0.0.1:0").unwrap();
    let uri = format!("http://{}", server.addr());
    let target = TargetSettings { connect_within: reach_within.parse().unwrap(), ..TargetSettings::at(uri.parse().unwrap()) };
    let connection = Connection::new(&target, &uri, |_| None).unwrap();
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let mut setup = Setup::connect(connection.client().await.unwrap(), &target, &uri).await.unwrap();
        setup.prepare(&settings("gone"), Seed(1), &mut |_| {}).await.unwrap();
        let address = server.addr().to_string();
        server.stop();
        let returning = async {
            if comes_back {
                let deaf = tokio::net::TcpListener::bind(&address).await.unwrap();
                drop(deaf.accept().await.unwrap());
                drop(deaf);
                let _server = listen(&address).unwrap();
                std::future::pending::<()>().await;
            }
            std::future::pending::<Result<(), SetupError>>().await
        };
        tokio::select! {
            left = setup.leave() => left,
            never = returning => never,
        }
    })
}

#[test]
fn a_target_that_is_gone_for_a_moment_is_asked_again_to_drop_the_collection() {
    if let Err(error) = leave_while_gone("30s", true) {
        panic!("{error}");
    }
}

#[test]
fn a_target_that_stays_away_is_given_up_and_the_cause_is_told() {
    let error = leave_while_gone("300ms", false).unwrap_err();
    assert!(matches!(&error, SetupError::Call { rpc: "DescribeCollection", .. }), "{error}");
    assert!(error.to_string().contains("UNAVAILABLE"), "{error}");
}

#[test]
fn set_up_that_is_interrupted_is_cleaned_up() {
    run(async |target| {
        let settings = CollectionSettings { rows: 1_000_000_000.try_into().unwrap(), ..settings("interrupted") };
        let mut setup = target.setup().await;
        let mut filled = 0;
        {
            let mut progress = |step| filled += u64::from(matches!(step, Progress::Filling { .. }));
            let mut preparing = std::pin::pin!(setup.prepare(&settings, Seed(1), &mut progress));
            // As Ctrl-C does it: the future is dropped in the middle of the filling.
            let mut turns = 0;
            std::future::poll_fn(|context| {
                turns += 1;
                assert!(preparing.as_mut().poll(context).is_pending());
                if turns == 20 { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
            })
            .await;
        }
        assert!(filled > 0);
        setup.leave().await.unwrap();
        assert!(!target.exists(&settings.name).await);
    });
}
