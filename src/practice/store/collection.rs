//! The rows of one collection.

use std::collections::HashMap;

use crate::practice::refusal::Refusal;
use crate::wire::common::{ConsistencyLevel, KeyValuePair};
use crate::wire::schema::{FieldData, Ids};

use super::column::Column;
use super::keys::{Key, Keys, generated, ids_of};
use super::schema::{Kind, Schema};

/// An index: what it was asked for. The target compares every row whatever it says.
#[derive(Debug, Clone)]
pub(crate) struct Index {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) field: String,
    pub(crate) parameters: Vec<KeyValuePair>,
}

/// One collection: its schema, its rows, and what is known about it.
///
/// Rows are only ever appended; a deleted one stays where it is and is skipped, so that a search that is under way keeps its
/// place. When more than half are dead and nobody reads, the living move together.
#[derive(Debug)]
pub(crate) struct Collection {
    pub(crate) id: i64,
    pub(crate) schema: Schema,
    pub(crate) shards: i32,
    pub(crate) consistency: ConsistencyLevel,
    pub(crate) properties: Vec<KeyValuePair>,
    /// Hybrid timestamp of its creation.
    pub(crate) created: u64,
    pub(crate) indexes: Vec<Index>,
    pub(crate) loaded: bool,
    columns: Vec<Column>,
    live: Vec<bool>,
    dead: usize,
    keys: Keys,
    next_key: i64,
    /// Searches under way, which hold on to the places of rows.
    readers: usize,
    bytes: u64,
}

/// Fewer dead rows than this are not worth moving the others for.
const FEW: usize = 4_096;

impl Collection {
    /// An empty collection.
    pub(crate) fn new(id: i64, schema: Schema, created: u64) -> Self {
        let columns: Vec<Column> = schema.fields.iter().map(|field| Column::new(field.kind)).collect();
        let keys = Keys::new(&columns[schema.primary]);
        Self {
            id,
            schema,
            shards: 1,
            consistency: ConsistencyLevel::Bounded,
            properties: Vec::new(),
            created,
            indexes: Vec::new(),
            loaded: false,
            columns,
            live: Vec::new(),
            dead: 0,
            keys,
            // Keys that a server makes are no small numbers: a caller who counts on 0, 1, 2 should notice.
            next_key: (created >> 1).cast_signed(),
            readers: 0,
            bytes: 0,
        }
    }

    /// How many rows there are.
    pub(crate) const fn len(&self) -> usize {
        self.live.len() - self.dead
    }

    /// How many places rows have had so far: they are 0 to this, some of them dead.
    pub(crate) const fn places(&self) -> u32 {
        self.live.len() as u32
    }

    /// Whether a row still lives at this place.
    pub(crate) fn lives(&self, row: u32) -> bool {
        self.live[row as usize]
    }

    /// The values of a field.
    pub(crate) fn column(&self, at: usize) -> &Column {
        &self.columns[at]
    }

    /// Where the row with this key stands.
    pub(crate) fn row(&self, key: &Key) -> Option<u32> {
        self.keys.row(key)
    }

    /// About how much memory the rows take.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Somebody begins (or ends) to read across several turns: rows keep their places meanwhile.
    pub(crate) fn reading(&mut self, begins: bool) {
        if begins { self.readers += 1 } else { self.readers -= 1 }
    }

    /// Reads the rows of an insert or upsert. Where the server makes the keys, those that an upsert brings are kept.
    pub(crate) fn read_rows(&mut self, brought: Vec<FieldData>, rows: usize, upsert: bool) -> Result<Vec<Column>, Refusal> {
        let mut by_name: HashMap<String, FieldData> = HashMap::with_capacity(brought.len());
        for mut field in brought {
            if field.is_dynamic {
                super::schema::DYNAMIC.clone_into(&mut field.field_name);
            }
            if let Some(field) = by_name.insert(field.field_name.clone(), field) {
                return Err(Refusal::invalid(format!("field `{}` stands in the request twice", field.field_name)));
            }
        }
        let mut columns = Vec::with_capacity(self.schema.fields.len());
        for (at, field) in self.schema.fields.iter().enumerate() {
            let made_here = at == self.schema.primary && self.schema.auto_id;
            columns.push(match by_name.remove(&field.name) {
                Some(data) if !made_here || upsert => Column::read(field, data, rows)?,
                None if made_here => {
                    let first = self.next_key;
                    self.next_key += rows as i64;
                    generated(matches!(field.kind, Kind::Text(_)), first, rows)
                }
                Some(_) => return Err(Refusal::invalid(format!("the server makes the keys: leave `{}` out", field.name))),
                None if field.dynamic => Column::empty_json(rows),
                None => return Err(Refusal::invalid(format!("field `{}` is missing", field.name))),
            });
        }
        match by_name.into_keys().next() {
            Some(unknown) => Err(Refusal::invalid(format!("collection `{}` has no field `{unknown}`", self.schema.described.name))),
            None => Ok(columns),
        }
    }

    /// Appends rows, and gives their keys. A row with a key that is there already takes its place: unlike Milvus, which then
    /// holds both until they are compacted.
    pub(crate) fn append(&mut self, rows: Vec<Column>) -> Ids {
        self.bytes += rows.iter().map(Column::bytes).sum::<u64>();
        let primary = self.schema.primary;
        let ids = ids_of(rows[primary].clone());
        let (first, count) = (self.places(), rows[primary].len());
        for (column, more) in self.columns.iter_mut().zip(rows) {
            column.append(more);
        }
        self.live.resize(self.live.len() + count, true);
        for row in first..self.places() {
            if let Some(older) = self.keys.put(&self.columns[primary], row) {
                self.live[older as usize] = false;
                self.dead += 1;
            }
        }
        self.compact();
        ids
    }

    /// Deletes these rows; says how many of them lived.
    pub(crate) fn delete(&mut self, rows: &[u32]) -> usize {
        let before = self.dead;
        for row in rows {
            if std::mem::replace(&mut self.live[*row as usize], false) {
                self.dead += 1;
                self.keys.remove(&self.columns[self.schema.primary], *row);
            }
        }
        let deleted = self.dead - before;
        self.compact();
        deleted
    }

    /// Moves the living rows together where most are dead and nobody reads.
    fn compact(&mut self) {
        if self.readers > 0 || self.dead < FEW || self.dead < self.len() {
            return;
        }
        let living: Vec<u32> = (0..self.places()).filter(|row| self.lives(*row)).collect();
        for column in &mut self.columns {
            *column = column.gather(&living);
        }
        self.bytes = self.columns.iter().map(Column::bytes).sum();
        self.live = vec![true; living.len()];
        self.dead = 0;
        self.keys.clear();
        for row in 0..self.places() {
            self.keys.put(&self.columns[self.schema.primary], row);
        }
    }
}
