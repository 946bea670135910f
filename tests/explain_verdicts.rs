//! What `explain` says where the cause is known exactly, free of what a machine adds to it: requests that nobody sent.

use std::sync::Arc;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, StandardNormal};
use tailtrace::stats::histogram::Histogram;
use tailtrace::tail::{Above, Explained, Part, Place, Subject, Traced, Verdict, explain};

const PLACES: [&str; 4] = ["Proxy-Search-PreExecute", "Proxy-Search-Execute", "Delegator-waitTSafe", "SegCoreSearch"];
const MS: f64 = 1e6;

/// Five thousand requests of 5 ms or so in each place, of which `slow` says who is slower where, ns.
fn explained(slow: impl Fn(u64) -> [f64; 4], traced_of: u64) -> Explained {
    let mut random = StdRng::seed_from_u64(3);
    let places = PLACES.map(|span| Arc::new(Place { service: "standalone".to_owned(), span: span.to_owned(), path: span.to_owned() }));
    let mut histogram = Histogram::new();
    let mut traced = Vec::new();
    for number in 0..5_000 {
        let extra = slow(number);
        let parts: Vec<Part> = places
            .iter()
            .zip(extra)
            .map(|(place, extra)| {
                let scatter: f64 = StandardNormal.sample(&mut random);
                Part { place: Arc::clone(place), self_ns: (5.0 * MS * (1.0 + 0.02 * scatter) + extra) as u64 }
            })
            .collect();
        let response_ns = parts.iter().map(|part| part.self_ns).sum();
        histogram.record(response_ns);
        if random.random_range(0..traced_of) == 0 {
            let trace_id = format!("{number:032x}");
            let weight = traced_of as f64;
            traced.push(Traced {
                trace_id,
                sequence: Some(number),
                at_ns: number * 1_000_000,
                response_ns,
                weight,
                why: None,
                joined: true,
                parts,
            });
        }
    }
    let subject = Subject { traced, all: Some(histogram), sample_fraction: Some(1.0 / traced_of as f64), ..Subject::default() };
    explain(&[&subject], Above::DEFAULT).streams.remove(0)
}

/// Every fiftieth request is slower by so much in these places.
fn every_fiftieth(extra_ms: [f64; 4]) -> impl Fn(u64) -> [f64; 4] {
    move |number| if number % 50 == 0 { extra_ms.map(|ms| ms * MS) } else { [0.0; 4] }
}

#[test]
fn one_slow_place_is_named() {
    let found = explained(every_fiftieth([0.0, 0.0, 40.0, 0.0]), 1);
    assert_eq!((found.verdict, found.named.as_deref()), (Verdict::Single, Some("Delegator-waitTSafe")), "{}", found.sentence);
    // Normal scatter moves the three others by 0.1 ms each: far less than 1 % of 40 ms.
    assert!(found.rows[0].share.unwrap() > 0.98, "{:?}", found.rows[0]);
}

#[test]
fn where_all_are_alike_nobody_is_named() {
    let found = explained(|_| [0.0; 4], 1);
    assert_eq!((found.verdict, found.named), (Verdict::None, None), "{}", found.sentence);
}

#[test]
fn a_tail_that_lies_in_all_places_alike_is_pinned_on_none() {
    let found = explained(every_fiftieth([10.0; 4]), 1);
    assert_eq!((found.verdict, found.named), (Verdict::Spread, None), "{}", found.sentence);
}

#[test]
fn nine_traced_slow_requests_are_too_few_however_clear_they_are() {
    // Of the 50 above p99 one in fifty is traced: one on average.
    let found = explained(every_fiftieth([0.0, 0.0, 40.0, 0.0]), 50);
    assert_eq!((found.verdict, found.named), (Verdict::TooFew, None), "{}", found.sentence);
}
