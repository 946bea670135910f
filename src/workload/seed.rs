//! Numbers that look random and follow from what they are for.

use serde::{Deserialize, Serialize};

/// What everything random in a run follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(transparent)]
pub struct Seed(pub u64);

/// What numbers are drawn for. Each purpose has numbers of its own, so that a new one changes none of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u32)]
pub enum Purpose {
    /// The table of noise that all vectors share.
    Noise = 1,
    /// The centres of the clusters that rows and queries lie in.
    ReadCentres = 2,
    /// The centres of the clusters that written rows lie in.
    WrittenCentres = 3,
    /// The filled rows.
    Rows = 4,
    /// The queries of a stream.
    Queries = 5,
    /// The rows that a stream writes.
    WrittenRows = 6,
    /// Times between the requests of a stream.
    Arrivals = 7,
    /// Which answers of a stream are kept to be judged.
    Kept = 8,
    /// The seeds of a series' rounds.
    Rounds = 9,
    /// The order in which a stream's traces are asked for after the run.
    Evidence = 10,
}

/// The odd number that `SplitMix64` steps by: 2^64 over the golden ratio.
const STEP: u64 = 0x9E37_79B9_7F4A_7C15;

impl Seed {
    /// The numbers that a stream draws for a purpose. Streams and purposes are independent of each other: their numbers
    /// begin at places of `SplitMix64`'s sequence that are scattered over all 2^64.
    ///
    /// `SplitMix64`: Steele, Lea and Flood, *Fast splittable pseudorandom number generators*, OOPSLA 2014; the mixing function
    /// is David Stafford's variant 13, a bijection of 64 bits.
    #[must_use]
    pub const fn draws(self, purpose: Purpose, stream: u16) -> Draws {
        let place = ((purpose as u64) << 32) | stream as u64;
        Draws { origin: mix(mix(self.0.wrapping_add(STEP)) ^ mix(place.wrapping_mul(STEP))) }
    }
}

/// Numbers that can be asked for in any order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Draws {
    origin: u64,
}

impl Draws {
    /// The `n`-th number, all 64 bits even.
    #[must_use]
    #[inline]
    pub const fn at(self, n: u64) -> u64 {
        mix(self.origin.wrapping_add(n.wrapping_add(1).wrapping_mul(STEP)))
    }

    /// Draws that belong to number `n` of these alone, for what needs more than one number.
    #[must_use]
    #[inline]
    pub const fn split(self, n: u64) -> Self {
        Self { origin: mix(self.at(n) ^ STEP) }
    }
}

/// Spreads every bit over all 64.
const fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    value ^ (value >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn the_mixing_is_splitmix64() {
        // The reference generator started at 1234567, as published with the xoshiro family and in java.util.SplittableRandom.
        let reference = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423, 4_593_380_528_125_082_431];
        let draws = Draws { origin: 1_234_567 };
        assert_eq!([0, 1, 2, 3].map(|n| draws.at(n)), reference);
    }

    #[test]
    fn streams_and_purposes_draw_numbers_of_their_own() {
        let mut seen = HashSet::new();
        for seed in [0, 1, 2, u64::MAX] {
            for purpose in [Purpose::Rows, Purpose::Queries, Purpose::WrittenRows, Purpose::Kept] {
                for stream in 0..20 {
                    let draws = Seed(seed).draws(purpose, stream);
                    for n in 0..100 {
                        assert!(seen.insert(draws.at(n)), "{seed} {purpose:?} {stream} {n}");
                    }
                }
            }
        }
    }

    #[test]
    fn neighbouring_streams_share_no_bits() {
        // 64 bits of 10,000 pairs: each bit agrees in half of them, within 5 standard deviations of sqrt(10000)/2.
        let (one, two) = (Seed(1).draws(Purpose::Queries, 0), Seed(1).draws(Purpose::Queries, 1));
        for bit in 0..64 {
            let agree = (0..10_000).filter(|&n| (one.at(n) ^ two.at(n)) >> bit & 1 == 0).count();
            assert!(agree.abs_diff(5_000) < 250, "bit {bit} agrees {agree} times in 10,000");
        }
    }
}
