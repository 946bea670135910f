//! What is drawn for each request: its service time, and whether a fault meets it.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::practice::{Failure, Settings};
use crate::units::Nanos;

/// What will happen to one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) failure: Option<Failure>,
    /// Held so long before it comes to the server.
    pub(crate) hold: Nanos,
    /// Occupies a server so long.
    pub(crate) work: Nanos,
    /// Waits so long inside the slow span.
    pub(crate) slow: Nanos,
}

/// Draws fates in order of arrival. Each kind has a stream of its own, so that turning one fault on leaves the others and the
/// service times as they were.
#[derive(Debug)]
pub(crate) struct Faults {
    settings: Settings,
    failures: Vec<(Failure, f64)>,
    failing: StdRng,
    holding: StdRng,
    working: StdRng,
    slowing: StdRng,
}

impl Faults {
    pub(crate) fn new(settings: &Settings) -> Self {
        let seed = settings.seed.unwrap_or(0);
        // The golden ratio keeps the streams of neighbouring seeds apart, as in SplitMix64.
        let stream = |purpose: u64| StdRng::seed_from_u64(seed.wrapping_add(purpose.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        Self {
            settings: settings.clone(),
            failures: settings.failures(),
            failing: stream(1),
            holding: stream(2),
            working: stream(3),
            slowing: stream(4),
        }
    }

    /// Whether every fate is the same: nothing is drawn, nothing happens.
    pub(crate) fn none(&self) -> bool {
        self.settings.service.is_none()
            && self.failures.is_empty()
            && self.settings.hold.is_none()
            && self.settings.slow_span.is_none()
            && self.settings.slow_key.is_none()
            && self.settings.trace_cost == Nanos::ZERO
    }

    /// The fate of the next request, which asks for this (`None` where nobody read it), and is traced or not.
    pub(crate) fn draw(&mut self, asked: Option<&[u8]>, traced: bool) -> Fate {
        let failure = if self.failures.is_empty() { None } else { self.draw_failure() };
        let hold = match self.settings.hold {
            Some(hold) if self.holding.random::<f64>() < hold.fraction.get() => hold.by,
            _ => Nanos::ZERO,
        };
        let slow = match &self.settings.slow_span {
            Some(slow) if self.slowing.random::<f64>() < slow.fraction.get() => slow.by,
            _ => Nanos::ZERO,
        };
        let work = self.settings.service.map_or(Nanos::ZERO, |service| service.draw(&mut self.working));
        let by_nature = match (self.settings.slow_key, asked) {
            (Some(key), Some(asked)) if key.meets(asked) => key.by,
            _ => Nanos::ZERO,
        };
        let for_spans = if traced { self.settings.trace_cost } else { Nanos::ZERO };
        let work = [work, by_nature, for_spans].iter().fold(0_u64, |sum, part| sum.saturating_add(part.0));
        Fate { failure, hold, work: Nanos(work), slow }
    }

    fn draw_failure(&mut self) -> Option<Failure> {
        let mut left = self.failing.random::<f64>();
        for (failure, fraction) in &self.failures {
            if left < *fraction {
                return Some(*failure);
            }
            left -= fraction;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Faults {
        Faults::new(&serde_json::from_str(text).unwrap())
    }

    // A count of n draws with probability p has standard deviation √(np(1−p)); five of these: once in 1.7 million seeds.
    fn assert_binomial(count: usize, n: usize, p: f64) {
        let (mean, deviation) = (n as f64 * p, (n as f64 * p * (1.0 - p)).sqrt());
        assert!((count as f64 - mean).abs() <= 5.0 * deviation, "{count} of {n} is not {p}");
    }

    #[test]
    fn each_fault_meets_its_fraction() {
        let mut faults = faults(
            r#"{"error_rate": 0.02, "errors": {"milvus:100": 0.05, "UNAVAILABLE": 0.01},
                "hold": {"fraction": 0.1, "by": "1ms"}, "slow_span": {"name": "x", "fraction": 0.3, "by": "2ms"}}"#,
        );
        let n = 50_000;
        let fates: Vec<Fate> = (0..n).map(|_| faults.draw(None, false)).collect();
        let count = |is: &dyn Fn(&Fate) -> bool| fates.iter().filter(|fate| is(fate)).count();
        assert_binomial(count(&|fate| fate.failure == Some(Failure::UNAVAILABLE)), n, 0.02);
        assert_binomial(count(&|fate| fate.failure == Some(Failure::RATE_LIMIT)), n, 0.01);
        assert_binomial(count(&|fate| fate.failure == Some(Failure::Milvus(100))), n, 0.05);
        assert_binomial(count(&|fate| fate.hold == Nanos::from_millis(1)), n, 0.1);
        assert_binomial(count(&|fate| fate.slow == Nanos::from_millis(2)), n, 0.3);
    }

    #[test]
    fn the_same_seed_draws_the_same_fates_and_another_seed_others() {
        let draw = |seed: u64| {
            let mut faults = faults(&format!(r#"{{"seed": {seed}, "service": "exponential 1ms", "error_rate": 0.5}}"#));
            (0..20).map(|_| faults.draw(None, false)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }

    #[test]
    fn a_fault_that_is_turned_on_leaves_the_service_times_as_they_were() {
        let works = |text: &str| {
            let mut faults = faults(text);
            (0..20).map(|_| faults.draw(None, false).work).collect::<Vec<_>>()
        };
        assert_eq!(
            works(r#"{"service": "exponential 1ms"}"#),
            works(r#"{"service": "exponential 1ms", "error_rate": 0.5, "hold": {"fraction": 1, "by": "1ms"}}"#)
        );
    }

    #[test]
    fn every_request_fails_where_all_are_to() {
        let mut faults = faults(r#"{"errors": {"UNKNOWN": 0.5, "milvus:5": 0.5}}"#);
        assert!((0..1_000).all(|_| faults.draw(None, false).failure.is_some()));
    }

    #[test]
    fn a_request_that_is_traced_takes_what_its_spans_cost_longer() {
        let text = r#"{"service": "exponential 1ms", "trace_cost": "200us"}"#;
        let (mut traced, mut plain) = (faults(text), faults(text));
        for _ in 0..20 {
            assert_eq!(traced.draw(None, true).work, Nanos(plain.draw(None, false).work.0 + 200_000));
        }
        assert!(!faults(r#"{"trace_cost": "1us"}"#).none() && faults("{}").none());
    }

    #[test]
    fn a_request_that_is_slow_by_nature_is_so_each_time_and_draws_nothing() {
        let mut with = faults(r#"{"service": "exponential 1ms", "slow_key": {"fraction": 0.5, "by": "40ms"}}"#);
        let mut without = faults(r#"{"service": "exponential 1ms"}"#);
        let mut times = [0; 2];
        for n in 0..200_u8 {
            // Fifty different requests, four times each.
            let (asked, plain) = ([n % 50], without.draw(None, false).work);
            let more = with.draw(Some(&asked), false).work.0 - plain.0;
            let slow = with.settings.slow_key.unwrap().meets(&asked);
            assert_eq!(more, if slow { 40_000_000 } else { 0 });
            times[usize::from(slow)] += 1;
        }
        assert!(times.iter().all(|times| times % 4 == 0 && *times > 0), "{times:?}");
    }
}
