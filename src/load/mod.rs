//! The measuring core: schedule, phases, lanes, recorder, generator health. Generic over the target; no tonic, no printing.
