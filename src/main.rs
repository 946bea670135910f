//! The `tailtrace` command: the only place that prints errors and ends the process.

use std::io::{Write as _, stderr};
use std::process::ExitCode;

use tailtrace::units::Causes;

/// Requests are small and many; this allocator takes about a tenth off the CPU that one costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match tailtrace::cli::run(std::env::args_os()) {
        Ok(status) => status.into(),
        Err(error) => {
            let status = error.status();
            if status != tailtrace::cli::Status::Passed {
                // Where standard error is closed there is nobody to tell.
                let _ = writeln!(stderr(), "error: {:#}", Causes(&error));
            }
            status.into()
        }
    }
}
