//! Pure mathematics: histograms, percentiles, confidence intervals, arrival processes, self-checks. No I/O, no clock.
//!
//! Every function names its source, its units and its range. What cannot be computed from too little data is `None`, never a
//! figure that looks precise.
//!
//! The self-checks ([`arrivals`], [`stationarity`]) ask for the size of an effect first and for its significance second: a
//! plain test of a million samples rejects a perfect instrument. [`ALPHA_EACH`] is the chance of a false alarm that each may
//! take.

pub mod arrivals;
pub mod autocorrelation;
pub mod balanced;
pub mod batches;
pub mod censored;
pub mod crossing;
pub mod growth;
pub mod histogram;
pub mod holm;
pub mod interval;
pub mod log_ratio;
pub mod looks;
pub mod one_run;
pub mod queue;
pub mod rank;
#[cfg(test)]
mod simulate;
pub mod stationarity;
pub mod two_stage;
pub mod usl;
pub mod weighted;

/// The confidence of every interval that is printed beside a percentile.
pub const CONFIDENCE: f64 = 0.95;

/// The chance that any self-check of a sound run speaks up, over all of them together.
pub const ALPHA_OVER_ALL: f64 = 0.001;

/// What one check may take of [`ALPHA_OVER_ALL`]: four of them (displaced sends, gaps, level shift, trend) on up to eight
/// streams, by Bonferroni's inequality. Effects worth a word are so large that the small share costs no power.
pub const ALPHA_EACH: f64 = ALPHA_OVER_ALL / (4.0 * 8.0);
