//! The limits that gates set to metrics: `< 20ms`.
//!
//! Owns reading and judging; figures are looked up by `result`.
//!
//! ```
//! use tailtrace::scenario::Gate;
//! let gate: Gate = "readers.response.p99 < 20ms".parse().unwrap();
//! assert_eq!(gate.metric.to_string(), "readers.response.p99");
//! assert!(gate.limit.holds(19_999_999.0));
//! ```

use std::fmt;
use std::str::FromStr;

use crate::units::{Fraction, Nanos, Rate};

use super::metric::{Metric, MetricError};

/// How a figure stands to its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
}

/// A limit's value in the unit that its metric has.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Quantity {
    /// For response, service and lateness.
    Time(Nanos),
    /// For recall and errors.
    Fraction(Fraction),
    /// The same, typed with `%`, and shown so again.
    Percent(Fraction),
    /// For rates.
    Rate(Rate),
}

impl Quantity {
    /// As a bare number: ns, 0 to 1, or a second.
    #[must_use]
    pub fn number(self) -> f64 {
        match self {
            Self::Time(nanos) => nanos.0 as f64,
            Self::Fraction(fraction) | Self::Percent(fraction) => fraction.get(),
            Self::Rate(rate) => rate.per_second(),
        }
    }
}

/// `< 20ms`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Which side of the value is right.
    pub comparison: Comparison,
    /// The value.
    pub value: Quantity,
}

impl Limit {
    /// Whether a figure keeps to the limit; in ns, 0 to 1, or a second. What is not a number never does.
    #[must_use]
    pub fn holds(&self, figure: f64) -> bool {
        let limit = self.value.number();
        match self.comparison {
            Comparison::Below => figure < limit,
            Comparison::AtMost => figure <= limit,
            Comparison::Above => figure > limit,
            Comparison::AtLeast => figure >= limit,
        }
    }

    /// Whether small figures are right: then a percentile that is only known to be "at least" fails.
    #[must_use]
    pub fn is_upper(&self) -> bool {
        matches!(self.comparison, Comparison::Below | Comparison::AtMost)
    }

    /// Reads a limit for `metric`.
    pub fn parse(metric: &Metric, text: &str) -> Result<Self, MetricError> {
        let trimmed = text.trim();
        let (comparison, rest) = COMPARISONS
            .iter()
            .find_map(|(sign, comparison)| trimmed.strip_prefix(sign).map(|rest| (*comparison, rest.trim_start())))
            .ok_or_else(|| MetricError::NoComparison { text: text.to_owned(), example: metric.example() })?;
        let unit = |cause| MetricError::Value { metric: metric.to_string(), example: metric.example(), cause };
        let value = match metric {
            Metric::Time { .. } => Quantity::Time(rest.parse().map_err(unit)?),
            Metric::Recall { .. } | Metric::Errors { .. } => {
                let kind = if rest.contains('%') { Quantity::Percent } else { Quantity::Fraction };
                kind(rest.parse().map_err(unit)?)
            }
            Metric::Rate { .. } => Quantity::Rate(rest.parse().map_err(unit)?),
        };
        Ok(Self { comparison, value })
    }
}

/// A metric and what it must keep to. Parses `readers.response.p99 < 20ms`.
#[derive(Debug, Clone, PartialEq)]
pub struct Gate {
    /// What is judged.
    pub metric: Metric,
    /// By which limit.
    pub limit: Limit,
}

/// Longer signs first, so that `<=` is not read as `<`.
const COMPARISONS: [(&str, Comparison); 4] =
    [("<=", Comparison::AtMost), (">=", Comparison::AtLeast), ("<", Comparison::Below), (">", Comparison::Above)];
impl FromStr for Gate {
    type Err = MetricError;

    fn from_str(text: &str) -> Result<Self, MetricError> {
        let at = text.find(['<', '>']).unwrap_or(text.len());
        let metric: Metric = text[..at].parse()?;
        let limit = Limit::parse(&metric, &text[at..])?;
        Ok(Self { metric, limit })
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = COMPARISONS.iter().find(|(_, comparison)| *comparison == self.comparison).map_or("", |(sign, _)| sign);
        match self.value {
            Quantity::Time(nanos) => write!(f, "{sign} {nanos}"),
            Quantity::Fraction(fraction) => write!(f, "{sign} {fraction}"),
            Quantity::Percent(fraction) => write!(f, "{sign} {}", fraction.exact_percent()),
            Quantity::Rate(rate) => write!(f, "{sign} {rate}"),
        }
    }
}

impl fmt::Display for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.metric, self.limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_take_the_unit_of_their_metric() {
        for text in ["a.response.p99 < 20ms", "a.recall >= 0.95", "a.recall > 95%", "errors <= 0.001", "errors < 0.1%", "a.rate > 450/s"] {
            assert_eq!(text.parse::<Gate>().unwrap().to_string(), text);
        }
        for text in ["a.response.p99 < 20", "a.recall > 95", "errors < 1ms", "a.rate > 450", "a.response.p99 <"] {
            assert!(text.parse::<Gate>().unwrap_err().to_string().contains("must look like"), "{text}");
        }
        assert!("a.response.p99".parse::<Gate>().unwrap_err().to_string().contains("has no comparison"));
    }

    #[test]
    fn a_limit_holds_on_its_own_side_only_and_never_for_what_is_no_number() {
        for (text, at, below) in
            [("a.rate < 5/s", false, true), ("a.rate <= 5/s", true, true), ("a.rate > 5/s", false, false), ("a.rate >= 5/s", true, false)]
        {
            let limit = text.parse::<Gate>().unwrap().limit;
            assert_eq!((limit.holds(5.0), limit.holds(4.0), limit.holds(f64::NAN)), (at, below, false), "{text}");
        }
    }
}
