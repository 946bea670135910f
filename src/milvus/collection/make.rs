//! Making a collection of our own: schema, rows, index, load. Each step ends when Milvus says that it is done.

use prost::Message;

use crate::wire::common::{IndexState, KeyValuePair, LoadState};
use crate::wire::milvus as pb;
use crate::wire::schema::{
    CollectionSchema, DataType, FieldData, FieldSchema, FloatArray, LongArray, ScalarField, VectorField, field_data, scalar_field,
    vector_field,
};
use crate::workload::Vectors;

use super::super::settings::CollectionSettings;
use super::error::{SetupError, code};
use super::mark::Mark;
use super::rpc::{Deadline, Rpc, if_offered};
use super::{OWN_PRIMARY, OWN_VECTOR, Progress};

/// Bytes of rows in one request of the filling: enough that the number of requests does not matter, far below the 64 MiB
/// that Milvus takes.
const FILL_BYTES: usize = 4 << 20;

/// Creates the collection, empty.
pub(super) async fn create(rpc: &Rpc, settings: &CollectionSettings, mark: &Mark, deadline: &Deadline) -> Result<(), SetupError> {
    let request = pb::CreateCollectionRequest {
        collection_name: settings.name.clone(),
        schema: schema(settings, mark).encode_to_vec().into(),
        shards_num: settings.shards.get().cast_signed(),
        consistency_level: settings.consistency.level() as i32,
        ..Default::default()
    };
    rpc.call_before("CreateCollection", deadline, request, async |mut client, request| client.create_collection(request).await)
        .await
        .map(drop)
}

fn schema(settings: &CollectionSettings, mark: &Mark) -> CollectionSchema {
    let primary = FieldSchema {
        field_id: 100,
        name: OWN_PRIMARY.to_owned(),
        is_primary_key: true,
        data_type: DataType::Int64 as i32,
        ..Default::default()
    };
    let vector = FieldSchema {
        field_id: 101,
        name: OWN_VECTOR.to_owned(),
        data_type: DataType::FloatVector as i32,
        type_params: vec![pair("dim", settings.dim().to_string())],
        ..Default::default()
    };
    CollectionSchema { name: settings.name.clone(), description: mark.to_string(), fields: vec![primary, vector], ..Default::default() }
}

/// Writes all rows, some MiB a request, in order. A server that says it is too much is asked again until the deadline.
pub(super) async fn fill(
    rpc: &mut Rpc,
    settings: &CollectionSettings,
    vectors: &Vectors,
    deadline: &Deadline,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), SetupError> {
    let rows = settings.rows.get();
    let batch = (FILL_BYTES / (vectors.dim() * 4 + 16)).max(1) as u64;
    let mut first = 0;
    while first < rows {
        progress(Progress::Filling { rows: first, of: rows });
        let count = batch.min(rows - first);
        loop {
            let request = rows_request(&settings.name, vectors, first, count);
            let answer: Result<pb::MutationResult, _> =
                rpc.call_before("Insert", deadline, request, async |mut client, request| client.insert(request).await).await;
            match answer {
                Ok(_) => break,
                Err(SetupError::Refused { code, .. }) if code::RATE_LIMIT.contains(&code) => rpc.pause(deadline, "filled").await?,
                Err(error) => return Err(error),
            }
        }
        first += count;
    }
    progress(Progress::Filling { rows, of: rows });
    Ok(())
}

fn rows_request(name: &str, vectors: &Vectors, first: u64, count: u64) -> pb::InsertRequest {
    let dim = vectors.dim();
    let mut floats = vec![0.0; count as usize * dim];
    for (row, out) in (first..).zip(floats.chunks_exact_mut(dim)) {
        vectors.row(row, out);
    }
    let ids = scalar_field::Data::LongData(LongArray { data: (first..first + count).map(u64::cast_signed).collect() });
    let ids = field_data::Field::Scalars(ScalarField { data: Some(ids) });
    let floats = vector_field::Data::FloatVector(FloatArray { data: floats });
    let floats = field_data::Field::Vectors(VectorField { dim: dim.cast_signed() as i64, data: Some(floats) });
    let column = |kind: DataType, name: &str, field| FieldData {
        r#type: kind as i32,
        field_name: name.to_owned(),
        field: Some(field),
        ..Default::default()
    };
    pb::InsertRequest {
        collection_name: name.to_owned(),
        fields_data: vec![column(DataType::Int64, OWN_PRIMARY, ids), column(DataType::FloatVector, OWN_VECTOR, floats)],
        num_rows: count as u32,
        ..Default::default()
    }
}

/// Seals what was written. Milvus builds an index over sealed segments alone and searches growing ones row by row, so
/// without this a run would measure a scan. A server without segments does not offer the call, and needs none.
pub(super) async fn flush(rpc: &mut Rpc, name: &str, deadline: &Deadline, progress: &mut dyn FnMut(Progress)) -> Result<(), SetupError> {
    progress(Progress::Flushing);
    let flushed = loop {
        let request = pb::FlushRequest { collection_names: vec![name.to_owned()], ..Default::default() };
        let answer = rpc.call_before("Flush", deadline, request, async |mut client, request| client.flush(request).await).await;
        match answer {
            Err(SetupError::Refused { code, .. }) if code::RATE_LIMIT.contains(&code) => rpc.pause(deadline, "flushed").await?,
            answer => break if_offered(answer)?,
        }
    };
    let Some(flushed) = flushed else { return Ok(()) };
    let segments = flushed.coll_seg_ids.get(name).map(|array| array.data.clone()).unwrap_or_default();
    let moment = flushed.coll_flush_ts.get(name).copied().unwrap_or_default();
    loop {
        let request = pb::GetFlushStateRequest {
            segment_ids: segments.clone(),
            flush_ts: moment,
            collection_name: name.to_owned(),
            ..Default::default()
        };
        let answer =
            rpc.call_before("GetFlushState", deadline, request, async |mut client, request| client.get_flush_state(request).await).await;
        if if_offered(answer)?.is_none_or(|state| state.flushed) {
            return Ok(());
        }
        rpc.pause(deadline, "flushed").await?;
    }
}

/// Builds the index and waits for it.
pub(super) async fn index(
    rpc: &mut Rpc,
    settings: &CollectionSettings,
    deadline: &Deadline,
    progress: &mut dyn FnMut(Progress),
) -> Result<(), SetupError> {
    let params = serde_json::Map::from_iter(settings.index.params.clone());
    let request = pb::CreateIndexRequest {
        collection_name: settings.name.clone(),
        field_name: OWN_VECTOR.to_owned(),
        extra_params: vec![
            pair("index_type", settings.index.kind.clone()),
            pair("metric_type", settings.metric().name().to_owned()),
            pair("params", serde_json::Value::Object(params).to_string()),
        ],
        ..Default::default()
    };
    progress(Progress::Indexing { rows: 0, of: settings.rows.get() });
    let _: crate::wire::common::Status =
        rpc.call_before("CreateIndex", deadline, request, async |mut client, request| client.create_index(request).await).await?;
    loop {
        let index = describe_index(rpc, &settings.name, OWN_VECTOR, deadline).await?;
        if let Some(index) = index {
            progress(Progress::Indexing { rows: index.indexed_rows.max(0).cast_unsigned(), of: settings.rows.get() });
            match IndexState::try_from(index.state) {
                Ok(IndexState::Finished) if index.pending_index_rows == 0 => return Ok(()),
                Ok(IndexState::Failed) => {
                    let why = format!("its index failed: {}; correct `collection.index`", index.index_state_fail_reason);
                    return Err(SetupError::Unusable { name: settings.name.clone(), why });
                }
                _ => {}
            }
        }
        rpc.pause(deadline, "indexed").await?;
    }
}

/// The index of a field; `None` where it has none.
pub(super) async fn describe_index(
    rpc: &Rpc,
    name: &str,
    field: &str,
    deadline: &Deadline,
) -> Result<Option<pb::IndexDescription>, SetupError> {
    /// No index: the newer code, and the older one.
    const INDEX_NOT_FOUND: [i32; 2] = [700, 25];
    let request = pb::DescribeIndexRequest { collection_name: name.to_owned(), ..Default::default() };
    let answer: Result<pb::DescribeIndexResponse, _> =
        rpc.call_before("DescribeIndex", deadline, request, async |mut client, request| client.describe_index(request).await).await;
    match answer {
        Ok(answer) => Ok(answer.index_descriptions.into_iter().find(|index| index.field_name == field)),
        Err(SetupError::Refused { code, .. }) if INDEX_NOT_FOUND.contains(&code) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Loads the collection and waits until it can be searched.
pub(super) async fn load(rpc: &mut Rpc, name: &str, deadline: &Deadline, progress: &mut dyn FnMut(Progress)) -> Result<(), SetupError> {
    progress(Progress::Loading { percent: 0 });
    let request = pb::LoadCollectionRequest { collection_name: name.to_owned(), replica_number: 1, ..Default::default() };
    let _: crate::wire::common::Status =
        rpc.call_before("LoadCollection", deadline, request, async |mut client, request| client.load_collection(request).await).await?;
    while !is_loaded(rpc, name, deadline, progress).await? {
        rpc.pause(deadline, "loaded").await?;
    }
    progress(Progress::Loading { percent: 100 });
    Ok(())
}

/// Whether it can be searched: by the load state, or by the loading progress where a server has no load state.
pub(super) async fn is_loaded(rpc: &Rpc, name: &str, deadline: &Deadline, progress: &mut dyn FnMut(Progress)) -> Result<bool, SetupError> {
    let request = pb::GetLoadStateRequest { collection_name: name.to_owned(), ..Default::default() };
    let state = rpc.call_before("GetLoadState", deadline, request, async |mut client, request| client.get_load_state(request).await).await;
    if let Some(state) = if_offered(state)? {
        return Ok(state.state == LoadState::Loaded as i32);
    }
    let request = pb::GetLoadingProgressRequest { collection_name: name.to_owned(), ..Default::default() };
    let loaded: pb::GetLoadingProgressResponse = rpc
        .call_before("GetLoadingProgress", deadline, request, async |mut client, request| client.get_loading_progress(request).await)
        .await?;
    progress(Progress::Loading { percent: loaded.progress.clamp(0, 100) as u8 });
    Ok(loaded.progress >= 100)
}

fn pair(key: &str, value: String) -> KeyValuePair {
    KeyValuePair { key: key.to_owned(), value }
}
