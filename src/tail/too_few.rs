//! Too few slow requests are traced: what would trace enough, and what the traces at hand are enough for.

use crate::units::count;

use super::above::Above;
use super::groups::Groups;
use super::subject::Subject;
use super::verdict::{Verdict, judge};

/// So many traced slow requests are aimed at: with 16 expected there are 10 with 95 % certainty (Poisson).
pub const AIM_TRACED: u64 = 16;
const AIM: f64 = AIM_TRACED as f64;

/// A day, in s: nobody runs a load for longer to get some traces.
const LONGEST_S: f64 = 86_400.0;

/// Where a tail may begin instead, the furthest out first. Further in it would take in typical requests.
const LOWER: [f64; 10] = [0.999, 0.998, 0.995, 0.99, 0.98, 0.97, 0.95, 0.9, 0.8, 0.75];

/// Which sample fraction, which duration or which lower percentile gives enough.
pub(super) fn advice(subject: &Subject, groups: &Groups<'_>, above: Above) -> String {
    let mut more = more_traces(subject, groups, above);
    if subject.oddities.cut > 0 {
        more = format!(
            "see first why {} traces have lost spans (`tailtrace doctor SCENARIO` says which link is broken); {more}",
            count(subject.oddities.cut)
        );
    }
    match lower(subject) {
        Some((above, found)) => {
            let (traced, requests) = (count(found.tail_figures.traced), count(found.tail_figures.requests));
            let of = if subject.all.is_some() { format!("{traced} of {requests} are traced") } else { format!("there are {traced}") };
            format!("{more}; the traces at hand are enough for --above {above}, where {of}")
        }
        None => more,
    }
}

fn more_traces(subject: &Subject, groups: &Groups<'_>, above: Above) -> String {
    let slow = match (groups.tail_figures.requests, above, &subject.all) {
        // So few that none lies above the percentile: on average there is a part of one.
        (0, Above::Quantile(quantile), Some(all)) => all.count() as f64 * (1.0 - quantile),
        (slow, _, _) => slow as f64,
    };
    let Some(fraction) = subject.sample_fraction.filter(|_| subject.all.is_some()) else {
        return "take in more of them, from a longer time".to_owned();
    };
    let mut ways = Vec::new();
    if slow >= AIM && fraction < 1.0 {
        let wanted = two_digits_up(AIM / slow).min(1.0);
        if wanted > fraction {
            ways.push(format!("trace.sample_fraction = {wanted}"));
        }
    }
    if let Some(length) = subject.length_ns.filter(|_| fraction > 0.0 && slow > 0.0) {
        // What was found says more than what was to be expected, where it says anything.
        let expected = (slow * fraction).max(groups.tail_figures.traced as f64 / 2.0);
        let seconds = two_digits_up((length as f64 / 1e9 * AIM / expected).max(1.0));
        if seconds <= LONGEST_S {
            ways.push(format!("load.duration = \"{seconds}s\""));
        } else if ways.is_empty() {
            let days = (seconds / LONGEST_S).ceil();
            return format!("let the tail begin lower: at this trace.sample_fraction a run traces {AIM} of them in some {days} days");
        }
    }
    match ways.as_slice() {
        [] if fraction == 0.0 => "nothing is sampled: set trace.sample_fraction".to_owned(),
        [] => "run it for longer".to_owned(),
        ways => format!("{} would trace some {AIM} of them", ways.join(" or ")),
    }
}

/// The highest percentile at which the traces at hand say something; it is lower than the one asked for, where they did not.
fn lower(subject: &Subject) -> Option<(Above, Groups<'_>)> {
    LOWER.into_iter().map(Above::Quantile).filter_map(|above| Some((above, Groups::of(subject, above)?))).find(|(above, found)| {
        // Without rows to name one by, what is neither of the two is a tail with enough traces.
        !matches!(judge(subject, found, *above, &[]).verdict, Verdict::TooFew | Verdict::None)
    })
}

/// Rounded up to two digits: 0.0533 is 0.054.
fn two_digits_up(value: f64) -> f64 {
    let step = 10_f64.powf(value.log10().floor() - 1.0);
    let rounded = (value / step - 1e-9).ceil() * step;
    // Through the text, so that 0.054 is 0.054 and not 0.054000000000000006.
    format!("{rounded:.12}").parse().unwrap_or(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::histogram::Histogram;
    use crate::tail::made::{TYPICAL_MS, subject, traced};
    use crate::tail::{Explained, FEWEST_TRACED, Traced, explain};
    use crate::units::Nanos;

    /// 1,000 requests, `slow` of them of 100 to 1,100 ms, of which every `nth` is traced, and every `nth` typical one.
    fn sampled(slow: u64, nth: usize) -> Subject {
        let slow_ms: Vec<u64> = (0..slow).map(|n| 100 + 1_000 * n / slow).collect();
        let of = |ms: u64, at: u64| traced(at, nth as f64, &[("Proxy-Search", TYPICAL_MS), ("Delegator-waitTSafe", ms - TYPICAL_MS)]);
        let mut requests: Vec<_> = slow_ms.iter().rev().step_by(nth).zip(0..).map(|(ms, at)| of(*ms, 5_000 * at)).collect();
        requests.extend((0..(1_000 - slow) / nth as u64).map(|at| traced(at, nth as f64, &[("Proxy-Search", TYPICAL_MS)])));
        let mut all: Vec<(u64, u64)> = slow_ms.iter().map(|ms| (*ms, 1)).collect();
        all.push((TYPICAL_MS, 1_000 - slow));
        Subject { sample_fraction: Some(1.0 / nth as f64), length_ns: Some(30_000_000_000), ..subject(&all, requests) }
    }

    fn explained(subject: &Subject, above: Above) -> Explained {
        explain(&[subject], above).streams.remove(0)
    }

    #[test]
    fn the_highest_percentile_with_enough_traces_is_named_and_explains_there() {
        let subject = sampled(200, 8);
        let found = explained(&subject, Above::DEFAULT);
        // Of the 10 above p99 two are traced; of the 50 above p95 seven, of the 100 above p90 thirteen.
        assert_eq!((found.verdict, found.tail.traced), (Verdict::TooFew, 2), "{}", found.sentence);
        let advice = found.advice.unwrap();
        assert!(advice.ends_with("the traces at hand are enough for --above p90, where 13 of 100 are traced"), "{advice}");
        let lower = explained(&subject, "p90".parse().unwrap());
        assert_eq!((lower.verdict, lower.tail.traced, lower.tail.requests), (Verdict::Single, 13, 100), "{}", lower.sentence);
        let higher = explained(&subject, "p95".parse().unwrap());
        assert!(higher.verdict == Verdict::TooFew && higher.tail.traced < FEWEST_TRACED, "{}", higher.sentence);
    }

    /// One request above p99.9 at one in 8,000: at such a rate a run of days.
    #[test]
    fn where_no_run_is_long_enough_a_lower_beginning_is_advised() {
        let rare = Subject { sample_fraction: Some(0.000_125), ..sampled(200, 8) };
        let found = explained(&rare, "p99.99".parse().unwrap());
        assert_eq!(found.verdict, Verdict::TooFew, "{}", found.sentence);
        let advice = found.advice.unwrap();
        let days = "let the tail begin lower: at this trace.sample_fraction ";
        assert!(advice.starts_with(days) && !advice.contains("load.duration"), "{advice}");
        // Where there are enough slow ones to sample, that is what is advised, and no run of days beside it.
        let mut unsampled = Subject { sample_fraction: Some(0.000_01), ..sampled(200, 8) };
        unsampled.traced.retain(|one| one.response_ns < Nanos::from_millis(100).0);
        let found = explained(&unsampled, Above::Time(Nanos::from_millis(897)));
        let advice = found.advice.unwrap();
        assert!(advice.starts_with("trace.sample_fraction = 0.4 would trace some 16 of them"), "{advice}");
    }

    #[test]
    fn of_a_tail_that_begins_at_a_time_the_percentile_is_a_lower_one() {
        // 40 are of 900 ms and more.
        let found = explained(&sampled(200, 8), Above::Time(Nanos::from_millis(897)));
        assert_eq!((found.verdict, found.tail.requests), (Verdict::TooFew, 40), "{}", found.sentence);
        assert!(found.advice.unwrap().contains("--above p90,"));
    }

    #[test]
    fn where_no_lower_percentile_would_do_none_is_named() {
        // Eight slow ones, all traced: whatever lies further in is typical.
        let few = sampled(8, 1);
        let found = explained(&few, Above::Time(Nanos::from_millis(50)));
        assert_eq!((found.verdict, found.tail.traced), (Verdict::TooFew, 8), "{}", found.sentence);
        let advice = found.advice.unwrap();
        assert!(advice.contains("load.duration") && !advice.contains("--above"), "{advice}");
    }

    #[test]
    fn a_percentile_beyond_which_there_is_no_tail_is_none_to_name() {
        // Four of 11 ms, all others of 9.5 to 10 ms: the twenty beyond p98 take 0.4 ms longer than typical ones, which is none.
        let of = |us: u64, at: u64| Traced { response_ns: us * 1_000, ..traced(at, 1.0, &[("Proxy-Search", TYPICAL_MS)]) };
        let requests: Vec<Traced> = (0..1_000).map(|n| of(if n < 4 { 11_000 } else { 9_500 + 500 * n / 1_000 }, 3_000 * n)).collect();
        let mut all = Histogram::new();
        for one in &requests {
            all.record(one.response_ns);
        }
        let few = Subject { traced: requests, all: Some(all), sample_fraction: Some(1.0), ..Subject::default() };
        let found = explained(&few, Above::Time(Nanos::from_micros(10_500)));
        assert_eq!((found.verdict, found.tail.traced), (Verdict::TooFew, 4), "{}", found.sentence);
        assert!(!found.advice.unwrap().contains("--above"));
    }

    #[test]
    fn more_traces_come_from_a_larger_fraction_or_a_longer_run() {
        // 16 of 10 cannot be traced; with 10/8 expected in 30 s it takes 12.8 times as long.
        let advice = |slow, nth, above| explained(&sampled(slow, nth), above).advice.unwrap();
        let ten = advice(200, 8, Above::DEFAULT);
        assert!(ten.starts_with("load.duration = \"390s\" would trace some 16 of them; "), "{ten}");
        // 16 of 40 are two fifths; 40/8 expected: 3.2 times as long.
        let forty = advice(200, 8, Above::Time(Nanos::from_millis(897)));
        assert!(forty.starts_with("trace.sample_fraction = 0.4 or load.duration = \"96s\" would trace some 16 of them; "), "{forty}");
        let nothing = explained(&Subject { sample_fraction: Some(0.0), traced: Vec::new(), ..sampled(200, 8) }, Above::DEFAULT);
        assert_eq!(nothing.advice.as_deref(), Some("nothing is sampled: set trace.sample_fraction"));
    }

    #[test]
    fn of_another_clients_traces_neither_fraction_nor_duration_is_spoken_of() {
        let found = explained(&Subject { all: None, sample_fraction: None, ..sampled(200, 8) }, Above::DEFAULT);
        assert_eq!(found.verdict, Verdict::TooFew, "{}", found.sentence);
        let advice = found.advice.unwrap();
        assert!(advice.starts_with("take in more of them, from a longer time; the traces at hand are enough for --above p9"), "{advice}");
        assert!(advice.contains("where there are 1"), "{advice}");
    }

    #[test]
    fn figures_to_set_are_rounded_up_to_two_digits() {
        assert_eq!([0.053_3, 0.4, 384.0, 1.0].map(two_digits_up), [0.054, 0.4, 390.0, 1.0]);
    }
}
