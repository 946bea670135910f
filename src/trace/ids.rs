//! Random trace and span ids.

use opentelemetry::trace::{SpanId, TraceId};
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng, SeedableRng};

/// A source of ids, unique over lanes, processes and runs: the operating system seeds it, never a scenario's seed, for two
/// runs with one seed may write to one Jaeger.
#[derive(Debug)]
pub struct Ids(Xoshiro256PlusPlus);

impl Ids {
    /// A source that the operating system seeds.
    ///
    /// # Panics
    /// Where the operating system has no entropy to give.
    #[must_use]
    pub fn new() -> Self {
        Self(rand::make_rng())
    }

    /// A source whose ids follow from a seed: for tests, where what is sampled must be the same each time.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// Sixteen random bytes, never all zero (that would be no id).
    #[inline]
    pub fn trace_id(&mut self) -> TraceId {
        loop {
            let id = u128::from(self.0.next_u64()) << 64 | u128::from(self.0.next_u64());
            if id != 0 {
                return TraceId::from_bytes(id.to_be_bytes());
            }
        }
    }

    /// Eight random bytes, never all zero.
    #[inline]
    pub fn span_id(&mut self) -> SpanId {
        loop {
            let id = self.0.next_u64();
            if id != 0 {
                return SpanId::from_bytes(id.to_be_bytes());
            }
        }
    }

    /// A number from 0 up to but not including 1, uniform on a grid of 2^-53.
    #[inline]
    pub(super) fn unit(&mut self) -> f64 {
        (self.0.next_u64() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

impl Default for Ids {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_sources_give_different_ids_and_none_is_invalid() {
        let (mut one, mut other) = (Ids::new(), Ids::new());
        // 2,000 ids of 64 bits meet with probability 2000^2 / 2^65, under 2e-13.
        let mut seen = std::collections::HashSet::new();
        for _ in 0..1_000 {
            for source in [&mut one, &mut other] {
                let (trace, span) = (source.trace_id(), source.span_id());
                assert!(trace != TraceId::INVALID && span != SpanId::INVALID);
                assert!(seen.insert(span.to_bytes()) && seen.insert(trace.to_bytes()[8..].try_into().unwrap()));
            }
        }
    }

    #[test]
    fn every_bit_of_an_id_is_set_half_of_the_time() {
        let mut ids = Ids::seeded(1);
        let draws = 10_000;
        let mut set = [0_u32; 128];
        for _ in 0..draws {
            let id = u128::from_be_bytes(ids.trace_id().to_bytes());
            for (bit, count) in set.iter_mut().enumerate() {
                *count += u32::from(id >> bit & 1 == 1);
            }
        }
        // Each count has standard deviation 50 around 5,000; six of them are passed once in 4 million seeds of 128 bits.
        assert!(set.iter().all(|count| count.abs_diff(draws / 2) < 300), "{set:?}");
    }
}
