//! Pure mathematics: histograms, percentiles, confidence intervals, arrival processes, self-checks. No I/O, no clock.
//!
//! Every function names its source, its units and its range. What cannot be computed from too little data is `None`, never a
//! figure that looks precise.

pub mod histogram;
pub mod arrivals;
