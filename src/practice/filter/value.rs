//! What an expression comes to in one row.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::parser::{Comparison, Operation, Step};

/// A plain value. `Missing` is what a row does not have: it equals nothing, not even itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Value<'a> {
    Missing,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a str),
}

impl<'a> Value<'a> {
    /// What stands inside a JSON value, by these steps.
    pub(super) fn inside(json: &'a Json, steps: &[Step]) -> Self {
        let found = steps.iter().try_fold(json, |json, step| match step {
            Step::Key(key) => json.get(key),
            Step::Place(place) => json.get(place),
        });
        match found {
            Some(Json::Bool(value)) => Self::Bool(*value),
            Some(Json::Number(number)) => number.as_i64().map_or_else(|| number.as_f64().map_or(Self::Missing, Self::Float), Self::Int),
            Some(Json::String(text)) => Self::Text(text),
            _ => Self::Missing,
        }
    }

    /// Whether it is true; a missing value is not.
    pub(super) fn is_true(self) -> bool {
        self == Self::Bool(true)
    }

    /// Whether the comparison holds. Values of different kinds are unequal, and neither is less.
    pub(super) fn compares(self, comparison: Comparison, other: Self) -> bool {
        let order = match (self, other) {
            (Self::Int(a), Self::Int(b)) => Some(a.cmp(&b)),
            (Self::Int(a), Self::Float(b)) => (a as f64).partial_cmp(&b),
            (Self::Float(a), Self::Int(b)) => a.partial_cmp(&(b as f64)),
            (Self::Float(a), Self::Float(b)) => a.partial_cmp(&b),
            (Self::Text(a), Self::Text(b)) => Some(a.cmp(b)),
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(&b)),
            _ => None,
        };
        match comparison {
            Comparison::Equal => order == Some(Ordering::Equal),
            Comparison::Unequal => order != Some(Ordering::Equal),
            Comparison::Less => order == Some(Ordering::Less),
            Comparison::LessOrEqual => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Comparison::Greater => order == Some(Ordering::Greater),
            Comparison::GreaterOrEqual => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }

    /// The result of an operation on two numbers; missing where one is none, or a whole number is divided by zero.
    pub(super) fn compute(self, operation: Operation, other: Self) -> Self {
        match (self, other) {
            (Self::Int(a), Self::Int(b)) => whole(operation, a, b),
            (Self::Int(a), Self::Float(b)) => real(operation, a as f64, b),
            (Self::Float(a), Self::Int(b)) => real(operation, a, b as f64),
            (Self::Float(a), Self::Float(b)) => real(operation, a, b),
            _ => Self::Missing,
        }
    }
}

fn whole(operation: Operation, a: i64, b: i64) -> Value<'static> {
    let result = match operation {
        Operation::Add => a.checked_add(b),
        Operation::Subtract => a.checked_sub(b),
        Operation::Multiply => a.checked_mul(b),
        Operation::Divide => a.checked_div(b),
        Operation::Remainder => a.checked_rem(b),
        Operation::Power => u32::try_from(b).ok().and_then(|b| a.checked_pow(b)),
    };
    match result {
        Some(result) => Value::Int(result),
        // Too large for a whole number, or a negative power; only division by zero has no result at all.
        None if b == 0 => Value::Missing,
        None => real(operation, a as f64, b as f64),
    }
}

fn real(operation: Operation, a: f64, b: f64) -> Value<'static> {
    Value::Float(match operation {
        Operation::Add => a + b,
        Operation::Subtract => a - b,
        Operation::Multiply => a * b,
        Operation::Divide => a / b,
        Operation::Remainder => a % b,
        Operation::Power => a.powf(b),
    })
}
