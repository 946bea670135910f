//! Command line: clap types, help, progress, exit status.
