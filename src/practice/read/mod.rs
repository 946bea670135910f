//! Searches and queries: exact, and in turns short enough that answers due meanwhile leave on time.

mod hybrid;
mod nearest;
mod output;
mod parameters;
mod query;
mod search;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::rc::Rc;

use super::filter::Filter;
use super::refusal::{Refusal, code};
use super::store::Collection;

pub(super) use hybrid::hybrid_search;
pub(super) use query::query;
pub(super) use search::search;

/// A collection as several turns read it: rows keep their places until it is dropped.
struct Reading(Rc<RefCell<Collection>>);

impl Reading {
    /// Begins to read a collection that is loaded.
    fn begin(collection: Rc<RefCell<Collection>>) -> Result<Self, Refusal> {
        if !collection.borrow().loaded {
            let reason = format!("collection not loaded[collection={}]: load it first", collection.borrow().schema.described.name);
            return Err(Refusal::new(code::COLLECTION_NOT_LOADED, reason));
        }
        collection.borrow_mut().reading(true);
        Ok(Self(collection))
    }

    fn collection(&self) -> std::cell::Ref<'_, Collection> {
        self.0.borrow()
    }

    /// Goes through all rows there are now, block by block, and lets the server turn between them.
    async fn each_block(&self, rows_a_block: u32, mut look: impl FnMut(&Collection, std::ops::Range<u32>)) {
        let places = self.collection().places();
        let mut next = 0;
        while next < places {
            let end = places.min(next + rows_a_block);
            look(&self.collection(), next..end);
            next = end;
            if next < places {
                tokio::task::yield_now().await;
            }
        }
    }

    /// The places of all rows that pass.
    async fn matching(&self, filter: &Filter) -> Vec<u32> {
        if let Some(keys) = filter.keys() {
            let collection = self.collection();
            let mut rows: Vec<u32> = keys.iter().filter_map(|key| collection.row(key)).collect();
            rows.sort_unstable();
            rows.dedup();
            return rows;
        }
        let mut rows = Vec::new();
        self.each_block(ROWS_FILTERED, |collection, block| {
            rows.extend(block.filter(|row| collection.lives(*row) && filter.passes(collection, *row)));
        })
        .await;
        // One that died in a later turn than the one that saw it.
        let collection = self.collection();
        rows.retain(|row| collection.lives(*row));
        drop(collection);
        rows
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.borrow_mut().reading(false);
    }
}

/// About 20 µs of filtering.
const ROWS_FILTERED: u32 = 512;

/// Deletes the rows that pass; says how many.
pub(super) async fn delete(collection: Rc<RefCell<Collection>>, filter: &Filter) -> Result<usize, Refusal> {
    let rows = Reading::begin(collection.clone())?.matching(filter).await;
    let deleted = collection.borrow_mut().delete(&rows);
    Ok(deleted)
}
