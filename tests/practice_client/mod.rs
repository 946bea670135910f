//! A client of the practice target for tests: tonic's own, with the requests of a small collection.

use std::ops::Range;

use prost::Message;
use tailtrace::practice::Server;
use tailtrace::wire::common::{KeyValuePair, PlaceholderGroup, PlaceholderType, PlaceholderValue};
use tailtrace::wire::is_success;
use tailtrace::wire::milvus::milvus_service_client::MilvusServiceClient;
use tailtrace::wire::milvus::{CreateCollectionRequest, CreateIndexRequest, InsertRequest, LoadCollectionRequest, SearchRequest};
use tailtrace::wire::schema::{
    CollectionSchema, DataType, FieldData, FieldSchema, FloatArray, LongArray, ScalarField, VectorField, field_data, ids, scalar_field,
    vector_field,
};
use tonic::transport::{Channel, Endpoint};

pub(crate) type Client = MilvusServiceClient<Channel>;

/// The collection of the tests.
pub(crate) const COLLECTION: &str = "things";

/// A practice target with these settings, on a free port.
pub(crate) fn start(settings: &str) -> Server {
    Server::start(serde_json::from_str(settings).unwrap(), "127.0.0.1:0".parse().unwrap(), None).unwrap()
}

pub(crate) fn in_runtime<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) async fn channel(server: &Server) -> Channel {
    Endpoint::from_shared(format!("http://{}", server.addr())).unwrap().connect().await.unwrap()
}

pub(crate) async fn connect(server: &Server) -> Client {
    MilvusServiceClient::new(channel(server).await)
}

fn pair(key: &str, value: &str) -> KeyValuePair {
    KeyValuePair { key: key.into(), value: value.into() }
}

/// Makes the collection, fills it with rows at (id, 0), indexes and loads it.
pub(crate) async fn set_up(client: &mut Client, rows: Range<i64>) {
    let field = |name: &str, data_type: DataType, type_params| FieldSchema {
        name: name.into(),
        is_primary_key: data_type == DataType::Int64,
        data_type: data_type.into(),
        type_params,
        ..Default::default()
    };
    let schema = CollectionSchema {
        name: COLLECTION.into(),
        fields: vec![field("id", DataType::Int64, Vec::new()), field("vector", DataType::FloatVector, vec![pair("dim", "2")])],
        enable_dynamic_field: true,
        ..Default::default()
    };
    let create =
        CreateCollectionRequest { collection_name: COLLECTION.into(), schema: schema.encode_to_vec().into(), ..Default::default() };
    assert!(is_success(&client.create_collection(create).await.unwrap().into_inner()));
    let count = rows.end - rows.start;
    let inserted = client.insert(insert_request(rows, |id| [id as f32, 0.0])).await.unwrap().into_inner();
    assert_eq!(inserted.insert_cnt, count, "{:?}", inserted.status);
    let index = CreateIndexRequest {
        collection_name: COLLECTION.into(),
        field_name: "vector".into(),
        extra_params: vec![pair("index_type", "FLAT"), pair("metric_type", "L2")],
        ..Default::default()
    };
    assert!(is_success(&client.create_index(index).await.unwrap().into_inner()));
    let load = LoadCollectionRequest { collection_name: COLLECTION.into(), ..Default::default() };
    assert!(is_success(&client.load_collection(load).await.unwrap().into_inner()));
}

/// An insert of these rows, each at its place.
pub(crate) fn insert_request(rows: Range<i64>, place: impl Fn(i64) -> [f32; 2]) -> InsertRequest {
    let ids: Vec<i64> = rows.collect();
    let vectors = VectorField {
        dim: 2,
        data: Some(vector_field::Data::FloatVector(FloatArray { data: ids.iter().flat_map(|id| place(*id)).collect() })),
    };
    let column = |name: &str, data_type: DataType, field| FieldData {
        r#type: data_type.into(),
        field_name: name.into(),
        field: Some(field),
        ..Default::default()
    };
    InsertRequest {
        collection_name: COLLECTION.into(),
        num_rows: ids.len() as u32,
        fields_data: vec![
            column("vector", DataType::FloatVector, field_data::Field::Vectors(vectors)),
            column(
                "id",
                DataType::Int64,
                field_data::Field::Scalars(ScalarField { data: Some(scalar_field::Data::LongData(LongArray { data: ids })) }),
            ),
        ],
        ..Default::default()
    }
}

/// A search for the nearest rows to a place.
pub(crate) fn search_request(place: [f32; 2], top_k: usize) -> SearchRequest {
    let value = place.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    let placeholder = PlaceholderValue { tag: "$0".into(), r#type: PlaceholderType::FloatVector.into(), values: vec![value.into()] };
    SearchRequest {
        collection_name: COLLECTION.into(),
        placeholder_group: PlaceholderGroup { placeholders: vec![placeholder] }.encode_to_vec().into(),
        search_params: vec![pair("topk", &top_k.to_string())],
        nq: 1,
        ..Default::default()
    }
}

/// The ids that a search finds.
pub(crate) async fn found(client: &mut Client, request: SearchRequest) -> Vec<i64> {
    let answer = client.search(request).await.unwrap().into_inner();
    assert!(is_success(answer.status.as_ref().unwrap()), "{:?}", answer.status);
    match answer.results.unwrap().ids.unwrap().id_field {
        Some(ids::IdField::IntId(ids)) => ids.data,
        other => panic!("{other:?}"),
    }
}

/// The whole numbers of a column.
pub(crate) fn longs(field: &FieldData) -> Vec<i64> {
    match &field.field {
        Some(field_data::Field::Scalars(ScalarField { data: Some(scalar_field::Data::LongData(longs)) })) => longs.data.clone(),
        other => panic!("{other:?}"),
    }
}
