//! The run document as it is.

use std::io::{self, Write};

use crate::result::model::RunDocument;

/// Writes what stands in `run.json`, byte for byte.
pub fn write_json(out: &mut dyn Write, document: &RunDocument) -> io::Result<()> {
    out.write_all(document.to_json().as_bytes())
}
