//! How long a request occupies a server.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use rand::RngExt;
use rand_distr::{Exp1, StandardNormal};

use crate::units::Nanos;

/// A distribution of service times: `exponential 2ms` (mean), `constant 1ms`, or `lognormal 2ms 0.5` (median, and the
/// standard deviation of the logarithm).
///
/// ```
/// use tailtrace::practice::ServiceTime;
/// assert_eq!("lognormal 2ms 0.5".parse::<ServiceTime>().unwrap().to_string(), "lognormal 2ms 0.5");
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ServiceTime {
    /// Memoryless, with this mean: the M of an M/M/c queue.
    Exponential(Nanos),
    /// Always so long.
    Constant(Nanos),
    /// Its logarithm is normal, so its tail is heavier than the exponential's.
    Lognormal {
        /// Half of the requests take less.
        median: Nanos,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
}

/// A text that is no service time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a service time: \"exponential 2ms\" (mean), \"constant 1ms\" or \"lognormal 2ms 0.5\" (median, sigma)")]
pub struct ServiceTimeError(String);

/// Beyond this a lognormal's mean is over e^12 medians, and its draws are no latencies any more.
const MOST_SIGMA: f64 = 5.0;

impl ServiceTime {
    /// Draws one.
    pub fn draw(self, random: &mut impl rand::Rng) -> Nanos {
        match self {
            Self::Constant(time) => time,
            Self::Exponential(mean) => Nanos((mean.0 as f64 * random.sample::<f64, _>(Exp1)) as u64),
            Self::Lognormal { median, sigma } => {
                let normal: f64 = random.sample(StandardNormal);
                Nanos((median.0 as f64 * (sigma * normal).exp()) as u64)
            }
        }
    }

    /// The mean of what is drawn.
    #[must_use]
    pub fn mean(self) -> Nanos {
        match self {
            Self::Exponential(mean) => mean,
            Self::Constant(time) => time,
            Self::Lognormal { median, sigma } => Nanos((median.0 as f64 * (sigma * sigma / 2.0).exp()) as u64),
        }
    }
}

impl FromStr for ServiceTime {
    type Err = ServiceTimeError;

    fn from_str(text: &str) -> Result<Self, ServiceTimeError> {
        let error = || ServiceTimeError(text.to_owned());
        let time = |word: &str| word.parse::<Nanos>().ok().filter(|time| time.0 > 0).ok_or_else(error);
        let words: Vec<&str> = text.split_whitespace().collect();
        match words[..] {
            ["exponential", mean] => Ok(Self::Exponential(time(mean)?)),
            ["constant", always] => Ok(Self::Constant(time(always)?)),
            ["lognormal", median, sigma] => {
                let sigma: f64 = sigma.parse().map_err(|_| error())?;
                if !(0.0..=MOST_SIGMA).contains(&sigma) {
                    return Err(error());
                }
                Ok(Self::Lognormal { median: time(median)?, sigma })
            }
            _ => Err(error()),
        }
    }
}

impl fmt::Display for ServiceTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exponential(mean) => write!(f, "exponential {mean}"),
            Self::Constant(time) => write!(f, "constant {time}"),
            Self::Lognormal { median, sigma } => write!(f, "lognormal {median} {sigma}"),
        }
    }
}

impl serde::Serialize for ServiceTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for ServiceTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl schemars::JsonSchema for ServiceTime {
    fn schema_name() -> Cow<'static, str> {
        "ServiceTime".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "description": "\"exponential 2ms\" (mean), \"constant 1ms\" or \"lognormal 2ms 0.5\" (median, standard deviation of the logarithm).",
            "pattern": r"^\s*(exponential\s+\S+|constant\s+\S+|lognormal\s+\S+\s+\S+)\s*$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand::rngs::StdRng;

    #[test]
    fn what_is_shown_reads_back_the_same() {
        for text in ["exponential 2ms", "constant 1ms", "lognormal 2ms 0.5"] {
            let service: ServiceTime = text.parse().unwrap();
            assert_eq!(service.to_string(), text);
            assert_eq!(serde_json::from_str::<ServiceTime>(&serde_json::to_string(&service).unwrap()).unwrap(), service);
        }
    }

    #[test]
    fn what_is_no_service_time_is_refused_with_examples() {
        for text in [
            "",
            "2ms",
            "exponential",
            "exponential 2",
            "constant 0s",
            "lognormal 2ms",
            "lognormal 2ms -1",
            "lognormal 2ms NaN",
            "uniform 1ms",
        ] {
            assert!(text.parse::<ServiceTime>().unwrap_err().to_string().contains("\"exponential 2ms\""), "{text}");
        }
    }

    // n = 40,000 draws. The mean of an exponential has relative standard deviation 1/√n = 0.5 %; a quantile's q-position
    // has standard deviation √(q(1−q)/n) ≤ 0.25 %. Bounds are five of these: fails by chance once in two million seeds.
    #[test]
    fn drawn_times_follow_their_law() {
        let mut random = StdRng::seed_from_u64(1);
        let n = 40_000;
        let below = |service: ServiceTime, limit: f64, random: &mut StdRng| {
            (0..n).filter(|_| (service.draw(random).0 as f64) < limit).count() as f64 / f64::from(n)
        };
        let exponential = ServiceTime::Exponential(Nanos::from_millis(2));
        let mean = (0..n).map(|_| exponential.draw(&mut random).0 as f64).sum::<f64>() / f64::from(n);
        assert!((mean / 2e6 - 1.0).abs() < 0.025, "{mean}");
        let lognormal = ServiceTime::Lognormal { median: Nanos::from_millis(2), sigma: 0.5 };
        // Median; one sigma above it; the exponential's 99th percentile at ln(100) means.
        for (service, limit, part) in
            [(lognormal, 2e6, 0.5), (lognormal, 2e6 * 0.5_f64.exp(), 0.841_345), (exponential, 2e6 * 100_f64.ln(), 0.99)]
        {
            let found = below(service, limit, &mut random);
            assert!((found - part).abs() < 0.012_5, "{service}: {found} of the draws under {limit}, not {part}");
        }
    }
}
