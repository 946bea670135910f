//! `tailtrace schema`.

use crate::scenario;

use super::exit::{CliError, Status};
use super::output;

pub(super) fn run() -> Result<Status, CliError> {
    output::json(&scenario::json_schema())
}
