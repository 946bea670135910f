//! From a run's figures to typed findings and trust; one rule a unit.
