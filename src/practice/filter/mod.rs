//! Filter expressions: the part of Milvus's language that picks rows by their scalar fields.
//!
//! `== != < <= > >=` (also chained), `in`, `not in`, `like`, `and or not` (also `&& || !`), brackets, `+ - * / % **`, and
//! dynamic fields by name or as `$meta["key"]`. Functions such as `json_contains` are refused by name.

mod parser;
mod pattern;
#[cfg(test)]
mod tests;
mod token;
mod value;

use super::refusal::Refusal;
use super::store::{Collection, Column, Key, Kind, Schema};

use parser::{Comparison, Expression, Operation, Step};
use pattern::Pattern;
use value::Value;

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at byte {at}: {message}")]
pub(super) struct FilterError {
    at: usize,
    message: String,
}

impl FilterError {
    fn new(at: usize, message: impl Into<String>) -> Self {
        Self { at, message: message.into() }
    }
}

/// A filter that is ready for the rows of one collection. An empty expression lets every row pass.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Filter {
    bound: Option<Bound>,
    keys: Option<Vec<Key>>,
}

/// An expression whose names are places in a collection.
#[derive(Debug, Clone, PartialEq)]
enum Bound {
    Or(Box<Self>, Box<Self>),
    And(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Compare(Comparison, Box<Self>, Box<Self>),
    /// Whole numbers, sorted: lists of ids are long.
    InInts(Box<Self>, Vec<i64>),
    In(Box<Self>, Vec<Self>),
    Like(Box<Self>, Pattern),
    Arithmetic(Operation, Box<Self>, Box<Self>),
    Column(usize),
    Inside(usize, Vec<Step>),
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Box<str>),
}

/// What an expression is known to be before it sees a row; what lies in JSON is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Bool,
    Number,
    Text,
    Unknown,
}

impl Filter {
    /// Reads an expression for the rows of a collection with this schema.
    pub(super) fn new(text: &str, schema: &Schema) -> Result<Self, Refusal> {
        if text.trim().is_empty() {
            return Ok(Self { bound: None, keys: None });
        }
        let refused = |reason: String| Refusal::invalid(format!("cannot parse expression: {text}, error: {reason}"));
        let expression = parser::parse(text).map_err(|error| refused(error.to_string()))?;
        let (bound, class) = bind(expression, schema).map_err(refused)?;
        if !matches!(class, Class::Bool | Class::Unknown) {
            return Err(refused("it is not true or false".to_owned()));
        }
        let keys = keys_of(&bound, schema);
        Ok(Self { bound: Some(bound), keys })
    }

    /// Whether every row passes.
    pub(super) const fn passes_all(&self) -> bool {
        self.bound.is_none()
    }

    /// The primary keys that are asked for, where the expression asks for nothing but keys.
    pub(super) fn keys(&self) -> Option<&[Key]> {
        self.keys.as_deref()
    }

    /// Whether a row passes.
    pub(super) fn passes(&self, collection: &Collection, row: u32) -> bool {
        self.bound.as_ref().is_none_or(|bound| bound.value(collection, row).is_true())
    }
}

/// Gives names their places, and refuses comparisons of a number with a text.
fn bind(expression: Expression, schema: &Schema) -> Result<(Bound, Class), String> {
    let both = |left: Expression, right: Expression| Ok::<_, String>((bind(left, schema)?, bind(right, schema)?));
    Ok(match expression {
        Expression::Or(left, right) => {
            let ((left, _), (right, _)) = both(*left, *right)?;
            (Bound::Or(Box::new(left), Box::new(right)), Class::Bool)
        }
        Expression::And(left, right) => {
            let ((left, _), (right, _)) = both(*left, *right)?;
            (Bound::And(Box::new(left), Box::new(right)), Class::Bool)
        }
        Expression::Not(inner) => (Bound::Not(Box::new(bind(*inner, schema)?.0)), Class::Bool),
        Expression::Compare(comparison, left, right) => {
            let ((left, left_class), (right, right_class)) = both(*left, *right)?;
            comparable(left_class, right_class)?;
            (Bound::Compare(comparison, Box::new(left), Box::new(right)), Class::Bool)
        }
        Expression::In(value, list) => (bind_list(*value, list, schema)?, Class::Bool),
        Expression::Like(value, pattern) => {
            let (value, class) = bind(*value, schema)?;
            comparable(class, Class::Text)?;
            (Bound::Like(Box::new(value), Pattern::new(&pattern)), Class::Bool)
        }
        Expression::Arithmetic(operation, left, right) => {
            let ((left, left_class), (right, right_class)) = both(*left, *right)?;
            comparable(left_class, Class::Number)?;
            comparable(right_class, Class::Number)?;
            (Bound::Arithmetic(operation, Box::new(left), Box::new(right)), Class::Number)
        }
        Expression::Name(name, steps) => bind_name(name, steps, schema)?,
        Expression::Bool(value) => (Bound::Bool(value), Class::Bool),
        Expression::Int(value) => (Bound::Int(value), Class::Number),
        Expression::Float(value) => (Bound::Float(value), Class::Number),
        Expression::Text(value) => (Bound::Text(value.into_boxed_str()), Class::Text),
    })
}

fn bind_list(value: Expression, list: Vec<Expression>, schema: &Schema) -> Result<Bound, String> {
    let (value, class) = bind(value, schema)?;
    let mut bound = Vec::with_capacity(list.len());
    let mut whole = Vec::with_capacity(list.len());
    for item in list {
        let (item, item_class) = bind(item, schema)?;
        comparable(class, item_class)?;
        if let Bound::Int(number) = item {
            whole.push(number);
        }
        bound.push(item);
    }
    let value = Box::new(value);
    if whole.len() < bound.len() {
        return Ok(Bound::In(value, bound));
    }
    whole.sort_unstable();
    Ok(Bound::InInts(value, whole))
}

fn bind_name(name: String, mut steps: Vec<Step>, schema: &Schema) -> Result<(Bound, Class), String> {
    let Some(at) = schema.position(&name) else {
        let dynamic = schema.dynamic().ok_or_else(|| format!("field `{name}` does not exist, and there are no dynamic ones"))?;
        steps.insert(0, Step::Key(name));
        return Ok((Bound::Inside(dynamic, steps), Class::Unknown));
    };
    let class = match schema.fields[at].kind {
        Kind::Bool => Class::Bool,
        Kind::Int(..) | Kind::Float | Kind::Double => Class::Number,
        Kind::Text(_) => Class::Text,
        Kind::Json => return Ok((Bound::Inside(at, steps), Class::Unknown)),
        Kind::Vector(_) => return Err(format!("field `{name}` is a vector; filters look at scalar fields")),
    };
    if steps.is_empty() { Ok((Bound::Column(at), class)) } else { Err(format!("field `{name}` is not JSON: it has no parts")) }
}

fn comparable(left: Class, right: Class) -> Result<(), String> {
    let same = left == right || left == Class::Unknown || right == Class::Unknown;
    let name = |class| match class {
        Class::Bool => "true or false",
        Class::Number => "a number",
        Class::Text => "a text",
        Class::Unknown => "anything",
    };
    if same { Ok(()) } else { Err(format!("{} is compared with {}", name(left), name(right))) }
}

/// The keys that are asked for, where nothing else is: `id == 7`, `7 == id`, `id in [7, 8]`.
fn keys_of(bound: &Bound, schema: &Schema) -> Option<Vec<Key>> {
    let is_primary = |side: &Bound| *side == Bound::Column(schema.primary);
    let key = |value: &Bound| match value {
        Bound::Int(key) => Some(Key::Int(*key)),
        Bound::Text(key) => Some(Key::Text(key.clone())),
        _ => None,
    };
    match bound {
        Bound::Compare(Comparison::Equal, field, value) if is_primary(field) => Some(vec![key(value)?]),
        Bound::Compare(Comparison::Equal, value, field) if is_primary(field) => Some(vec![key(value)?]),
        Bound::InInts(field, keys) if is_primary(field) => Some(keys.iter().map(|key| Key::Int(*key)).collect()),
        Bound::In(field, keys) if is_primary(field) => keys.iter().map(key).collect(),
        _ => None,
    }
}

impl Bound {
    /// What it comes to in a row.
    fn value<'a>(&'a self, collection: &'a Collection, row: u32) -> Value<'a> {
        let truth = |side: &'a Self| side.value(collection, row).is_true();
        match self {
            Self::Or(left, right) => Value::Bool(truth(left) || truth(right)),
            Self::And(left, right) => Value::Bool(truth(left) && truth(right)),
            Self::Not(inner) => Value::Bool(!truth(inner)),
            Self::Compare(comparison, left, right) => {
                Value::Bool(left.value(collection, row).compares(*comparison, right.value(collection, row)))
            }
            Self::InInts(value, list) => Value::Bool(match value.value(collection, row) {
                Value::Int(number) => list.binary_search(&number).is_ok(),
                Value::Float(number) => list.iter().any(|item| *item as f64 == number),
                _ => false,
            }),
            Self::In(value, list) => {
                let value = value.value(collection, row);
                Value::Bool(list.iter().any(|item| value.compares(Comparison::Equal, item.value(collection, row))))
            }
            Self::Like(value, pattern) => Value::Bool(match value.value(collection, row) {
                Value::Text(text) => pattern.fits(text),
                _ => false,
            }),
            Self::Arithmetic(operation, left, right) => left.value(collection, row).compute(*operation, right.value(collection, row)),
            Self::Column(at) => match collection.column(*at) {
                Column::Bool(values) => Value::Bool(values[row as usize]),
                Column::Int(values) => Value::Int(values[row as usize]),
                Column::Float(values) => Value::Float(f64::from(values[row as usize])),
                Column::Double(values) => Value::Float(values[row as usize]),
                Column::Text(values) => Value::Text(&values[row as usize]),
                Column::Json(_) | Column::Vector { .. } => Value::Missing,
            },
            Self::Inside(at, steps) => match collection.column(*at) {
                Column::Json(values) => Value::inside(&values[row as usize], steps),
                _ => Value::Missing,
            },
            Self::Bool(value) => Value::Bool(*value),
            Self::Int(value) => Value::Int(*value),
            Self::Float(value) => Value::Float(*value),
            Self::Text(value) => Value::Text(value),
        }
    }
}
