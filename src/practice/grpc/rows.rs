//! The methods that read and write rows.

use crate::practice::filter::Filter;
use crate::practice::read;
use crate::practice::refusal::Refusal;
use crate::practice::store::Column;
use crate::wire::common::Status;
use crate::wire::milvus::{
    DeleteRequest, HybridSearchRequest, InsertRequest, MutationResult, QueryRequest, QueryResults, SearchRequest, SearchResults,
    UpsertRequest,
};
use crate::wire::schema::FieldData;

use super::service::Service;

impl Service {
    pub(super) async fn search(&self, request: SearchRequest) -> Result<SearchResults, Refusal> {
        let collection = self.store.borrow().get(&request.collection_name)?;
        Ok(SearchResults { session_ts: self.timestamp(), ..read::search(request, collection).await? })
    }

    pub(super) async fn hybrid_search(&self, request: HybridSearchRequest) -> Result<SearchResults, Refusal> {
        let collection = self.store.borrow().get(&request.collection_name)?;
        Ok(SearchResults { session_ts: self.timestamp(), ..read::hybrid_search(request, collection).await? })
    }

    pub(super) async fn query(&self, request: QueryRequest) -> Result<QueryResults, Refusal> {
        let collection = self.store.borrow().get(&request.collection_name)?;
        Ok(QueryResults { session_ts: self.timestamp(), ..read::query(request, collection).await? })
    }

    pub(super) fn insert(&self, request: InsertRequest) -> Result<MutationResult, Refusal> {
        let rows = request.num_rows;
        let result = self.write(&request.collection_name, request.fields_data, rows, false)?;
        Ok(MutationResult { insert_cnt: rows.into(), ..result })
    }

    pub(super) fn upsert(&self, request: UpsertRequest) -> Result<MutationResult, Refusal> {
        let rows = request.num_rows;
        let result = self.write(&request.collection_name, request.fields_data, rows, true)?;
        Ok(MutationResult { upsert_cnt: rows.into(), ..result })
    }

    fn write(&self, name: &str, brought: Vec<FieldData>, rows: u32, upsert: bool) -> Result<MutationResult, Refusal> {
        let collection = self.store.borrow().get(name)?;
        if rows == 0 {
            return Err(Refusal::invalid("num_rows is 0: there is nothing to write"));
        }
        let read = collection.borrow_mut().read_rows(brought, rows as usize, upsert)?;
        self.store.borrow().room_for(read.iter().map(Column::bytes).sum())?;
        let ids = collection.borrow_mut().append(read);
        Ok(MutationResult { ids: Some(ids), succ_index: (0..rows).collect(), ..self.acknowledged() })
    }

    pub(super) async fn delete(&self, request: DeleteRequest) -> Result<MutationResult, Refusal> {
        let collection = self.store.borrow().get(&request.collection_name)?;
        let filter = Filter::new(&request.expr, &collection.borrow().schema)?;
        if filter.passes_all() {
            return Err(Refusal::invalid("delete needs an expression: an empty one would delete everything"));
        }
        let deleted = read::delete(collection, &filter).await?;
        Ok(MutationResult { delete_cnt: deleted as i64, ..self.acknowledged() })
    }

    fn acknowledged(&self) -> MutationResult {
        MutationResult { status: Some(Status::default()), acknowledged: true, timestamp: self.timestamp(), ..Default::default() }
    }
}
