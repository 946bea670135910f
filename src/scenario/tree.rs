//! The values of a scenario, each with the place where it was typed: the file or an override.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::decode::Fault;

/// Where something was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// These bytes of the file.
    File(Range<usize>),
    /// The override with this index.
    Override(usize),
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) place: Place,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Text(String),
    Whole(i128),
    Number(f64),
    Truth(bool),
    List(Vec<Node>),
    Table(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) node: Node,
}

/// One step on the way from the root to a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

impl Node {
    /// Reads a whole file.
    pub(super) fn parse(text: &str) -> Result<Self, Fault> {
        let table = DeTable::parse(text).map_err(|error| syntax(&error, 0..text.len(), Place::File))?;
        let span = table.span();
        Self::table(table.into_inner(), span, &Place::File)
    }

    /// Reads one TOML value, all of it typed at `place`.
    pub(super) fn parse_value(text: &str, place: &Place) -> Result<Self, Fault> {
        let value = DeValue::parse(text).map_err(|error| syntax(&error, 0..0, |_| place.clone()))?;
        Self::from_toml(value, &|_| place.clone())
    }

    fn from_toml(value: Spanned<DeValue<'_>>, at: &dyn Fn(Range<usize>) -> Place) -> Result<Self, Fault> {
        let span = value.span();
        let place = at(span.clone());
        let value = match value.into_inner() {
            DeValue::String(text) => Value::Text(text.into_owned()),
            DeValue::Integer(whole) => Value::Whole(
                i128::from_str_radix(whole.as_str(), whole.radix())
                    .map_err(|_| Fault::at(place.clone(), format!("the number {whole} is too large")))?,
            ),
            DeValue::Float(number) => {
                Value::Number(number.as_str().parse().map_err(|_| Fault::at(place.clone(), format!("{number} is not a number")))?)
            }
            DeValue::Boolean(truth) => Value::Truth(truth),
            DeValue::Datetime(date) => return Err(Fault::at(place, format!("{date} is a date; no key takes one"))),
            DeValue::Array(nodes) => Value::List(nodes.into_iter().map(|node| Self::from_toml(node, at)).collect::<Result<_, _>>()?),
            DeValue::Table(table) => return Self::table(table, span, at),
        };
        Ok(Self { value, place })
    }

    fn table(table: DeTable<'_>, span: Range<usize>, at: &dyn Fn(Range<usize>) -> Place) -> Result<Self, Fault> {
        let mut entries = Vec::with_capacity(table.len());
        for (key, value) in table {
            let key_place = at(key.span());
            entries.push(Entry { key: key.into_inner().into_owned(), key_place, node: Self::from_toml(value, at)? });
        }
        // Tables of toml are sorted by name; ours keep to the order of the file.
        entries.sort_by_key(|entry| match &entry.key_place {
            Place::File(span) => span.start,
            Place::Override(_) => 0,
        });
        Ok(Self { value: Value::Table(entries), place: at(span) })
    }

    /// The entry of a key, where this is a table that has it.
    pub(super) fn entry(&self, key: &str) -> Option<&Entry> {
        match &self.value {
            Value::Table(entries) => entries.iter().find(|entry| entry.key == key),
            _ => None,
        }
    }

    /// The place of what stands nearest to `path`: its key where there is one, else the table that lacks it.
    pub(super) fn place_of(&self, path: &[Step], of_key: bool) -> Place {
        let (mut node, mut place) = (self, self.place.clone());
        for step in path {
            match step {
                Step::Key(key) => {
                    let Some(entry) = node.entry(key) else { break };
                    node = &entry.node;
                    // A table's own place may be anywhere in the file where its parts are; its name is where it is looked for.
                    let by_key = of_key || matches!(node.value, Value::Table(_));
                    place = if by_key { entry.key_place.clone() } else { node.place.clone() };
                }
                Step::Index(index) => {
                    let Value::List(nodes) = &node.value else { break };
                    let Some(inner) = nodes.get(*index) else { break };
                    node = inner;
                    place = inner.place.clone();
                }
            }
        }
        place
    }

    /// The text at a key of this table.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match &self.entry(key)?.node.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

fn syntax(error: &toml::de::Error, whole: Range<usize>, at: impl Fn(Range<usize>) -> Place) -> Fault {
    let mut fault = Fault::at(at(error.span().unwrap_or(whole)), format!("this is not TOML: {}", error.message()));
    if error.message().contains("string values must be quoted") {
        fault.help = Some("put quotes around the value".to_owned());
    }
    fault
}
