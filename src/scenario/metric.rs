//! Metrics by name: `readers.response.p99`, `readers.recall`, `errors`.
//!
//! Owns the grammar only; figures are looked up by `result`.

use std::fmt;
use std::str::FromStr;

use super::percentile::Percentile;

/// What a gate, an SLO or `--metric` speaks of.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// `<stream>.response.p99` and its like.
    Time {
        /// Whose.
        stream: String,
        /// Which of the three times.
        time: Time,
        /// Which figure of its distribution.
        statistic: Statistic,
    },
    /// `<stream>.recall`, 0 to 1.
    Recall {
        /// Whose.
        stream: String,
    },
    /// `<stream>.errors`, or `errors` over all streams: (failed + timed out + unfinished) / scheduled, 0 to 1.
    Errors {
        /// Whose; `None` for all streams together.
        stream: Option<String>,
    },
    /// `<stream>.rate`: requests a second that were achieved.
    Rate {
        /// Whose.
        stream: String,
    },
}

/// The three times of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Time {
    /// done − intended start.
    Response,
    /// done − sent.
    Service,
    /// sent − intended start.
    Lateness,
}

/// A figure of a distribution.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Statistic {
    /// `p99.9`.
    Percentile(Percentile),
    /// The arithmetic mean.
    Mean,
    /// The smallest value.
    Min,
    /// The largest value.
    Max,
}

/// A metric or limit that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MetricError {
    /// Not in the grammar.
    #[error(
        "`{text}` is no metric; there are `<stream>.response|service|lateness.p50|p99|p99.9|mean|min|max`, `<stream>.recall`, \
         `<stream>.errors`, `<stream>.rate` and `errors`{}", did_you_mean(.nearest.as_deref())
    )]
    Unknown {
        /// What was read.
        text: String,
        /// What may have been meant.
        nearest: Option<String>,
    },
    /// `p0`, `p101`, `pfast`.
    #[error("`{text}` is no percentile; write p and a number above 0 and up to 100, such as p99 or p99.9")]
    Percentile {
        /// What was read.
        text: String,
    },
    /// A limit without `<` or `>`.
    #[error("`{text}` has no comparison; write <, <=, > or >= and a value, such as \"{example}\"")]
    NoComparison {
        /// What was read.
        text: String,
        /// A limit that would do.
        example: &'static str,
    },
    /// A value that does not suit the metric.
    #[error("the limit of {metric} must look like \"{example}\"")]
    Value {
        /// The metric.
        metric: String,
        /// A limit that would do.
        example: &'static str,
        /// What is wrong with it.
        #[source]
        cause: crate::units::UnitError,
    },
}

fn did_you_mean(name: Option<&str>) -> String {
    name.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

const TIMES: [(&str, Time); 3] = [("response", Time::Response), ("service", Time::Service), ("lateness", Time::Lateness)];
const STATISTICS: [(&str, Statistic); 3] = [("mean", Statistic::Mean), ("min", Statistic::Min), ("max", Statistic::Max)];

impl Metric {
    /// The stream that the metric speaks of; `None` for all of them.
    #[must_use]
    pub fn stream(&self) -> Option<&str> {
        match self {
            Self::Time { stream, .. } | Self::Recall { stream } | Self::Rate { stream } => Some(stream),
            Self::Errors { stream } => stream.as_deref(),
        }
    }

    /// A limit that would do for it.
    pub(super) fn example(&self) -> &'static str {
        match self {
            Self::Time { .. } => "< 20ms",
            Self::Recall { .. } => "> 0.95",
            Self::Errors { .. } => "< 0.1%",
            Self::Rate { .. } => "> 450/s",
        }
    }
}

impl FromStr for Metric {
    type Err = MetricError;

    fn from_str(text: &str) -> Result<Self, MetricError> {
        let text = text.trim();
        if text == "errors" {
            return Ok(Self::Errors { stream: None });
        }
        let unknown = |nearest| MetricError::Unknown { text: text.to_owned(), nearest };
        let (stream, rest) = text.split_once('.').ok_or_else(|| unknown(None))?;
        let named = stream.to_owned();
        let (kind, statistic) = rest.split_once('.').map_or((rest, None), |(kind, statistic)| (kind, Some(statistic)));
        match (kind, statistic) {
            ("recall", None) => return Ok(Self::Recall { stream: named }),
            ("errors", None) => return Ok(Self::Errors { stream: Some(named) }),
            ("rate", None) => return Ok(Self::Rate { stream: named }),
            _ => {}
        }
        let Some((_, time)) = TIMES.iter().find(|(name, _)| *name == kind) else {
            let known = TIMES.iter().map(|(name, _)| *name).chain(["recall", "errors", "rate"]);
            let nearest = super::nearest::nearest(kind, known);
            return Err(unknown(nearest.map(|kind| [stream, kind].into_iter().chain(statistic).collect::<Vec<_>>().join("."))));
        };
        let statistic = statistic.ok_or_else(|| unknown(Some(format!("{text}.p99"))))?;
        Ok(Self::Time { stream: named, time: *time, statistic: statistic.parse()? })
    }
}

impl FromStr for Statistic {
    type Err = MetricError;

    fn from_str(text: &str) -> Result<Self, MetricError> {
        if let Some((_, statistic)) = STATISTICS.iter().find(|(name, _)| *name == text) {
            return Ok(*statistic);
        }
        let digits = text.strip_prefix('p').filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'));
        digits
            .and_then(|digits| digits.parse().ok())
            .and_then(Percentile::new)
            .map(Self::Percentile)
            .ok_or_else(|| MetricError::Percentile { text: text.to_owned() })
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(TIMES.iter().find(|(_, time)| time == self).map_or("", |(name, _)| name))
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percentile(percentile) => write!(f, "{percentile}"),
            Self::Mean => f.write_str("mean"),
            Self::Min => f.write_str("min"),
            Self::Max => f.write_str("max"),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time { stream, time, statistic } => write!(f, "{stream}.{time}.{statistic}"),
            Self::Recall { stream } => write!(f, "{stream}.recall"),
            Self::Errors { stream: Some(stream) } => write!(f, "{stream}.errors"),
            Self::Errors { stream: None } => f.write_str("errors"),
            Self::Rate { stream } => write!(f, "{stream}.rate"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_the_grammar_is_read_and_shown_again() {
        for text in [
            "readers.response.p99",
            "readers.service.p99.9",
            "w-1.lateness.p50",
            "readers.response.mean",
            "readers.response.min",
            "readers.response.max",
            "readers.recall",
            "readers.errors",
            "readers.rate",
            "errors",
        ] {
            assert_eq!(text.parse::<Metric>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_metric_is_refused_and_the_nearest_named() {
        for (text, part) in [
            ("p99", "is no metric"),
            ("readers.respones.p99", "did you mean `readers.response.p99`?"),
            ("readers.response", "did you mean `readers.response.p99`?"),
            ("readers.recal", "did you mean `readers.recall`?"),
            ("readers.response.p0", "is no percentile"),
            ("readers.response.p100.1", "is no percentile"),
            ("readers.response.pNaN", "is no percentile"),
            ("readers.response.p99_9", "is no percentile"),
            ("readers.response.median", "is no percentile"),
        ] {
            let error = text.parse::<Metric>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
