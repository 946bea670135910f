//! What is found out about one link of the chain, and about all of them.

use serde::{Deserialize, Serialize};

/// One link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// `target`, `trace settings`, `jaeger`, `collector`, `propagation`, `request`, `client span`, `server spans`, `clocks`.
    pub name: String,
    /// Whether it holds; `null` where that was not or could not be looked at.
    pub ok: Option<bool>,
    /// What was seen.
    pub seen: String,
    /// Of a broken link, why it is broken as far as can be told.
    pub cause: Option<String>,
    /// Of a broken link, what to change, and where.
    pub fix: Option<String>,
}

impl Link {
    pub(super) fn holds(name: &str, seen: impl Into<String>) -> Self {
        Self { name: name.to_owned(), ok: Some(true), seen: seen.into(), cause: None, fix: None }
    }

    pub(super) fn unknown(name: &str, seen: impl Into<String>) -> Self {
        Self { ok: None, ..Self::holds(name, seen) }
    }

    pub(super) fn broken(name: &str, seen: impl Into<String>, cause: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { ok: Some(false), cause: Some(cause.into()), fix: Some(fix.into()), ..Self::holds(name, seen) }
    }
}

/// The chain from the client to where traces are looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Whether every link holds.
    pub whole: bool,
    /// In order.
    pub links: Vec<Link>,
    /// The trace of the request that was sent, 32 hex digits.
    pub trace_id: Option<String>,
    /// What is worth knowing and breaks nothing.
    pub notes: Vec<String>,
}

impl Diagnosis {
    pub(super) fn new(links: Vec<Link>, trace_id: Option<String>, notes: Vec<String>) -> Self {
        // Trace settings that a server does not offer are no gap: its spans prove more. As the client's span does of its collector.
        let taken = links.iter().any(|link| link.name == super::CLIENT_SPAN && link.ok == Some(true));
        let proven = |link: &Link| link.name == super::TRACE_SETTINGS || (link.name == super::COLLECTOR && taken);
        let open = |link: &Link| link.ok.is_none() && !proven(link);
        let whole = links.iter().all(|link| link.ok != Some(false) && !open(link));
        Self { whole, links, trace_id, notes }
    }

    /// The links that are broken, in order.
    pub fn broken(&self) -> impl Iterator<Item = &Link> {
        self.links.iter().filter(|link| link.ok == Some(false))
    }

    /// The first of them.
    #[must_use]
    pub fn first_broken(&self) -> Option<&Link> {
        self.broken().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_collector_that_says_nothing_is_proven_by_the_span_that_it_takes() {
        let whole = |collector: Link, span: Link| Diagnosis::new(vec![collector, span], None, Vec::new()).whole;
        let silent = || Link::unknown("collector", "says nothing");
        assert!(whole(silent(), Link::holds("client span", "arrived")));
        assert!(!whole(silent(), Link::unknown("client span", "not there yet")));
        assert!(!whole(Link::broken("collector", "", "", ""), Link::holds("client span", "arrived")));
    }
}
