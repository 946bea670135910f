//! What a collection's rows look like.

use crate::practice::refusal::Refusal;
use crate::wire::schema::{CollectionSchema, DataType, FieldSchema};

/// The name under which Milvus keeps the dynamic field.
pub(crate) const DYNAMIC: &str = "$meta";

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Bool,
    /// A whole number between these two.
    Int(i64, i64),
    Float,
    Double,
    /// At most so many bytes.
    Text(usize),
    Json,
    /// So many f32.
    Vector(usize),
}

/// One field of a collection.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) kind: Kind,
    pub(crate) dynamic: bool,
}

/// The fields of a collection, checked, and the message that describes them.
#[derive(Debug, Clone)]
pub(crate) struct Schema {
    pub(crate) fields: Vec<Field>,
    /// Where the primary key stands among them.
    pub(crate) primary: usize,
    /// Whether the server makes the primary keys.
    pub(crate) auto_id: bool,
    /// What `DescribeCollection` answers: without the dynamic field, as Milvus does.
    pub(crate) described: CollectionSchema,
}

/// Milvus's limits.
const MOST_DIMENSIONS: usize = 32_768;
const MOST_FIELDS: usize = 64;
const MOST_TEXT: usize = 65_535;
/// Ids below are the server's own fields.
const FIRST_FIELD_ID: i64 = 100;

impl Schema {
    /// Checks the schema of a new collection and gives its fields their numbers.
    pub(crate) fn new(mut asked: CollectionSchema) -> Result<Self, Refusal> {
        if asked.fields.len() > MOST_FIELDS {
            return Err(Refusal::invalid(format!("a collection has at most {MOST_FIELDS} fields, not {}", asked.fields.len())));
        }
        for (at, field) in asked.fields.iter_mut().enumerate() {
            field.field_id = FIRST_FIELD_ID + at as i64;
        }
        let mut fields = asked.fields.iter().map(field_of).collect::<Result<Vec<_>, _>>()?;
        for (at, field) in fields.iter().enumerate() {
            if field.name.is_empty() || field.name == DYNAMIC || fields[..at].iter().any(|other| other.name == field.name) {
                return Err(Refusal::invalid(format!("field name `{}` is empty, reserved or there twice", field.name)));
            }
        }
        let mut primaries = asked.fields.iter().enumerate().filter(|(_, field)| field.is_primary_key);
        let (Some((primary, key)), None) = (primaries.next(), primaries.next()) else {
            return Err(Refusal::invalid("a collection has exactly one primary key"));
        };
        let auto_id = key.auto_id || asked.auto_id;
        if !matches!(key.data_type(), DataType::Int64 | DataType::VarChar) {
            return Err(Refusal::invalid(format!("the primary key `{}` must be Int64 or VarChar", key.name)));
        }
        if !fields.iter().any(|field| matches!(field.kind, Kind::Vector(_))) {
            return Err(Refusal::invalid("a collection has at least one vector field"));
        }
        if asked.enable_dynamic_field {
            let id = FIRST_FIELD_ID + fields.len() as i64;
            fields.push(Field { id, name: DYNAMIC.to_owned(), data_type: DataType::Json, kind: Kind::Json, dynamic: true });
        }
        Ok(Self { fields, primary, auto_id, described: asked })
    }

    /// Where a field stands, by its name.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|field| field.name == name)
    }

    /// Where the dynamic field stands, if there is one.
    pub(crate) fn dynamic(&self) -> Option<usize> {
        self.fields.iter().position(|field| field.dynamic)
    }

    /// The vector field of this name, or the only one where the name is empty: its place and dimension.
    pub(crate) fn vector(&self, name: &str) -> Result<(usize, usize), Refusal> {
        let mut vectors = self.fields.iter().enumerate().filter_map(|(at, field)| match field.kind {
            Kind::Vector(dim) if name.is_empty() || field.name == name => Some((at, dim)),
            _ => None,
        });
        match (vectors.next(), vectors.next()) {
            (Some(vector), None) => Ok(vector),
            (None, _) => Err(Refusal::invalid(format!("there is no vector field `{name}`"))),
            (Some(_), Some(_)) => Err(Refusal::invalid("there are several vector fields: name one in `anns_field`")),
        }
    }
}

fn parameter<'a>(field: &'a FieldSchema, key: &str) -> Option<&'a str> {
    field.type_params.iter().find(|pair| pair.key == key).map(|pair| pair.value.as_str())
}

fn field_of(field: &FieldSchema) -> Result<Field, Refusal> {
    let number = |key: &str, most: usize| {
        let text = parameter(field, key).unwrap_or_default();
        text.parse::<usize>()
            .ok()
            .filter(|number| (1..=most).contains(number))
            .ok_or_else(|| Refusal::invalid(format!("field `{}` needs `{key}` from 1 to {most}, not `{text}`", field.name)))
    };
    let kind = match field.data_type() {
        DataType::Bool => Kind::Bool,
        DataType::Int8 => Kind::Int(i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => Kind::Int(i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => Kind::Int(i32::MIN.into(), i32::MAX.into()),
        DataType::Int64 => Kind::Int(i64::MIN, i64::MAX),
        DataType::Float => Kind::Float,
        DataType::Double => Kind::Double,
        DataType::VarChar | DataType::String => Kind::Text(number("max_length", MOST_TEXT)?),
        DataType::Json => Kind::Json,
        DataType::FloatVector => Kind::Vector(number("dim", MOST_DIMENSIONS)?),
        other => {
            let reason = format!("field `{}`: the practice target does not offer {}", field.name, other.as_str_name());
            return Err(Refusal::invalid(reason));
        }
    };
    if field.nullable {
        return Err(Refusal::invalid(format!("field `{}`: the practice target does not offer nullable fields", field.name)));
    }
    Ok(Field { id: field.field_id, name: field.name.clone(), data_type: field.data_type(), kind, dynamic: false })
}
