//! A series of runs and a decision.
