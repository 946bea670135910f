//! Pure mathematics: histograms, percentiles, confidence intervals, arrival processes, self-checks. No I/O, no clock.
