//! Are the traced slow requests of the streams that all slow ones are of?
//!
//! What a stream's traced slow requests stand for, over the number of all its slow ones, is 1 in expectation whatever the chances of
//! its requests were: so its ratio to that of the other streams together is held against 1.

use crate::stats::weighted::{Beside, Clump, ratio};

use super::{About, CONFIDENCE, Difference, Groups, NUMBER, Subject, by_clump, heaviest};

/// One stream's slow requests.
#[derive(Debug, Clone, Default)]
struct Slow {
    /// What the traced ones of each clump stand for.
    stand_for: Vec<f64>,
    /// The most that one may stand for that happened not to be traced.
    heaviest: f64,
    /// All of them, traced or not.
    all: f64,
}

impl Slow {
    /// `None` where all requests are not known, none is slow, or the ratio takes none: then nothing is expected of the traces.
    fn of(subject: &Subject, groups: Option<&Groups<'_>>) -> Option<Self> {
        let groups = groups.filter(|groups| groups.tail_figures.requests > 0)?;
        let known = subject.all.is_some() && subject.sample_fraction.is_some_and(|fraction| fraction > 0.0);
        let all = groups.tail_figures.requests as f64;
        known.then(|| Self { stand_for: by_clump(&groups.tail), heaviest: heaviest(subject, &groups.tail), all })
    }

    /// All of these streams together.
    fn together<'a>(streams: impl Iterator<Item = &'a Self>) -> Self {
        streams.fold(Self::default(), |mut sum, one| {
            sum.stand_for.extend(&one.stand_for);
            sum.heaviest = sum.heaviest.max(one.heaviest);
            sum.all += one.all;
            sum
        })
    }

    fn stands_for(&self) -> f64 {
        self.stand_for.iter().sum()
    }

    /// What the traced ones stand for of each slow one.
    fn coverage(&self) -> f64 {
        self.stands_for() / self.all
    }
}

/// A slow request of either side that may have been missed.
struct Missed<'a> {
    fewer: &'a Slow,
    more: &'a Slow,
}

impl Beside for Missed<'_> {
    fn missed(&self, theta: f64) -> (f64, f64) {
        (self.fewer.heaviest / self.fewer.all, theta * self.more.heaviest / self.more.all)
    }
}

/// For each stream what differs, if its part of all streams' slow requests is another by the traces than in fact. Each is held against
/// the others together, and they share the chance of a false alarm (Bonferroni's inequality).
pub(in crate::tail) fn by_stream(subjects: &[&Subject], groups: &[Option<Groups<'_>>]) -> Vec<Option<Difference>> {
    compare(&subjects.iter().zip(groups).map(|(subject, groups)| Slow::of(subject, groups.as_ref())).collect::<Vec<_>>())
}

fn compare(streams: &[Option<Slow>]) -> Vec<Option<Difference>> {
    let confidence = 1.0 - (1.0 - CONFIDENCE) / streams.iter().flatten().count().max(1) as f64;
    let against_others = |(at, own): (usize, &Option<Slow>)| {
        let others = Slow::together(streams.iter().enumerate().filter(|(other, _)| *other != at).filter_map(|(_, other)| other.as_ref()));
        difference(own.as_ref()?, &others, confidence)
    };
    streams.iter().enumerate().map(against_others).collect()
}

fn difference(own: &Slow, others: &Slow, confidence: f64) -> Option<Difference> {
    if others.all == 0.0 {
        return None;
    }
    let (fewer, more) = if own.coverage() < others.coverage() { (own, others) } else { (others, own) };
    let unit = |of: &Slow, weight: &f64| weight / of.all;
    let above = fewer.stand_for.iter().map(|weight| Clump { above: unit(fewer, weight), below: 0.0 });
    let below = more.stand_for.iter().map(|weight| Clump { above: 0.0, below: unit(more, weight) });
    let found = ratio(&above.chain(below).collect::<Vec<_>>(), &Missed { fewer, more }, confidence)?;
    let differs = found.value * NUMBER < 1.0 && !found.interval.contains(1.0);
    let (traced, all) = (own.stands_for() / (own.stands_for() + others.stands_for()), own.all / (own.all + others.all));
    differs.then_some(Difference { about: About::Stream, traced, all })
}

#[cfg(test)]
mod tests {
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;
    use crate::tail::made::{TYPICAL_MS, subject, traced};
    use crate::tail::{Above, explain};
    use crate::units::Nanos;

    /// Slow requests of which so many are traced, each for so many.
    fn slow(all: u32, traced: usize, weight: f64) -> Slow {
        Slow { stand_for: vec![weight; traced], heaviest: weight, all: f64::from(all) }
    }

    fn told<const N: usize>(streams: [Slow; N]) -> [bool; N] {
        let found = compare(&streams.map(Some));
        std::array::from_fn(|at| found[at].is_some())
    }

    #[test]
    fn a_stream_whose_slow_requests_are_traced_half_as_often_as_the_others_is_told_and_so_are_the_others() {
        // Neither is off by half by itself: 280 for 200, and 140.
        let found = compare(&[slow(200, 140, 2.0), slow(200, 70, 2.0)].map(Some));
        let of = |traced: f64| Some(Difference { about: About::Stream, traced, all: 0.5 });
        assert_eq!(found, [of(280.0 / 420.0), of(140.0 / 420.0)]);
        // Of four, the one; the three others hold each other up.
        let whole = || slow(200, 100, 2.0);
        assert_eq!(told([whole(), slow(200, 20, 2.0), whole(), whole()]), [false, true, false, false]);
    }

    #[test]
    fn a_stream_of_which_no_slow_request_is_traced_is_told() {
        assert_eq!(told([slow(200, 40, 5.0), slow(200, 0, 5.0)]), [true, true]);
        // Of twelve that are sampled at a fifth, none is traced once in fifteen times.
        assert_eq!(told([slow(200, 40, 5.0), slow(12, 0, 5.0)]), [false, false]);
    }

    #[test]
    fn what_is_lost_of_all_streams_alike_is_no_difference_between_them_and_one_stream_differs_from_nothing() {
        assert_eq!(told([slow(200, 40, 2.5), slow(1_000, 40, 12.5)]), [false, false]);
        assert_eq!(told([slow(200, 10, 2.5)]), [false]);
        assert_eq!(compare(&[Some(slow(200, 10, 2.5)), None]), [None, None], "nothing is known of the other");
        assert_eq!(told([slow(200, 0, 5.0), slow(100, 0, 5.0)]), [false, false], "nothing is traced");
    }

    /// 3,000 runs of three streams, whose slow requests are sampled at 1/10, 1/50 and in bursts of five at once. The chance that a run has
    /// a false alarm is 0.001 at most, so three are expected, and more than twelve come with one seed in 60,000 (Poisson).
    #[test]
    fn streams_that_are_sampled_by_chance_alone_are_told_once_in_a_thousand_runs() {
        let mut random = rand_pcg::Pcg64Mcg::seed_from_u64(3);
        let mut drawn = |clumps: usize, size: f64, fraction: f64| {
            let stand_for: Vec<f64> = (0..clumps).filter(|_| random.random::<f64>() < fraction).map(|_| size / fraction).collect();
            Slow { stand_for, heaviest: 1.0 / fraction, all: size * clumps as f64 }
        };
        let (mut alarms, mut apart) = (0, 0);
        for _ in 0..3_000 {
            let streams = [drawn(200, 1.0, 0.1), drawn(500, 1.0, 0.02), drawn(40, 5.0, 0.2)];
            let coverage = |at: usize| streams[at].coverage();
            apart += u32::from((0..3).any(|at| coverage(at) * NUMBER < coverage((at + 1) % 3)));
            alarms += u32::from(compare(&streams.map(Some)).iter().any(Option::is_some));
        }
        assert!(apart > 1_000, "by size alone most runs would be told: {apart}");
        assert!(alarms <= 12, "{alarms}");
    }

    /// A stream with 100 slow requests of 50 ms, one a second, of which these are traced, each for five.
    fn stream(name: &str, traced_at: &[u64]) -> Subject {
        let requests = traced_at.iter().map(|at| traced(at * 1_000, 5.0, &[("Proxy-Search", 50)]));
        let all = subject(&[(TYPICAL_MS, 9_900), (50, 100)], requests.collect());
        Subject { name: name.to_owned(), sample_fraction: Some(0.2), ..all }
    }

    #[test]
    fn an_explanation_of_several_streams_says_of_which_slow_requests_are_missing() {
        let fifth: Vec<u64> = (0..20).map(|n| 5 * n).collect();
        let above = Above::Time(Nanos::from_millis(20));
        let (readers, writers) = (stream("readers", &fifth), stream("writers", &fifth[..2]));
        let together = explain(&[&readers, &writers], above);
        let found: Vec<_> = together.streams.iter().map(|of| of.representativeness.last().map(|last| last.about)).collect();
        assert_eq!(found, [Some(About::Stream); 2], "{together:#?}");
        let notes = |at: usize| together.streams[at].notes.join("; ");
        assert!(notes(0).contains("91 % are this one's by the traces, and in fact 50 %"), "{}", notes(0));
        assert!(notes(1).contains("9 % are this one's by the traces, and in fact 50 %"), "{}", notes(1));
        // Each by itself, and a stream that could not be sampled, are held against nothing.
        assert_eq!(explain(&[&readers], above).streams[0].representativeness, []);
        let unsampled = Subject { sample_fraction: Some(0.0), ..stream("unsampled", &[]) };
        assert!(explain(&[&readers, &unsampled], above).streams.iter().all(|of| of.representativeness.is_empty()));
    }
}
