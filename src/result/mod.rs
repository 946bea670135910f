//! The run directory: its model, atomic writing, reading.
