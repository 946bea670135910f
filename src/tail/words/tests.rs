use super::*;
use crate::tail::made::{TYPICAL_MS, place, subject, traced};
use crate::tail::what_if::WhatIf;
use crate::tail::{Explanation, explain};

const P99: Above = Above::DEFAULT;

/// A row of this share and its interval, in hundredths.
fn row(span: &str, [share, low, high]: [i32; 3]) -> Row {
    let of = |hundredths: i32| Some(f64::from(hundredths) / 100.0);
    let (share, share_low, share_high) = (of(share), of(low), of(high));
    Row { place: place(span), tail_self_ns: 0, typical_self_ns: 0, excess_ns: 0, share, share_low, share_high, traces: 20 }
}

/// 1,000 requests of `operation`, 20 of them of 100 ms and more, each with the other's 10 ms traced.
fn requests_of(operation: &str) -> Subject {
    let slow = (0..20).map(|at| traced(3_000 * at, 1.0, &[("Delegator-waitTSafe", 100 + at)]));
    let typical = (20..1_000).map(|at| traced(3_000 * at, 1.0, &[("Delegator-waitTSafe", TYPICAL_MS)]));
    let all: Vec<(u64, u64)> = (0..20).map(|at| (100 + at, 1)).chain([(TYPICAL_MS, 980)]).collect();
    Subject { operation: operation.to_owned(), ..subject(&all, slow.chain(typical).collect()) }
}

fn said(subject: &Subject, above: Above, verdict: Verdict, immaterial: Option<Immaterial>, rows: &[Row]) -> String {
    let named = rows.first().map(|row| row.place.clone());
    sentence(subject, above, &Groups::of(subject, above).unwrap(), &Judged { verdict, named, immaterial }, rows)
}

#[test]
fn one_place_is_named_with_its_share_and_what_its_span_means() {
    let of = |span, shares| said(&requests_of("search"), P99, Verdict::Single, None, &[row(span, shares)]);
    assert_eq!(
        of("Delegator-waitTSafe", [81, 74, 88]),
        "81 % (74 to 88 %) of what p99 searches take longer is Delegator-waitTSafe: waiting for the consistency level's timestamp"
    );
    assert_eq!(of("Mystery", [97, 90, 105]), "97 % (90 to 100 %) of what p99 searches take longer is Mystery", "no more than all");
    assert_eq!(of("Mystery", [103, 98, 108]), "103 % (98 to 108 %) of what p99 searches take longer is Mystery");
}

#[test]
fn requests_are_called_as_people_call_them() {
    let above = Above::Time(Nanos::from_millis(50));
    for (operation, called) in [("query", "queries"), ("hybrid_search", "hybrid searches"), ("get", "gets"), ("/x/Search", "requests")] {
        let said = said(&requests_of(operation), above, Verdict::Single, None, &[row("Mystery", [81, 74, 88])]);
        assert_eq!(said, format!("81 % (74 to 88 %) of what {called} above 50ms take longer is Mystery"));
    }
}

#[test]
fn of_a_spread_tail_the_largest_places_are_listed_and_none_is_blamed() {
    let rows =
        [("a", 34), ("b", 25), ("c", 19), ("d", 17), ("e", 5), ("f", 4)].map(|(span, share)| row(span, [share, share - 2, share + 2]));
    assert_eq!(
        said(&requests_of("search"), P99, Verdict::Spread, None, &rows),
        "What p99 searches take longer is spread over many places, as when they compete for a machine: \
         34 % (32 to 36 %) a, 25 % (23 to 27 %) b, 19 % (17 to 21 %) c, 17 % (15 to 19 %) d"
    );
    assert_eq!(
        said(&requests_of("search"), P99, Verdict::Spread, None, &[row("a", [70, 20, 90]), row("b", [4, 1, 9])]),
        "What p99 searches take longer is not shown to lie in one place: 70 % (20 to 90 %) a; more traces would tell"
    );
}

#[test]
fn of_no_tail_it_is_said_why_it_is_none() {
    let of = |why| said(&requests_of("search"), P99, Verdict::None, Some(why), &[]);
    let figures = "p99 searches take 104 ms longer";
    for (why, words) in [
        (Immaterial::Empty, "there are no p99 searches".to_owned()),
        (
            Immaterial::Most,
            "more than half of all searches take longer than 109 ms, their median being 10.0 ms; let the tail begin higher".to_owned(),
        ),
        (Immaterial::Small, format!("{figures} than typical ones, which take 10.0 ms")),
        (Immaterial::Spread, format!("{figures}, and the middle half of all searches differ by ")),
        (Immaterial::Floor(30_000_000), format!("{figures} than typical ones, less than 5 times the 30.0 ms by which the instrument")),
    ] {
        let said = of(why);
        assert!(said.starts_with("No tail") && said.contains(&words), "{said}");
    }
    // Where none of them is traced there is nothing to put beside it; where the traced ones are others, that is said.
    let mut none_traced = requests_of("search");
    none_traced.traced.clear();
    let told = |subject: &Subject| said(subject, P99, Verdict::None, Some(Immaterial::Small), &[]);
    assert!(told(&none_traced).contains(&format!("{figures} than")), "{}", told(&none_traced));
    let mut others = requests_of("search");
    others.traced.iter_mut().filter(|one| one.response_ns > 100_000_000).for_each(|one| one.response_ns += 50_000_000);
    assert!(told(&others).contains("take 104 ms (the traced ones 150 ms) longer than"), "{}", told(&others));
}

#[test]
fn a_time_is_echoed_as_it_was_typed_where_that_is_short() {
    for (typed, echoed) in
        [("50ms", "50ms"), ("2.5ms", "2.5ms"), ("1500ms", "1.5s"), ("800us", "800us"), ("12.7345ms", "12.7 ms"), ("2m", "2m")]
    {
        assert_eq!(as_typed(typed.parse().unwrap()), echoed);
    }
}

#[test]
fn of_too_few_it_is_said_how_many_there_are_and_how_many_it_takes() {
    let few = |subject: &Subject| said(subject, P99, Verdict::TooFew, None, &[]);
    let mut subject = requests_of("search");
    let typical = subject.traced.split_off(20);
    assert_eq!(few(&subject), "No typical request is traced to hold the 10 traced p99 searches against");
    subject.traced = [&subject.traced[13..], &typical].concat();
    assert_eq!(few(&subject), "Too few traces to say: 7 of the 10 p99 searches are traced, and 10 are needed");
    subject.all = None;
    assert!(few(&subject).starts_with("Too few traces to say: there are "), "{}", few(&subject));
    // Of fifty requests none lies above the one that is their p99; above a time that none took there is no tail.
    let fifty: Vec<(u64, u64)> = (1..=50).map(|ms| (ms, 1)).collect();
    let fifty = crate::tail::made::subject(&fifty, (1..=50).map(|ms| traced(100 * ms, 1.0, &[("Proxy-Search", ms)])).collect());
    let of = |above: &str| explain(&[&fifty], above.parse().unwrap()).streams.remove(0);
    assert_eq!((of("p99").verdict, of("1s").verdict), (Verdict::TooFew, Verdict::None), "{}", of("p99").sentence);
}

fn projected(above: &str, quantile: f64) -> String {
    let what_if =
        WhatIf { span: "Mystery".to_owned(), quantile, now_ns: 50_000_000, left_ns: 12_000_000, low_ns: 11_000_000, high_ns: 14_000_000 };
    let subject = requests_of("search");
    let Explanation { mut streams, .. } = explain(&[&subject], above.parse().unwrap());
    super::what_if(&Explained { what_if: Some(what_if), ..streams.remove(0) }).unwrap()
}

#[test]
fn a_projection_speaks_of_the_percentile_that_was_asked_for_and_of_a_time_in_shares() {
    let figures = "12.0 ms (11.0 ms to 14.0 ms) instead of 50.0 ms";
    // Ties leave 0.97 % above the value that p99 names.
    assert_eq!(projected("p99", 0.990_22), format!("If Mystery took its typical time, p99 would be {figures}"));
    for (quantile, share) in [(0.979_19, "97.9 %"), (0.99, "99.0 %"), (0.999_66, "99.966 %"), (0.8, "80 %"), (1.0, "100 %")] {
        let wanted = format!("If Mystery took its typical time, {share} of the searches would take at most {figures}");
        assert_eq!(projected("50ms", quantile), wanted);
    }
}

#[test]
fn each_difference_of_the_traced_ones_is_a_sentence_with_both_figures() {
    let of = |about, traced, all| difference(&Difference { about, traced, all });
    for (said, parts) in [
        (of(About::Number, 20.0, 100.0), ["stand for 20 of the 100", "slow requests are missing"]),
        (of(About::Number, 300.0, 100.0), ["stand for 300, and there were 100", "other requests are missing"]),
        (of(About::Latency, 80e6, 50e6), ["took 80.0 ms on average", "all slow ones 50.0 ms"]),
        (of(About::Time, 0.8, 0.25), ["at other times", "80 % apart"]),
        (of(About::Stream, 0.91, 0.5), ["91 % are this one's by the traces", "in fact 50 %"]),
    ] {
        assert!(parts.iter().all(|part| said.contains(part)), "{said}");
    }
}

#[test]
fn what_is_missing_beside_the_figures_is_noted() {
    let noted = |subject: &Subject| explain(&[subject], P99).streams.remove(0).notes.join("\n");
    let whole = requests_of("search");
    assert_eq!(noted(&whole), "");
    let lost = Subject { without_trace: 250, ..requests_of("search") };
    assert_eq!(noted(&lost), "250 sampled requests (20 %) have no trace: their spans were lost on the way");
    let foreign = Subject { all: None, ..requests_of("search") };
    assert!(noted(&foreign).contains("equally likely"));
    // The slowest two fifths of them, of which p75 is one.
    let among = explain(&[&subject(&[(10, 600), (20, 400)], Vec::new())], "15ms".parse().unwrap()).streams.remove(0).notes;
    assert!(among[0].starts_with("the tail begins below p75 (20.0 ms)"), "{among:?}");
    let mut cut = requests_of("search");
    cut.traced.iter_mut().for_each(|one| one.joined = false);
    assert!(noted(&cut).contains("`tailtrace doctor SCENARIO` says which link is broken"));
}

#[test]
fn advice_is_that_of_the_named_span_or_of_the_kind_of_tail() {
    let subject = requests_of("search");
    let of = |verdict, span| {
        let judged = Judged { verdict, named: Some(place(span)), immaterial: None };
        advice(&subject, P99, &Groups::of(&subject, P99).unwrap(), &judged, &[])
    };
    assert!(of(Verdict::Single, "Delegator-waitTSafe").is_some_and(|advice| advice.contains("consistency bounded")));
    assert_eq!(of(Verdict::Single, "Mystery"), None);
    assert!(of(Verdict::Spread, "Mystery").is_some_and(|advice| advice.starts_with("no single part is to blame")));
    assert_eq!(of(Verdict::None, "Mystery"), None);
    // Most of it lies in one place, which is not shown: more traces tell, and a fraction only where there is more to sample.
    let unclear = |fraction| {
        let judged = Judged { verdict: Verdict::Spread, named: None, immaterial: None };
        let sampled = Subject { sample_fraction: fraction, ..subject.clone() };
        advice(&sampled, P99, &Groups::of(&subject, P99).unwrap(), &judged, &[row("a", [70, 20, 90])]).unwrap()
    };
    assert_eq!(unclear(Some(0.1)), "trace more of them: a higher trace.sample_fraction, or a longer time");
    assert_eq!([unclear(Some(1.0)), unclear(None)], ["trace more of them: a longer time"; 2]);
    let loud = Judged { verdict: Verdict::None, named: None, immaterial: Some(Immaterial::Floor(1)) };
    let said = advice(&subject, P99, &Groups::of(&subject, P99).unwrap(), &loud, &[]);
    assert!(said.is_some_and(|advice| advice.starts_with("repeat it on a quieter machine")));
}
