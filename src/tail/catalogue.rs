//! What Milvus's spans mean and what to try where one of them is slow. Unknown spans are named as they are.
//!
//! Names and meanings are those of Milvus 2.3 to 2.6, which opens them in its proxy, its query nodes and its index library; those of
//! [`super::NETWORK_AND_CLIENT`], [`super::WAITING_IN_THE_GENERATOR`] and [`super::GIVEN_UP_UNSEEN`] are tailtrace's own.

use super::attribution::{GIVEN_UP_UNSEEN, NETWORK_AND_CLIENT, WAITING_IN_THE_GENERATOR};

/// What is known of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// What the time goes into, to follow a colon.
    pub meaning: &'static str,
    /// What to try.
    pub advice: &'static str,
}

/// How a name is recognised.
#[derive(Clone, Copy)]
enum Name {
    Is(&'static str),
    Begins(&'static str),
    Ends(&'static str),
}

impl Name {
    fn matches(self, span: &str) -> bool {
        match self {
            Self::Is(name) => span == name,
            Self::Begins(begin) => span.starts_with(begin),
            Self::Ends(end) => span.ends_with(end),
        }
    }
}

use Name::{Begins, Ends, Is};

/// The first that matches counts.
const CATALOGUE: [(&[Name], Known); 18] = [
    (
        &[Is(NETWORK_AND_CLIENT)],
        Known {
            meaning: "between the client's span and the server's (network, the connection's own queues, the client itself)",
            advice: "compare with a client on the server's machine; look at the CPU of both ends, at the network between them, and at \
                     what stands there (proxies, load balancers); more connections (load.channels) help where one is the limit",
        },
    ),
    (
        &[Is(WAITING_IN_THE_GENERATOR)],
        Known {
            meaning: "due, and not sent yet",
            advice: "this is not the target's time: raise load.lanes, raise the stream's max_in_flight, or lower the rate",
        },
    ),
    (
        &[Is(GIVEN_UP_UNSEEN)],
        Known {
            meaning: "no answer within the timeout, and no span of the server: the request did not get there, or the server had not ended it",
            advice: "see in the server's log whether it has these requests; a longer timeout lets its spans end, which then name the place",
        },
    ),
    (
        &[Is("Delegator-waitTSafe")],
        Known {
            meaning: "waiting for the consistency level's timestamp",
            advice: "where consistency is strong: search with consistency bounded or eventually if answers may lag behind writes; otherwise look at what \
                     delays the time ticks: the message queue, the load of writes, proxy.timeTickInterval",
        },
    ),
    (
        &[Ends("-Queue")],
        Known {
            meaning: "waiting for a free server",
            advice: "more requests come than are served at that moment: lower the rate, add servers, or make each request cheaper",
        },
    ),
    (
        &[Is("schedule")],
        Known {
            meaning: "waiting in the query node's queue",
            advice: "the query nodes have more searches than they work on at once: add query nodes or replicas, or lower the rate",
        },
    ),
    (
        &[Is("SegCoreSearch"), Is("SegcoreSearch")],
        Known {
            meaning: "the search itself, in a segment's index",
            advice: "look at the query nodes' CPU; cheaper search parameters (ef, nprobe), fewer and larger segments (compaction), or more \
                     query nodes",
        },
    ),
    (
        &[Ends("RootCoord/AllocTimestamp"), Is("AllocTimestamp")],
        Known {
            meaning: "asking the root coordinator for a timestamp",
            advice: "look at the root coordinator's CPU and at etcd, whose disk must be fast",
        },
    ),
    (
        &[Is("SendMsg")],
        Known {
            meaning: "handing rows over to the message queue",
            advice: "look at the message queue (RocksMQ's disk, Pulsar, Kafka) and at the size of the batches",
        },
    ),
    (
        &[Is("Proxy-Search-PreExecute"), Is("Proxy-Query-PreExecute"), Is("Proxy-HybridSearch-PreExecute")],
        Known {
            meaning: "the proxy checks the request and looks up the collection",
            advice: "slow where the proxy's caches are cold, after a start or a change of the schema; then look at the proxy's CPU",
        },
    ),
    (
        &[Is("Proxy-Search-Execute"), Is("Proxy-Query-Execute"), Is("Proxy-HybridSearch-Execute")],
        Known {
            meaning: "the query nodes' work as far as they do not trace it, and the way to them",
            advice: "look at the query nodes' CPU and at the number of searches that they work on at once",
        },
    ),
    (
        &[Is("Proxy-Search-PostExecute"), Is("Proxy-Query-PostExecute"), Is("Proxy-HybridSearch-PostExecute")],
        Known {
            meaning: "the proxy puts the shards' answers together",
            advice: "smaller top_k, fewer output fields; then look at the proxy's CPU",
        },
    ),
    (
        &[Ends("-PreExecute")],
        Known {
            meaning: "the proxy checks the rows and gives them ids",
            advice: "smaller batches; then look at the proxy's CPU and at the root coordinator, which hands out ids",
        },
    ),
    (
        &[Ends("-Execute")],
        Known {
            meaning: "the proxy packs the rows and hands them to the message queue",
            advice: "look at the message queue, and at the size of the batches",
        },
    ),
    (&[Ends("Task")], Known { meaning: "the proxy works on the request, outside of its traced steps", advice: "look at the proxy's CPU" }),
    (
        &[Begins("Proxy-")],
        Known {
            meaning: "inside the proxy before and between its steps, where requests wait for their turn",
            advice: "the proxy has more requests than it works on at once: add proxies, lower the rate, or look at its CPU",
        },
    ),
    (
        &[Begins("milvus.proto.milvus.MilvusService/")],
        Known {
            meaning: "the server's gRPC work around the request: decoding, interceptors, encoding",
            advice: "large requests or answers, authentication and rate limits show here; look at the server's CPU",
        },
    ),
    (
        &[Begins("milvus.proto.")],
        Known {
            meaning: "a call between Milvus's own parts, as far as the called one does not trace it",
            advice: "look at the called part's CPU, and at the network to it",
        },
    ),
];

/// What is known of a span's name.
#[must_use]
pub fn known(span: &str) -> Option<Known> {
    CATALOGUE.iter().find(|(names, _)| names.iter().any(|name| name.matches(span))).map(|(_, known)| *known)
}

/// Whether Milvus runs work in this span that it hangs below a span further up. A search whose answer holds fields that the
/// index does not queries them in its last step, and a query that begins inside of another span begins its task beside itself.
#[must_use]
pub(super) fn runs_what_hangs_elsewhere(span: &str) -> bool {
    matches!(span, "Proxy-Search-PostExecute" | "Proxy-HybridSearch-PostExecute" | "Proxy-Query")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spans_of_a_search_and_of_an_insert_are_known_by_what_they_are() {
        for (span, word) in [
            ("network and client", "network"),
            ("waiting in the generator", "not sent yet"),
            ("given up without a server's span", "did not get there"),
            ("Delegator-waitTSafe", "consistency level's timestamp"),
            ("Proxy-Search-Queue", "free server"),
            ("SegCoreSearch", "index"),
            ("milvus.proto.rootcoord.RootCoord/AllocTimestamp", "root coordinator for a timestamp"),
            ("Proxy-Search-PreExecute", "checks the request"),
            ("Proxy-Search-Execute", "query nodes' work"),
            ("Proxy-Search-PostExecute", "answers together"),
            ("Proxy-Insert-PreExecute", "checks the rows"),
            ("Proxy-Insert-Execute", "message queue"),
            ("SearchTask", "outside of its traced steps"),
            ("Proxy-Search", "wait for their turn"),
            ("milvus.proto.milvus.MilvusService/Search", "gRPC work"),
            ("milvus.proto.query.QueryNode/Search", "between Milvus's own parts"),
        ] {
            let found = known(span).unwrap_or_else(|| panic!("{span} is not known"));
            assert!(found.meaning.contains(word) && !found.advice.is_empty(), "{span}: {found:?}");
        }
        assert_eq!(known("checkout"), None);
    }
}
