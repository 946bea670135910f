//! The `tailtrace` command: the only place that prints errors and ends the process.

use std::error::Error;
use std::io::{Write as _, stderr};
use std::process::ExitCode;

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
                let _ = writeln!(stderr(), "error: {}", with_causes(&error));
            }
            status.into()
        }
    }
}

/// The error and what caused it, down to the root.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut last = text.clone();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        // Some errors only hand on what caused them.
        if said != last {
            text.push_str("\n  because: ");
            text.push_str(&said);
            last = said;
        }
        cause = inner.source();
    }
    text
}
