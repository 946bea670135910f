//! What the target holds: collections with their rows, in memory.

mod collection;
mod column;
mod keys;
mod schema;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use crate::clock::{Anchor, Moment};
use crate::units::ByteSize;

use super::refusal::{Refusal, code};

pub(super) use collection::{Collection, Index};
pub(super) use column::Column;
pub(super) use keys::{Key, ids_of};
pub(super) use schema::{DYNAMIC, Kind, Schema};
#[cfg(test)]
pub(super) use tests::{many_rows, test_collection};

/// All collections of the server, by name.
#[derive(Debug)]
pub(super) struct Store {
    collections: BTreeMap<String, Rc<RefCell<Collection>>>,
    next_id: i64,
    anchor: Anchor,
    last_timestamp: u64,
    max_memory: ByteSize,
}

/// Milvus's limit of collections in one database is 65,536; a practice target with so many is a mistake in a loop.
const MOST_COLLECTIONS: usize = 1_024;
/// Milvus begins at a number with this many digits too.
const FIRST_ID: i64 = 450_000_000_000_000_000;

impl Store {
    /// An empty store. `anchor` tells the wall time of its timestamps.
    pub(super) fn new(anchor: Anchor, max_memory: ByteSize) -> Self {
        Self { collections: BTreeMap::new(), next_id: FIRST_ID, anchor, last_timestamp: 0, max_memory }
    }

    /// A hybrid timestamp as Milvus's: Unix milliseconds shifted left by 18 bits, and above every one given before.
    pub(super) fn timestamp(&mut self, now: Moment) -> u64 {
        let present = (self.anchor.unix_ns(now) / 1_000_000) << 18;
        self.last_timestamp = present.max(self.last_timestamp + 1);
        self.last_timestamp
    }

    /// A number that nothing else has.
    pub(super) const fn new_id(&mut self) -> i64 {
        self.next_id += 1;
        self.next_id
    }

    /// Adds a collection, unless one of that name is there.
    pub(super) fn add(&mut self, collection: Collection) -> Result<(), Refusal> {
        let name = collection.schema.described.name.clone();
        if name.is_empty() || name.len() > 255 {
            return Err(Refusal::invalid(format!("collection name `{name}` is not 1 to 255 bytes long")));
        }
        if self.collections.contains_key(&name) {
            return Err(Refusal::new(1, format!("collection `{name}` exists already")));
        }
        if self.collections.len() >= MOST_COLLECTIONS {
            return Err(Refusal::new(102, format!("there are {MOST_COLLECTIONS} collections already: drop some")));
        }
        self.collections.insert(name, Rc::new(RefCell::new(collection)));
        Ok(())
    }

    /// The collection of this name.
    pub(super) fn get(&self, name: &str) -> Result<Rc<RefCell<Collection>>, Refusal> {
        let found = self.collections.get(name).cloned();
        found.ok_or_else(|| Refusal::new(code::COLLECTION_NOT_FOUND, format!("collection not found[database=default][collection={name}]")))
    }

    /// The collection of this number.
    pub(super) fn get_by_id(&self, id: i64) -> Option<Rc<RefCell<Collection>>> {
        self.collections.values().find(|collection| collection.borrow().id == id).cloned()
    }

    /// Forgets a collection; one that is not there is forgotten already.
    pub(super) fn remove(&mut self, name: &str) {
        self.collections.remove(name);
    }

    /// All collections, by name.
    pub(super) fn all(&self) -> impl Iterator<Item = &Rc<RefCell<Collection>>> {
        self.collections.values()
    }

    /// Whether rows of so many bytes may come in.
    pub(super) fn room_for(&self, bytes: u64) -> Result<(), Refusal> {
        let held: u64 = self.collections.values().map(|collection| collection.borrow().bytes()).sum();
        if held + bytes <= self.max_memory.0 {
            return Ok(());
        }
        let reason = format!(
            "the rows take {} of at most {}: drop collections, or raise `max_memory` of the practice target",
            ByteSize(held).human(),
            self.max_memory.human()
        );
        Err(Refusal::new(code::MEMORY_LIMIT, reason))
    }
}
