//! Stored runs against each other.

use std::path::PathBuf;

use crate::result::StoredRun;
use crate::scenario::Metric;
use crate::stats::CONFIDENCE;
use crate::stats::log_ratio::{self, Estimate};

use super::decision::{Bound, Verdict, decide};
use super::document::{Compared, Comparison, Figures, Method, SCHEMA, Side, label};
use super::metrics::{self, Reading, reading};
use super::noise::Noise;
use super::{CompareError, accept};

/// What is to be compared.
#[derive(Debug, Clone, Default)]
pub struct StoredOptions {
    /// Runs of the baseline, one or more.
    pub base: Vec<PathBuf>,
    /// Runs of the candidate, one or more.
    pub candidate: Vec<PathBuf>,
    /// Which figures; none for the usual ones.
    pub metrics: Vec<Metric>,
    /// By what share times and rates may get worse.
    pub tolerance: f64,
    /// Keys that may differ between the plans.
    pub allow_different: Vec<String>,
    /// What is known of the noise between runs.
    pub noise: NoiseFrom,
}

/// Where the noise between runs is known from.
#[derive(Debug, Clone, Default)]
pub enum NoiseFrom {
    /// From nowhere.
    #[default]
    Nowhere,
    /// The user says.
    Given(crate::units::Fraction),
    /// A folder of past runs.
    Folder(PathBuf),
}

/// Compares stored runs.
///
/// # Errors
/// Where a run may not be compared; the first is told.
pub fn compare(options: &StoredOptions) -> Result<Comparison, CompareError> {
    let (base, candidate) = (accept::read(&options.base)?, accept::read(&options.candidate)?);
    accept::comparable(&base, &candidate, &options.allow_different)?;
    let Some(first) = base.first().filter(|_| !candidate.is_empty()) else {
        return Err(CompareError::Sides { message: "a comparison needs a run on each side".to_owned() });
    };
    let metrics = if options.metrics.is_empty() { metrics::default_metrics(&first.document) } else { options.metrics.clone() };
    let noise = match &options.noise {
        NoiseFrom::Nowhere => Noise::Unknown,
        NoiseFrom::Given(share) => Noise::Given(*share),
        NoiseFrom::Folder(place) => Noise::learn(place, &base.iter().chain(&candidate).collect::<Vec<_>>(), &metrics)?,
    };
    let method = if base.len() > 1 || candidate.len() > 1 { Method::Runs } else { Method::Seconds };
    let compared: Result<Vec<Compared>, CompareError> = metrics
        .iter()
        .enumerate()
        .map(|(at, metric)| {
            one(metric, (&base, &candidate), options.tolerance, noise.error((at, metric), base.len(), candidate.len()), metrics.len())
        })
        .collect();
    let compared = compared?;
    let mut notes = accept::notes(&base, &candidate);
    notes.extend(about_noise(method, &noise));
    let side = |runs: &[StoredRun]| Side {
        label: runs.first().map(|run| label(&run.document)).unwrap_or_default(),
        runs: runs.iter().map(|run| run.path.clone()).collect(),
    };
    Ok(Comparison {
        schema: SCHEMA,
        partial: false,
        verdict: Verdict::of_all(compared.iter().map(|metric| metric.verdict)),
        reason: Comparison::reason(&compared, method),
        metrics: compared,
        method,
        confidence: CONFIDENCE,
        base: side(&base),
        candidate: side(&candidate),
        max_rounds: None,
        notes,
    })
}

fn one(
    metric: &Metric,
    (base, candidate): (&[StoredRun], &[StoredRun]),
    tolerance: f64,
    noise: Option<Estimate>,
    comparisons: usize,
) -> Result<Compared, CompareError> {
    let question = metrics::question(metric, tolerance);
    let side = |runs: &[StoredRun]| runs.iter().map(|run| reading(run, metric)).collect::<Result<Vec<Reading>, _>>();
    let (of_base, of_candidate) = (side(base)?, side(candidate)?);
    let logs = |side: &[Reading]| side.iter().map(|reading| reading.ln(metric)).collect::<Vec<f64>>();
    let found = match (base, candidate) {
        ([base], [candidate]) => metrics::alone(candidate, metric, CANDIDATE_DRAWS)?.minus(metrics::alone(base, metric, BASE_DRAWS)?),
        _ => log_ratio::unpaired(&logs(&of_base), &logs(&of_candidate))
            .ok_or_else(|| CompareError::OneRunOnly { metric: metric.to_string(), why: "give several runs a side".to_owned() })?,
    };
    let found = noise.map_or(found, |noise| found.widened(noise));
    let any = |side: &[Reading]| side.iter().any(|reading| reading.at_least);
    let bound = Bound { baseline: any(&of_base), candidate: any(&of_candidate) };
    let decision = decide(question, &found, base.len().min(candidate.len()), bound, comparisons);
    let values = |side: &[Reading]| side.iter().map(|reading| reading.value).collect();
    Ok(Compared::new(metric, question.tolerance, decision, bound, Figures { base: values(&of_base), candidate: values(&of_candidate) }))
}

/// What the sides' resamples are drawn from: the same runs give the same answer, and the sides' draws are independent.
const BASE_DRAWS: u64 = 1;
const CANDIDATE_DRAWS: u64 = 2;

fn about_noise(method: Method, noise: &Noise) -> Option<String> {
    match (method, noise) {
        (Method::Seconds, Noise::Unknown) => Some(
            "one run a side: the intervals say how precisely each run knows its own figures; what drifts from run to run is not covered \
             (give several runs a side, or say it with --noise or --noise-from)"
                .to_owned(),
        ),
        (_, Noise::Unknown) => None,
        (_, Noise::Given(share)) => {
            let rest = if method == Method::Seconds { "; what drifts of errors and recall is not covered" } else { "" };
            Some(format!("times and rates are widened by {} of noise between runs, as given{rest}", share.percent()))
        }
        (_, Noise::Learned(spreads)) => {
            let most = spreads.iter().map(|(spread, _)| *spread).fold(0.0, f64::max).exp_m1();
            let runs = spreads.first().map_or(0, |(_, runs)| *runs);
            Some(format!("widened by the noise between {runs} past runs: {:.1} % at most", most * 100.0))
        }
    }
}
