//! From located values to typed ones, through serde, with errors that know their place.
//!
//! Any type that serde can read will do, those of other rooms too: their `unknown_field`, `invalid_type` and `custom` errors
//! get place, path and the nearest known name here, so that no type has to care.

use std::fmt::{self, Display};

use serde::de::value::{MapAccessDeserializer, StrDeserializer};
use serde::de::{DeserializeSeed, Deserializer, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected, Visitor};

use super::nearest::nearest;
use super::tree::{Entry, Node, Place, Value};

/// What is wrong, where, and what to do.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fault {
    /// `None` until a level that knows it is reached.
    pub(super) place: Option<Place>,
    pub(super) message: String,
    pub(super) help: Option<String>,
    /// Whether the message names its key already.
    pub(super) named: bool,
}

impl Fault {
    pub(super) fn at(place: Place, message: impl Into<String>) -> Self {
        Self { place: Some(place), message: message.into(), help: None, named: true }
    }

    fn bare(message: String, help: Option<String>) -> Self {
        Self { place: None, message, help, named: false }
    }

    /// Fills in what the level that read `path` at `place` knows.
    fn locate(mut self, place: &Place, path: &Path<'_>) -> Self {
        if self.place.is_none() {
            self.place = Some(place.clone());
        }
        if !self.named {
            self.message = format!("{path}: {}", self.message);
            self.named = true;
        }
        self
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: Display>(message: T) -> Self {
        Self::bare(message.to_string(), None)
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::bare(format!("found {}, expected {}", spoken(&found), plain(expected)), None)
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::bare(format!("unknown key `{field}`"), Some(suggest("key", field, known)))
    }

    fn unknown_variant(variant: &str, known: &'static [&'static str]) -> Self {
        Self::bare(format!("`{variant}` is not known here"), Some(suggest("value", variant, known)))
    }

    fn missing_field(field: &'static str) -> Self {
        let help = "add it; `tailtrace schema` describes every key".to_owned();
        Self::bare(format!("the key `{field}` is missing"), Some(help))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self::bare(format!("`{field}` is given twice"), Some("two spellings of one key may stand in the way of each other".to_owned()))
    }
}

fn suggest(what: &str, typed: &str, known: &[&str]) -> String {
    match nearest(typed, known.iter().copied()) {
        Some(name) => format!("did you mean `{name}`?"),
        None => format!("known {what}s: {}", known.join(", ")),
    }
}

fn spoken(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(truth) => format!("`{truth}`"),
        Unexpected::Unsigned(whole) => format!("the number {whole}"),
        Unexpected::Signed(whole) => format!("the number {whole}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("the text \"{text}\""),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a table".to_owned(),
        other => other.to_string(),
    }
}

fn plain(expected: &dyn Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "u8" => "a whole number from 0 to 255".to_owned(),
        "u16" => "a whole number from 0 to 65,535".to_owned(),
        "u32" => "a whole number from 0 to 4,294,967,295".to_owned(),
        "u64" | "usize" => "a whole number, 0 or more".to_owned(),
        "a nonzero u8" | "a nonzero u16" | "a nonzero u32" | "a nonzero u64" | "a nonzero usize" => "a whole number, 1 or more".to_owned(),
        "i8" | "i16" | "i32" | "i64" => "a whole number".to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a boolean" => "true or false".to_owned(),
        "a string" => "a text in quotes".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table".to_owned(),
        _ if text.starts_with("struct ") => "a table".to_owned(),
        _ => text,
    }
}

/// The way from the root to the value that is read, for messages.
pub(super) enum Path<'a> {
    Root,
    Key(&'a Path<'a>, &'a str),
    /// An element of a list; a stream is called by its name.
    Index(&'a Path<'a>, usize, Option<&'a str>),
}

impl Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("scenario"),
            Self::Key(Path::Root, key) => f.write_str(key),
            Self::Key(Path::Index(_, _, Some(name)), key) => write!(f, "{name}.{key}"),
            Self::Key(parent, key) => write!(f, "{parent}.{key}"),
            Self::Index(parent, index, None) => write!(f, "{parent}[{index}]"),
            Self::Index(_, _, Some(name)) => write!(f, "stream `{name}`"),
        }
    }
}

/// Reads one located value.
pub(super) struct Decoder<'a> {
    pub(super) node: &'a Node,
    pub(super) path: &'a Path<'a>,
    /// Where to point for what the value lacks: its own place, or the name of its table.
    pub(super) point: &'a Place,
}

impl<'de> Deserializer<'de> for Decoder<'_> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let read = match &self.node.value {
            Value::Text(text) => visitor.visit_str(text),
            Value::Truth(truth) => visitor.visit_bool(*truth),
            Value::Number(number) => visitor.visit_f64(*number),
            Value::Whole(whole) => match (u64::try_from(*whole), i64::try_from(*whole)) {
                (Ok(whole), _) => visitor.visit_u64(whole),
                (_, Ok(whole)) => visitor.visit_i64(whole),
                _ => Err(Fault::custom(format_args!("the number {whole} is too large"))),
            },
            Value::List(nodes) => visitor.visit_seq(List { nodes, next: 0, path: self.path }),
            Value::Table(entries) => visitor.visit_map(Table { entries, next: 0, path: self.path }),
        };
        read.map_err(|fault| fault.locate(self.point, self.path))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let read = match &self.node.value {
            Value::Text(text) => {
                let text: StrDeserializer<'_, Fault> = text.as_str().into_deserializer();
                text.deserialize_enum(name, variants, visitor)
            }
            Value::Table(entries) => visitor.visit_enum(MapAccessDeserializer::new(Table { entries, next: 0, path: self.path })),
            _ => return self.deserialize_any(visitor),
        };
        read.map_err(|fault| fault.locate(self.point, self.path))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map struct identifier ignored_any
    }
}

struct List<'a> {
    nodes: &'a [Node],
    next: usize,
    path: &'a Path<'a>,
}

impl<'de> SeqAccess<'de> for List<'_> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        let Some(node) = self.nodes.get(self.next) else { return Ok(None) };
        let name = node.text("name").filter(|_| matches!(self.path, Path::Key(Path::Root, "stream")));
        let path = Path::Index(self.path, self.next, name);
        self.next += 1;
        seed.deserialize(Decoder { node, path: &path, point: &node.place }).map(Some)
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.nodes.len() - self.next)
    }
}

struct Table<'a> {
    entries: &'a [Entry],
    next: usize,
    path: &'a Path<'a>,
}

impl<'de> MapAccess<'de> for Table<'_> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(entry) = self.entries.get(self.next) else { return Ok(None) };
        let key: StrDeserializer<'_, Fault> = entry.key.as_str().into_deserializer();
        seed.deserialize(key).map(Some).map_err(|fault| match self.path {
            Path::Root => Fault { named: true, ..fault }.locate(&entry.key_place, self.path),
            _ => fault.locate(&entry.key_place, self.path),
        })
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let entry = &self.entries[self.next];
        self.next += 1;
        let path = Path::Key(self.path, &entry.key);
        let node = &entry.node;
        let point = if matches!(node.value, Value::Table(_)) { &entry.key_place } else { &node.place };
        seed.deserialize(Decoder { node, path: &path, point }).map_err(|fault| fault.locate(point, &path))
    }
}
