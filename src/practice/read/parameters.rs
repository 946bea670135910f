//! The key/value pairs that come with a search or a query.

use crate::practice::refusal::Refusal;
use crate::wire::common::KeyValuePair;
use crate::workload::Metric;

/// Milvus's limits.
pub(crate) const MOST_HITS: usize = 16_384;

/// The value of a key, if it is there.
pub(crate) fn text<'a>(pairs: &'a [KeyValuePair], key: &str) -> Option<&'a str> {
    pairs.iter().find(|pair| pair.key == key).map(|pair| pair.value.as_str())
}

/// The value of a key as a whole number from 0 on.
pub(crate) fn number(pairs: &[KeyValuePair], key: &str) -> Result<Option<usize>, Refusal> {
    let read = |text: &str| {
        text.trim().parse().map_err(|_| Refusal::invalid(format!("{key} [{text}] is invalid, it should be a number from 0 on")))
    };
    text(pairs, key).map(read).transpose()
}

/// How many hits (or rows) are asked for, behind how many that are skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    pub(crate) offset: usize,
    pub(crate) limit: usize,
}

impl Page {
    /// Reads the page of a search (`topk`) or of a query or hybrid search (`limit`); `None` where no limit is given.
    pub(crate) fn read(pairs: &[KeyValuePair], key: &str) -> Result<Option<Self>, Refusal> {
        let offset = number(pairs, "offset")?.unwrap_or(0);
        let Some(limit) = number(pairs, key)? else { return Ok(None) };
        if limit == 0 || limit + offset > MOST_HITS {
            return Err(Refusal::invalid(format!(
                "{key} [{limit}] and offset [{offset}] are invalid: {key} from 1, together at most {MOST_HITS}"
            )));
        }
        Ok(Some(Self { offset, limit }))
    }
}

/// The metric: what the search says, else what the index says, else L2. The two must not contradict.
pub(crate) fn metric(asked: Option<&str>, indexed: Option<&str>) -> Result<Metric, Refusal> {
    let read = |text: &str| text.parse::<Metric>().map_err(|error| Refusal::invalid(error.to_string()));
    let asked = asked.filter(|text| !text.is_empty()).map(read).transpose()?;
    let indexed = indexed.map(read).transpose()?;
    match (asked, indexed) {
        (Some(asked), Some(indexed)) if asked != indexed => {
            Err(Refusal::invalid(format!("metric type not match: invalid parameter[expected={indexed}][actual={asked}]")))
        }
        (asked, indexed) => Ok(asked.or(indexed).unwrap_or_default()),
    }
}
