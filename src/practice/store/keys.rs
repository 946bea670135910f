//! From primary key to row.

use std::collections::HashMap;

use crate::wire::schema::{Ids, LongArray, StringArray, ids};

use super::column::Column;

/// One primary key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Key {
    Int(i64),
    Text(Box<str>),
}

/// The row in which each key stands.
#[derive(Debug)]
pub(crate) enum Keys {
    Int(HashMap<i64, u32>),
    Text(HashMap<Box<str>, u32>),
}

impl Keys {
    /// Empty, for a key column of this type.
    pub(crate) fn new(column: &Column) -> Self {
        if matches!(column, Column::Int(_)) { Self::Int(HashMap::new()) } else { Self::Text(HashMap::new()) }
    }

    /// Where the row with this key stands. A key of the other type stands nowhere.
    pub(crate) fn row(&self, key: &Key) -> Option<u32> {
        match (self, key) {
            (Self::Int(rows), Key::Int(key)) => rows.get(key).copied(),
            (Self::Text(rows), Key::Text(key)) => rows.get(key).copied(),
            _ => None,
        }
    }

    /// The key of row `row` of its column stands there from now on; gives the row where it stood before.
    pub(crate) fn put(&mut self, column: &Column, row: u32) -> Option<u32> {
        match (self, column) {
            (Self::Int(rows), Column::Int(keys)) => rows.insert(keys[row as usize], row),
            (Self::Text(rows), Column::Text(keys)) => rows.insert(keys[row as usize].clone(), row),
            _ => unreachable!("a key column is of the type that its keys were made for"),
        }
    }

    /// The key of row `row` stands nowhere any more.
    pub(crate) fn remove(&mut self, column: &Column, row: u32) {
        match (self, column) {
            (Self::Int(rows), Column::Int(keys)) => rows.remove(&keys[row as usize]),
            (Self::Text(rows), Column::Text(keys)) => rows.remove(&keys[row as usize]),
            _ => unreachable!("a key column is of the type that its keys were made for"),
        };
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        match self {
            Self::Int(rows) => rows.clear(),
            Self::Text(rows) => rows.clear(),
        }
    }
}

/// The keys of a column, as an answer carries them.
pub(crate) fn ids_of(column: Column) -> Ids {
    let id_field = match column {
        Column::Int(data) => ids::IdField::IntId(LongArray { data }),
        Column::Text(data) => ids::IdField::StrId(StringArray { data: data.into_iter().map(Into::into).collect() }),
        _ => unreachable!("a primary key is a whole number or a text"),
    };
    Ids { id_field: Some(id_field) }
}

/// Keys that the server makes, from `first` on.
pub(crate) fn generated(text: bool, first: i64, rows: usize) -> Column {
    let keys = first..first + rows as i64;
    if text { Column::Text(keys.map(|key| key.to_string().into_boxed_str()).collect()) } else { Column::Int(keys.collect()) }
}
