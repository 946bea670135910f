//! Seeded simulations that the tests of this room measure themselves against.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rand_distr::{Distribution, Exp1, StandardNormal};

/// The same numbers for the same seed.
pub(super) fn rng(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Arrival times (s) of a Poisson process.
pub(super) fn poisson_arrivals(rate_per_s: f64, n: usize, rng: &mut StdRng) -> Vec<f64> {
    let mut now = 0.0;
    (0..n)
        .map(|_| {
            let gap: f64 = Exp1.sample(rng);
            now += gap / rate_per_s;
            now
        })
        .collect()
}

/// Arrival and response time (s) of every request of M/M/c, first come first served, started empty.
pub(super) fn mmc(servers: usize, arrivals_per_s: f64, services_per_s: f64, n: usize, rng: &mut StdRng) -> Vec<(f64, f64)> {
    let mut free = vec![0.0_f64; servers];
    poisson_arrivals(arrivals_per_s, n, rng)
        .into_iter()
        .map(|arrival| {
            let next = (0..servers).min_by(|a, b| free[*a].total_cmp(&free[*b])).expect("at least one server");
            let service: f64 = Exp1.sample(rng);
            free[next] = free[next].max(arrival) + service / services_per_s;
            (arrival, free[next] - arrival)
        })
        .collect()
}

/// Response times (s) of M/M/c.
pub(super) fn mmc_responses(servers: usize, arrivals_per_s: f64, services_per_s: f64, n: usize, seed: u64) -> Vec<f64> {
    mmc(servers, arrivals_per_s, services_per_s, n, &mut rng(seed)).into_iter().map(|(_, response)| response).collect()
}

/// A stationary AR(1) series with mean 0, standard deviation 1 and correlation `phi` between neighbours.
pub(super) fn ar1(phi: f64, n: usize, rng: &mut StdRng) -> Vec<f64> {
    let mut x: f64 = StandardNormal.sample(rng);
    (0..n)
        .map(|_| {
            let noise: f64 = StandardNormal.sample(rng);
            x = phi * x + (1.0 - phi * phi).sqrt() * noise;
            x
        })
        .collect()
}

/// A uniform number from 0 to 1.
pub(super) fn uniform(rng: &mut StdRng) -> f64 {
    rng.random()
}
