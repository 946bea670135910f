//! From a scenario file and overrides to a plan, with errors that point.
