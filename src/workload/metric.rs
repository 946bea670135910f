//! How near two vectors are.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The measure a collection's index compares vectors by; the names are Milvus's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Metric {
    /// The square of the Euclidean distance: less is nearer.
    #[default]
    L2,
    /// The inner product: more is nearer.
    #[serde(rename = "IP")]
    Ip,
    /// The cosine of the angle: more is nearer.
    #[serde(rename = "COSINE")]
    Cosine,
}

impl Metric {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::L2, Self::Ip, Self::Cosine];

    /// Milvus's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::L2 => "L2",
            Self::Ip => "IP",
            Self::Cosine => "COSINE",
        }
    }

    /// What Milvus answers as the distance: for [`Metric::L2`] less is nearer, for the others more is. Zero vectors have a
    /// cosine of 0 to everything.
    #[must_use]
    pub fn distance(self, a: &[f32], b: &[f32]) -> f64 {
        let dot = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| f64::from(*x) * f64::from(*y)).sum::<f64>();
        match self {
            Self::L2 => a.iter().zip(b).map(|(x, y)| (f64::from(*x) - f64::from(*y)).powi(2)).sum(),
            Self::Ip => dot(a, b),
            Self::Cosine => {
                let norms = (dot(a, a) * dot(b, b)).sqrt();
                if norms > 0.0 { dot(a, b) / norms } else { 0.0 }
            }
        }
    }

    /// Whether distance `a` is nearer than `b`.
    #[must_use]
    pub fn nearer(self, a: f64, b: f64) -> bool {
        match self {
            Self::L2 => a < b,
            Self::Ip | Self::Cosine => a > b,
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A metric that is none of those that tailtrace can compute truth for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a metric of float vectors: L2, IP or COSINE")]
pub struct UnknownMetric(pub String);

impl FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, UnknownMetric> {
        Self::ALL.into_iter().find(|metric| metric.name().eq_ignore_ascii_case(text)).ok_or_else(|| UnknownMetric(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_textbook() {
        let (a, b) = ([3.0, 4.0], [4.0, 3.0]);
        assert_eq!(Metric::L2.distance(&a, &b), 2.0);
        assert_eq!(Metric::Ip.distance(&a, &b), 24.0);
        assert_eq!(Metric::Cosine.distance(&a, &b), 0.96);
        assert_eq!(Metric::Cosine.distance(&a, &[0.0, 0.0]), 0.0);
    }

    #[test]
    fn nearer_is_less_for_l2_and_more_for_the_others() {
        assert!(Metric::L2.nearer(1.0, 2.0) && !Metric::L2.nearer(2.0, 2.0));
        assert!(Metric::Ip.nearer(2.0, 1.0) && Metric::Cosine.nearer(2.0, 1.0));
    }

    #[test]
    fn names_are_milvus_s_own_everywhere() {
        for metric in Metric::ALL {
            assert_eq!(metric.to_string().parse(), Ok(metric));
            assert_eq!(serde_json::to_string(&metric).unwrap(), format!("\"{metric}\""));
        }
        assert_eq!("HAMMING".parse::<Metric>().unwrap_err().to_string(), "`HAMMING` is not a metric of float vectors: L2, IP or COSINE");
    }
}
