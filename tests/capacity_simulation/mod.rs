//! A target in virtual time: M/M/c by the recursion of Lindley (*Proc. Camb. Phil. Soc.* 48 (1952) 277) and of Kiefer and Wolfowitz
//! (*Trans. Am. Math. Soc.* 78 (1955) 1), probed as the real one is: empty at first, with a warm-up.

use rand::{RngExt as _, SeedableRng as _};
use rand_distr::Exp1;
use rand_pcg::Pcg64Mcg;
use tailtrace::experiment::capacity::{Answer, Ask, Next, Probe, Question, Shown, next};
use tailtrace::stats::crossing::Sample;

/// M/M/c with an SLO on a response percentile.
pub(crate) struct Target {
    /// Servers.
    pub(crate) servers: usize,
    /// Mean service time, in s.
    pub(crate) service_s: f64,
    /// The limit of the percentile, in s.
    pub(crate) limit_s: f64,
    /// The percentile, 0 to 1.
    pub(crate) q: f64,
    random: Pcg64Mcg,
}

impl Target {
    pub(crate) fn new(servers: usize, service_s: f64, limit_s: f64, q: f64, seed: u64) -> Self {
        Self { servers, service_s, limit_s, q, random: Pcg64Mcg::seed_from_u64(seed) }
    }

    fn draw(&mut self) -> f64 {
        self.random.sample::<f64, _>(Exp1)
    }

    /// A number from 0 to 1 for whoever sets the search up.
    pub(crate) fn uniform(&mut self) -> f64 {
        self.random.random()
    }

    fn probe(&mut self, ask: Ask, warmup_s: f64) -> Probe {
        let seconds = ask.seconds.round() as usize;
        let (mut beyond, mut half) = (vec![(0.0, 0.0); seconds], vec![(0.0, 0.0); seconds]);
        let mut free = [0.0_f64; 8];
        let free = &mut free[..self.servers];
        let (mut now, end) = (0.0, warmup_s + ask.seconds);
        loop {
            now += self.draw() / ask.rate;
            if now >= end {
                break;
            }
            let work = self.draw() * self.service_s;
            let first = (1..free.len()).fold(0, |first, server| if free[server] < free[first] { server } else { first });
            free[first] = free[first].max(now) + work;
            let response = free[first] - now;
            if now >= warmup_s {
                let second = ((now - warmup_s) as usize).min(seconds - 1);
                beyond[second].1 += 1.0;
                half[second].1 += 1.0;
                beyond[second].0 += f64::from(u8::from(response > self.limit_s));
                half[second].0 += f64::from(u8::from(response > self.limit_s / 2.0));
            }
        }
        let (slow, all) = beyond.iter().fold((0.0, 0.0), |sum, second| (sum.0 + second.0, sum.1 + second.1));
        let passed = slow < all * (1.0 - self.q);
        let failed = || Shown::Failed { why: "it was slow".to_owned(), estimated: true, answered: true };
        let sample = Sample::of(ask.rate, &beyond).map(|sample| sample.with_frequent(&half));
        Probe { ask, shown: if passed { Shown::Passed } else { failed() }, samples: vec![sample] }
    }

    /// A whole search with the command's defaults; with it how long its probes and warm-ups took, in s.
    pub(crate) fn search(&mut self, from: f64) -> (Answer, f64) {
        let question = Question {
            from,
            lowest: from / 64.0,
            highest: None,
            within: 0.02,
            probe_s: 30.0,
            confirm_s: 60.0,
            limits: vec![Some(1.0 - self.q)],
        };
        let (mut probes, mut took) = (Vec::new(), 0.0);
        loop {
            match next(&question, &probes) {
                Next::Done(answer) => return (answer, took),
                Next::Probe(ask) => {
                    let warmup_s = if probes.is_empty() { 5.0 } else { (ask.seconds / 10.0).clamp(1.0, 5.0) };
                    took += warmup_s + ask.seconds;
                    probes.push(self.probe(ask, warmup_s));
                }
            }
        }
    }
}
