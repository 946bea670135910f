//! Closed forms of queues, which the whole chain (practice target, load, percentiles) must reproduce.
//!
//! Poisson arrivals at λ, exponential service at μ per server, first come first served, waiting room without end. Rates are
//! per second, times in seconds; the system must be stable: λ < servers · μ. Response time is waiting plus service.

/// Quantile `q` in [0, 1) of the response time of M/M/1, in s; `None` where the queue is not stable.
///
/// Response times are exponential with rate μ − λ: Kleinrock, *Queueing Systems I* (1975), eq. 5.118.
#[must_use]
pub fn mm1_response_quantile(q: f64, arrivals_per_s: f64, services_per_s: f64) -> Option<f64> {
    let spare = services_per_s - arrivals_per_s;
    (spare > 0.0 && arrivals_per_s >= 0.0 && (0.0..1.0).contains(&q)).then(|| -(-q).ln_1p() / spare)
}

/// The chance that an arrival must wait, in [0, 1], at an offered load of `erlangs` = λ/μ; `None` where that is not below `servers`.
///
/// Erlang's C formula (1917) from his B by the usual recurrence: Kleinrock I, eq. 3.40 and 3.43.
#[must_use]
pub fn erlang_c(servers: u32, erlangs: f64) -> Option<f64> {
    if servers == 0 || !(0.0..f64::from(servers)).contains(&erlangs) {
        return None;
    }
    let blocked = (1..=servers).fold(1.0, |blocked, k| erlangs * blocked / (f64::from(k) + erlangs * blocked));
    let busy = erlangs / f64::from(servers);
    Some(blocked / (1.0 - busy * (1.0 - blocked)))
}

/// P(response > `seconds`) of M/M/c; `None` where the queue is not stable.
///
/// Waiting is 0 with chance 1 − C and exponential with rate cμ − λ else; response is its sum with an exponential service
/// (Gross et al., *Fundamentals of Queueing Theory*, 4th ed., §2.3): with a = λ/μ,
/// e^(−μt) · (1 + C · (1 − e^(−μt(c−1−a)))/(c−1−a)), whose limit for a = c − 1 is e^(−μt) · (1 + C·μt).
#[must_use]
pub fn mmc_response_tail(seconds: f64, servers: u32, arrivals_per_s: f64, services_per_s: f64) -> Option<f64> {
    let erlangs = arrivals_per_s / services_per_s;
    let waits = erlang_c(servers, erlangs)?;
    let (spare, services) = (f64::from(servers) - 1.0 - erlangs, services_per_s * seconds);
    // Near the limit both numerator and denominator vanish; exp_m1 keeps the digits, the limit takes over at 0.
    let waiting = if spare.abs() < 1e-12 { services } else { -(-services * spare).exp_m1() / spare };
    Some((-services).exp() * (1.0 + waits * waiting))
}

/// Quantile `q` in [0, 1) of the response time of M/M/c, in s, solved to a relative error of 1e-12; `None` where the queue is not stable.
#[must_use]
pub fn mmc_response_quantile(q: f64, servers: u32, arrivals_per_s: f64, services_per_s: f64) -> Option<f64> {
    if !(0.0..1.0).contains(&q) {
        return None;
    }
    let beyond = |t: f64| mmc_response_tail(t, servers, arrivals_per_s, services_per_s).map(|tail| tail > 1.0 - q);
    let mut high = 1.0 / services_per_s;
    while beyond(high)? {
        high *= 2.0;
    }
    let mut low = 0.0;
    while high - low > 1e-12 * high {
        let middle = f64::midpoint(low, high);
        if beyond(middle)? { low = middle } else { high = middle }
    }
    Some(high)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64, relative: f64) {
        assert!((a - b).abs() <= relative * b.abs(), "{a} is not {b}");
    }

    #[test]
    fn one_server_is_exponential_and_both_forms_agree() {
        // μ 500/s, λ 350/s: p50 ln 2/150 = 4.62 ms.
        close(mm1_response_quantile(0.5, 350.0, 500.0).unwrap(), 0.004_620_981_203_732_969, 1e-12);
        for q in [0.0, 0.1, 0.5, 0.9, 0.99, 0.9999] {
            close(
                mmc_response_quantile(q, 1, 350.0, 500.0).unwrap() + 1e-15,
                mm1_response_quantile(q, 350.0, 500.0).unwrap() + 1e-15,
                1e-9,
            );
        }
    }

    #[test]
    fn the_chance_to_wait_is_that_of_the_tables() {
        // Two servers: C = 2ρ²/(1+ρ), ρ = a/2. Ten servers at 8 erlangs: 0.4092 in Erlang's table.
        close(erlang_c(2, 1.4).unwrap(), 2.0 * 0.49 / 1.7, 1e-12);
        close(erlang_c(10, 8.0).unwrap(), 0.409_180_1, 1e-6);
        close(erlang_c(1, 0.7).unwrap(), 0.7, 1e-12);
    }

    #[test]
    fn where_the_formula_has_a_hole_it_is_continuous() {
        // a = c − 1: λ = μ with two servers.
        let (hole, beside) =
            (mmc_response_quantile(0.99, 2, 100.0, 100.0).unwrap(), mmc_response_quantile(0.99, 2, 100.000_1, 100.0).unwrap());
        close(hole, beside, 1e-5);
    }

    #[test]
    fn what_is_not_stable_has_no_quantile() {
        assert_eq!(mm1_response_quantile(0.5, 500.0, 500.0), None);
        assert_eq!(mmc_response_quantile(0.5, 2, 1000.0, 500.0), None);
        assert_eq!(mmc_response_quantile(1.0, 2, 100.0, 500.0), None);
        assert_eq!(erlang_c(0, 0.0), None);
    }

    #[test]
    fn more_servers_than_load_leaves_the_service_time_alone() {
        close(mmc_response_quantile(0.9, 200, 100.0, 100.0).unwrap(), 10.0_f64.ln() / 100.0, 1e-9);
    }

    #[test]
    fn a_simulated_queue_of_three_servers_has_these_quantiles() {
        let mut times = crate::stats::simulate::mmc_responses(3, 240.0, 100.0, 400_000, 7);
        times.sort_by(f64::total_cmp);
        // Independent samples would scatter by √(q(1−q)/n)/f(x): 0.2 % to 0.5 % of the quantile here. At ρ = 0.8 responses stay
        // correlated over some ρ/(1−ρ)² · 2 ≈ 50 of them, so ×7, and four of these deviations: 10 % is never reached by chance, while
        // leaving out the wait (C = 0.65) would halve the p99.
        for q in [0.5, 0.9, 0.99] {
            close(times[(q * 4e5) as usize], mmc_response_quantile(q, 3, 240.0, 100.0).unwrap(), 0.1);
        }
    }
}
