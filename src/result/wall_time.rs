//! A time of day as results write it.

use std::fmt;
use std::str::FromStr;

/// A point on the wall clock in ns since 1970, written as RFC 3339 in UTC: `2026-03-01T09:30:00.25Z`.
///
/// ```
/// use tailtrace::result::WallTime;
/// assert_eq!(WallTime::from_unix_ns(1_500_000_000).to_string(), "1970-01-01T00:00:01.5Z");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct WallTime {
    unix_ns: u64,
}

impl WallTime {
    /// The point so many ns after 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_unix_ns(unix_ns: u64) -> Self {
        Self { unix_ns }
    }

    /// Nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn unix_ns(self) -> u64 {
        self.unix_ns
    }

    /// For names of directories, to the second: `20260301T093000Z`. Sorts by time.
    #[must_use]
    pub fn compact(self) -> String {
        self.timestamp().strftime("%Y%m%dT%H%M%SZ").to_string()
    }

    fn timestamp(self) -> jiff::Timestamp {
        // 2^64 ns end in the year 2554, and jiff's calendar in 9999: every value has its timestamp.
        jiff::Timestamp::from_nanosecond(i128::from(self.unix_ns)).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for WallTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.timestamp().fmt(f)
    }
}

impl FromStr for WallTime {
    type Err = jiff::Error;

    fn from_str(text: &str) -> Result<Self, jiff::Error> {
        let ns = text.parse::<jiff::Timestamp>()?.as_nanosecond();
        // Times before 1970 do not come from a run; they read as 1970 rather than as an error in the middle of a report.
        Ok(Self { unix_ns: u64::try_from(ns).unwrap_or_default() })
    }
}

impl serde::Serialize for WallTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for WallTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <std::borrow::Cow<'de, str>>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back_to_the_nanosecond() {
        for ns in [0, 1, 1_772_357_400_250_000_001, 4_000_000_000_000_000_000] {
            let time = WallTime::from_unix_ns(ns);
            assert_eq!(time.to_string().parse::<WallTime>().unwrap(), time);
        }
    }

    #[test]
    fn a_known_day_is_written_as_people_write_it() {
        let time = WallTime::from_unix_ns(1_772_357_400_250_000_000);
        assert_eq!(time.to_string(), "2026-03-01T09:30:00.25Z");
        assert_eq!(time.compact(), "20260301T093000Z");
    }
}
