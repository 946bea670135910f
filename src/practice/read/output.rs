//! The fields that an answer carries.

use serde_json::Value as Json;

use crate::practice::refusal::Refusal;
use crate::practice::store::{Collection, Column, DYNAMIC, Kind, Schema};
use crate::wire::schema::FieldData;

/// Which fields of its rows an answer carries, resolved against a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Output {
    /// The fields by place, in the order asked for.
    fields: Vec<usize>,
    /// Where only some keys of the dynamic field are asked for: which.
    dynamic_keys: Option<Vec<String>>,
    /// The names, as the answer repeats them.
    pub(crate) names: Vec<String>,
}

impl Output {
    /// Resolves the names of a request: fields, keys of the dynamic field, `*` for all fields, `%` for all vectors.
    pub(crate) fn new(asked: &[String], schema: &Schema) -> Result<Self, Refusal> {
        let mut output = Self { fields: Vec::new(), dynamic_keys: None, names: Vec::new() };
        for name in asked {
            match name.as_str() {
                "*" => (0..schema.fields.len()).for_each(|at| output.add(at, schema)),
                "%" => {
                    let vectors = schema.fields.iter().enumerate().filter(|(_, field)| matches!(field.kind, Kind::Vector(_)));
                    vectors.for_each(|(at, _)| output.add(at, schema));
                }
                name => match (schema.position(name), schema.dynamic()) {
                    (Some(at), _) => output.add(at, schema),
                    (None, Some(_)) => {
                        output.dynamic_keys.get_or_insert_default().push(name.to_owned());
                        output.names.push(name.to_owned());
                    }
                    (None, None) => return Err(Refusal::invalid(format!("field {name} not exist"))),
                },
            }
        }
        if let Some(dynamic) = schema.dynamic()
            && output.dynamic_keys.is_some()
        {
            if output.fields.contains(&dynamic) {
                output.dynamic_keys = None; // All of it is there anyway.
            } else {
                output.fields.push(dynamic);
            }
        }
        Ok(output)
    }

    /// The primary key too, which a query always answers.
    pub(crate) fn with_primary(mut self, schema: &Schema) -> Self {
        self.add(schema.primary, schema);
        self
    }

    fn add(&mut self, at: usize, schema: &Schema) {
        if !self.fields.contains(&at) {
            self.fields.push(at);
            self.names.push(schema.fields[at].name.clone());
        }
    }

    /// The columns of these rows.
    pub(crate) fn columns(&self, collection: &Collection, rows: &[u32]) -> Vec<FieldData> {
        let column = |at: &usize| {
            let field = &collection.schema.fields[*at];
            let mut column = collection.column(*at).gather(rows);
            if let (Some(keys), Column::Json(values), DYNAMIC) = (&self.dynamic_keys, &mut column, field.name.as_str()) {
                for value in values {
                    keep(value, keys);
                }
            }
            column.into_answer(field)
        };
        self.fields.iter().map(column).collect()
    }
}

/// Leaves only these keys in an object.
fn keep(value: &mut Json, keys: &[String]) {
    if let Json::Object(object) = value {
        object.retain(|key, _| keys.contains(key));
    }
}
