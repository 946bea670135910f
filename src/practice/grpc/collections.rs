//! The methods that administer: the server itself, collections, indexes, load state.

use bytes::Bytes;
use prost::Message;

use crate::clock::Clock;
use crate::practice::refusal::{Refusal, code};
use crate::practice::store::{Collection, Index, Kind, Schema};
use crate::wire::common::{IndexState, KeyValuePair, LoadState, ServerInfo, Status};
use crate::wire::milvus::{
    AllocTimestampRequest, AllocTimestampResponse, BoolResponse, CheckHealthRequest, CheckHealthResponse, ConnectRequest, ConnectResponse,
    CreateCollectionRequest, CreateIndexRequest, DescribeCollectionRequest, DescribeCollectionResponse, DescribeIndexRequest,
    DescribeIndexResponse, DropCollectionRequest, DropIndexRequest, FlushRequest, FlushResponse, GetCollectionStatisticsRequest,
    GetCollectionStatisticsResponse, GetFlushStateRequest, GetFlushStateResponse, GetLoadStateRequest, GetLoadStateResponse,
    GetLoadingProgressRequest, GetLoadingProgressResponse, GetVersionRequest, GetVersionResponse, HasCollectionRequest, IndexDescription,
    ListDatabasesRequest, ListDatabasesResponse, LoadCollectionRequest, ReleaseCollectionRequest, ShowCollectionsRequest,
    ShowCollectionsResponse,
};
use crate::wire::schema::{CollectionSchema, LongArray};

use super::answering::Answering;
use super::service::{Framed, Service, decoded, framed_answer};

/// The version it claims: the Milvus whose answers it gives, marked so that nobody takes it for one.
const VERSION: &str = concat!("v2.5.11-practice-", env!("CARGO_PKG_VERSION"));

#[expect(clippy::unnecessary_wraps, reason = "the type of every answer's status")]
fn ok() -> Option<Status> {
    Some(Status::default())
}

fn done() -> Status {
    Status::default()
}

impl Service {
    /// Answers a method that administers.
    pub(super) fn administer(&self, method: &str, body: Bytes) -> Framed {
        match method {
            "Connect" => self.now(body, |_, _: &ConnectRequest| Ok(connect())),
            "GetVersion" => self.now(body, |_, _: &GetVersionRequest| Ok(GetVersionResponse { status: ok(), version: VERSION.to_owned() })),
            "CheckHealth" => {
                self.now(body, |_, _: &CheckHealthRequest| Ok(CheckHealthResponse { status: ok(), is_healthy: true, reasons: Vec::new() }))
            }
            "ListDatabases" => self
                .now(body, |_, _: &ListDatabasesRequest| Ok(ListDatabasesResponse { status: ok(), db_names: vec!["default".to_owned()] })),
            "AllocTimestamp" => self.now(body, |service, _: &AllocTimestampRequest| {
                Ok(AllocTimestampResponse { status: ok(), timestamp: service.timestamp() })
            }),
            "CreateCollection" => self.now(body, Self::create_collection),
            "DropCollection" => self.now(body, |service, request: &DropCollectionRequest| {
                service.store.borrow_mut().remove(&request.collection_name);
                Ok(done())
            }),
            "HasCollection" => self.now(body, |service, request: &HasCollectionRequest| {
                Ok(BoolResponse { status: ok(), value: service.store.borrow().get(&request.collection_name).is_ok() })
            }),
            "DescribeCollection" => self.now(body, Self::describe_collection),
            "ShowCollections" => self.now(body, |service, _: &ShowCollectionsRequest| Ok(service.show_collections())),
            "GetCollectionStatistics" => self.now(body, Self::statistics),
            "CreateIndex" => self.now(body, Self::create_index),
            "DescribeIndex" => self.now(body, Self::describe_index),
            "DropIndex" => self.now(body, Self::drop_index),
            "LoadCollection" => self.now(body, Self::load),
            "ReleaseCollection" => self.now(body, |service, request: &ReleaseCollectionRequest| {
                service.store.borrow().get(&request.collection_name)?.borrow_mut().loaded = false;
                Ok(done())
            }),
            "GetLoadState" => self.now(body, |service, request: &GetLoadStateRequest| Ok(service.load_state(request))),
            "GetLoadingProgress" => self.now(body, Self::loading_progress),
            "Flush" => self.now(body, Self::flush),
            "GetFlushState" => self.now(body, |_, _: &GetFlushStateRequest| Ok(GetFlushStateResponse { status: ok(), flushed: true })),
            _ => Err(tonic::Status::unimplemented(format!("the practice target does not offer {method}"))),
        }
    }

    fn now<Q: Message + Default, A: Answering>(&self, body: Bytes, act: impl FnOnce(&Self, &Q) -> Result<A, Refusal>) -> Framed {
        Ok(framed_answer(act(self, &decoded(body)?)))
    }

    /// A hybrid timestamp of now.
    pub(super) fn timestamp(&self) -> u64 {
        self.store.borrow_mut().timestamp(self.clock.now())
    }

    fn create_collection(&self, request: &CreateCollectionRequest) -> Result<Status, Refusal> {
        let asked = CollectionSchema::decode(request.schema.clone()).map_err(|cause| Refusal::invalid(format!("schema: {cause}")))?;
        let schema = Schema::new(CollectionSchema { name: request.collection_name.clone(), ..asked })?;
        let created = self.timestamp();
        let mut store = self.store.borrow_mut();
        let mut collection = Collection::new(store.new_id(), schema, created);
        collection.shards = request.shards_num.max(1);
        collection.consistency = request.consistency_level();
        collection.properties.clone_from(&request.properties);
        store.add(collection)?;
        // Another set-up begins: it is not hit by faults either.
        self.model.rest();
        Ok(done())
    }

    fn describe_collection(&self, request: &DescribeCollectionRequest) -> Result<DescribeCollectionResponse, Refusal> {
        let store = self.store.borrow();
        let by_id = if request.collection_name.is_empty() { store.get_by_id(request.collection_id) } else { None };
        let collection = by_id.map_or_else(|| store.get(&request.collection_name), Ok)?;
        let collection = collection.borrow();
        Ok(DescribeCollectionResponse {
            status: ok(),
            schema: Some(collection.schema.described.clone()),
            collection_id: collection.id,
            created_timestamp: collection.created,
            created_utc_timestamp: collection.created >> 18,
            shards_num: collection.shards,
            aliases: Vec::new(),
            consistency_level: collection.consistency.into(),
            collection_name: collection.schema.described.name.clone(),
            properties: collection.properties.clone(),
            db_name: "default".to_owned(),
            num_partitions: 1,
            update_timestamp: collection.created,
        })
    }

    fn show_collections(&self) -> ShowCollectionsResponse {
        let mut answer = ShowCollectionsResponse { status: ok(), ..Default::default() };
        for collection in self.store.borrow().all() {
            let collection = collection.borrow();
            answer.collection_names.push(collection.schema.described.name.clone());
            answer.collection_ids.push(collection.id);
            answer.created_timestamps.push(collection.created);
            answer.created_utc_timestamps.push(collection.created >> 18);
        }
        answer
    }

    fn statistics(&self, request: &GetCollectionStatisticsRequest) -> Result<GetCollectionStatisticsResponse, Refusal> {
        let rows = self.store.borrow().get(&request.collection_name)?.borrow().len();
        let stats = vec![KeyValuePair { key: "row_count".to_owned(), value: rows.to_string() }];
        Ok(GetCollectionStatisticsResponse { status: ok(), stats })
    }

    fn create_index(&self, request: &CreateIndexRequest) -> Result<Status, Refusal> {
        let mut store = self.store.borrow_mut();
        let id = store.new_id();
        let collection = store.get(&request.collection_name)?;
        let mut collection = collection.borrow_mut();
        if collection.schema.position(&request.field_name).is_none() {
            return Err(Refusal::invalid(format!("cannot create index on non-exist field: {}", request.field_name)));
        }
        let name = if request.index_name.is_empty() { &request.field_name } else { &request.index_name }.clone();
        let metric = request.extra_params.iter().find(|pair| pair.key == "metric_type");
        if let Some(metric) = metric
            && matches!(collection.schema.position(&request.field_name).map(|at| collection.schema.fields[at].kind), Some(Kind::Vector(_)))
        {
            metric.value.parse::<crate::workload::Metric>().map_err(|error| Refusal::invalid(error.to_string()))?;
        }
        collection.indexes.retain(|index| index.field != request.field_name);
        collection.indexes.push(Index { id, name, field: request.field_name.clone(), parameters: request.extra_params.clone() });
        Ok(done())
    }

    fn describe_index(&self, request: &DescribeIndexRequest) -> Result<DescribeIndexResponse, Refusal> {
        let collection = self.store.borrow().get(&request.collection_name)?;
        let collection = collection.borrow();
        let wanted = |index: &&Index| {
            (request.index_name.is_empty() || index.name == request.index_name)
                && (request.field_name.is_empty() || index.field == request.field_name)
        };
        let rows = collection.len() as i64;
        let describe = |index: &Index| IndexDescription {
            index_name: index.name.clone(),
            index_id: index.id,
            params: index.parameters.clone(),
            field_name: index.field.clone(),
            indexed_rows: rows,
            total_rows: rows,
            state: IndexState::Finished.into(),
            ..Default::default()
        };
        let index_descriptions: Vec<IndexDescription> = collection.indexes.iter().filter(wanted).map(describe).collect();
        if index_descriptions.is_empty() {
            let reason = format!("index not found[collection={}][index={}]", request.collection_name, request.index_name);
            return Err(Refusal::new(code::INDEX_NOT_FOUND, reason));
        }
        Ok(DescribeIndexResponse { status: ok(), index_descriptions })
    }

    fn drop_index(&self, request: &DropIndexRequest) -> Result<Status, Refusal> {
        let collection = self.store.borrow().get(&request.collection_name)?;
        let mut collection = collection.borrow_mut();
        if collection.loaded {
            return Err(Refusal::invalid("cannot drop the index of a loaded collection: release it first"));
        }
        collection.indexes.retain(|index| {
            !((request.index_name.is_empty() || index.name == request.index_name)
                && (request.field_name.is_empty() || index.field == request.field_name))
        });
        Ok(done())
    }

    fn load(&self, request: &LoadCollectionRequest) -> Result<Status, Refusal> {
        let collection = self.store.borrow().get(&request.collection_name)?;
        let mut collection = collection.borrow_mut();
        let bare = collection
            .schema
            .fields
            .iter()
            .find(|field| matches!(field.kind, Kind::Vector(_)) && !collection.indexes.iter().any(|index| index.field == field.name));
        if let Some(bare) = bare {
            let reason = format!("there is no vector index on field: [{}], please create index firstly", bare.name);
            return Err(Refusal::new(code::INDEX_NOT_FOUND, reason));
        }
        collection.loaded = true;
        Ok(done())
    }

    fn load_state(&self, request: &GetLoadStateRequest) -> GetLoadStateResponse {
        let state = match self.store.borrow().get(&request.collection_name) {
            Ok(collection) if collection.borrow().loaded => LoadState::Loaded,
            Ok(_) => LoadState::NotLoad,
            Err(_) => LoadState::NotExist,
        };
        GetLoadStateResponse { status: ok(), state: state.into() }
    }

    fn loading_progress(&self, request: &GetLoadingProgressRequest) -> Result<GetLoadingProgressResponse, Refusal> {
        if !self.store.borrow().get(&request.collection_name)?.borrow().loaded {
            let reason = format!("collection not loaded[collection={}]", request.collection_name);
            return Err(Refusal::new(code::COLLECTION_NOT_LOADED, reason));
        }
        Ok(GetLoadingProgressResponse { status: ok(), progress: 100, refresh_progress: 100 })
    }

    fn flush(&self, request: &FlushRequest) -> Result<FlushResponse, Refusal> {
        let mut answer = FlushResponse { status: ok(), db_name: request.db_name.clone(), ..Default::default() };
        for name in &request.collection_names {
            self.store.borrow().get(name)?;
            answer.coll_seg_ids.insert(name.clone(), LongArray::default());
            answer.flush_coll_seg_ids.insert(name.clone(), LongArray::default());
            answer.coll_seal_times.insert(name.clone(), (self.timestamp() >> 18).cast_signed() / 1_000);
            answer.coll_flush_ts.insert(name.clone(), self.timestamp());
        }
        Ok(answer)
    }
}

fn connect() -> ConnectResponse {
    let server_info = ServerInfo { build_tags: VERSION.to_owned(), deploy_mode: "STANDALONE".to_owned(), ..Default::default() };
    ConnectResponse { status: ok(), server_info: Some(server_info), identifier: 1 }
}
