//! Standard output.

use std::io::{self, Write as _};

use super::exit::{CliError, Status};

/// Prints a text and reports whether it arrived.
pub(super) fn text(text: &str) -> Result<Status, CliError> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(Status::Passed)
}

/// Prints whole lines, or nothing where there are none.
pub(super) fn lines(lines: &str) -> Result<Status, CliError> {
    if lines.is_empty() { Ok(Status::Passed) } else { text(lines) }
}

/// Prints a JSON document.
pub(super) fn json(document: &impl serde::Serialize) -> Result<Status, CliError> {
    let document = serde_json::to_string_pretty(document).map_err(io::Error::other)?;
    text(&document)
}
