//! Run directories without a run: figures drawn from a seed, written as a run writes them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use rand_distr::{Distribution as _, StandardNormal};
use tailtrace::result::model::{Latency, Phase, PhaseName, RunDocument, Second, Stream, Trust};
use tailtrace::result::{RunDirectory, WallTime};
use tailtrace::scenario::{self, Overrides, Plan};
use tailtrace::stats::histogram::Histogram;

/// One open stream, `readers`.
const SCENARIO: &str =
    "[target]\nuri = \"http://localhost:19530\"\n[[stream]]\nname = \"readers\"\noperation = \"search\"\nrate = \"200/s\"\n";

/// Seconds of a run, and requests in each.
const SECONDS: u64 = 30;
const REQUESTS: u64 = 200;

/// A run to be made up.
#[derive(Debug, Clone)]
pub(crate) struct Made {
    /// What all its figures are drawn from.
    pub(crate) seed: u64,
    /// Its median response time, in ms.
    pub(crate) median_ms: f64,
    /// `--set` of its scenario.
    pub(crate) set: Vec<String>,
}

impl Made {
    /// A run with this median.
    pub(crate) fn new(seed: u64, median_ms: f64) -> Self {
        Self { seed, median_ms, set: Vec::new() }
    }

    /// The same with one key set.
    pub(crate) fn set(mut self, set: &str) -> Self {
        self.set.push(set.to_owned());
        self
    }

    /// Writes it below `place`.
    pub(crate) fn write(&self, place: &Path) -> PathBuf {
        self.write_as(place, |_| ())
    }

    /// Writes it, with changes to its document.
    pub(crate) fn write_as(&self, place: &Path, change: impl FnOnce(&mut RunDocument)) -> PathBuf {
        let plan: Plan = scenario::parse(SCENARIO, "made.toml", &Overrides { set: self.set.clone(), seed: Some(self.seed) }).unwrap();
        let started = WallTime::from_unix_ns(1_772_357_400_000_000_000 + self.seed * 60_000_000_000);
        let directory = RunDirectory::create(place, &plan.name, started).unwrap();
        let mut document = RunDocument::begun(directory.id(), &plan.name, started);
        document.set_plan(&plan);
        let mut log = directory.interval_log(started).unwrap();
        let mut random = StdRng::seed_from_u64(self.seed);
        let mut all = Histogram::new();
        let mut seconds = Vec::new();
        for second in 0..SECONDS {
            let mut histogram = Histogram::new();
            for _ in 0..REQUESTS {
                let z: f64 = StandardNormal.sample(&mut random);
                histogram.record((self.median_ms * 1e6 * (0.3 * z).exp()) as u64);
            }
            log.append(Duration::from_secs(second), Duration::from_secs(1), "readers", &histogram, &histogram).unwrap();
            let ok = REQUESTS - random.random_range(0..3);
            seconds.push(Second { second, ok, mean_ns: Some(histogram.mean_ns()), ..Second::default() });
            all.add(&histogram);
        }
        let count = all.count();
        document.streams.push(Stream {
            name: "readers".to_owned(),
            operation: "search".to_owned(),
            asked_per_s: Some(200.0),
            achieved_per_s: 200.0,
            scheduled: count,
            sent: count,
            ok: count,
            response: Latency::of(&all),
            service: Latency::of(&all),
            seconds,
            ..Stream::default()
        });
        document.phases.push(Phase { name: PhaseName::Measure, start: started, length_ns: Some(SECONDS * 1_000_000_000) });
        document.output.intervals = Some(log.finish().unwrap());
        document.partial = false;
        document.trust = Trust::Valid;
        change(&mut document);
        directory.finish(&document).unwrap();
        directory.path().to_owned()
    }
}
