//! What can be typed behind `tailtrace doctor`.

use clap::Args;

use crate::experiment::{DEFAULT_WITHIN, LEAST_WITHIN};
use crate::trace::checked_web_url;
use crate::units::Nanos;

use super::ScenarioArguments;

/// Why do I see no traces? Follow one traced request from here to Jaeger
///
/// Connects to the target, the collector and the Jaeger of a scenario, sends one request that is traced for certain (does a collection
/// of this name exist? nothing is changed), waits for its spans, and says link by link what was seen. For a broken link: the likely
/// cause, and the line of milvus.yaml, of the compose file or of the scenario to change.
#[derive(Debug, Args)]
#[command(after_long_help = "Examples:
  tailtrace doctor scenarios/search-and-insert.toml
  tailtrace doctor s.toml --set trace.endpoint=http://localhost:4317 --set trace.jaeger=http://localhost:16686
  tailtrace doctor s.toml --json | jq '.links[] | select(.ok == false)'

Exit status:
  0  the chain is whole
  1  a link is broken
  2  it could not be looked at: bad scenario, nowhere to look for spans, a port of ours taken, stopped
Ctrl-C ends all waiting and says what was seen; a second one ends the command at once.")]
pub(in crate::cli) struct DoctorArguments {
    #[command(flatten)]
    pub(in crate::cli) scenario: ScenarioArguments,
    /// How long spans may take to arrive
    #[arg(long, value_name = "TIME", default_value_t = DEFAULT_WITHIN, value_parser = within)]
    pub(in crate::cli) within: Nanos,
    /// Milvus's metrics and management port; left out: port 9091 of the target's host
    #[arg(long, value_name = "URL", value_parser = management_url)]
    pub(in crate::cli) management: Option<String>,
    /// Print the links as JSON
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

/// Spans come in batches: what is looked for no longer than a moment is not there.
fn within(text: &str) -> Result<Nanos, String> {
    let time: Nanos = text.parse().map_err(|error: crate::units::UnitError| error.to_string())?;
    if time < LEAST_WITHIN { Err(format!("spans come in batches: give {LEAST_WITHIN} or more")) } else { Ok(time) }
}

fn management_url(text: &str) -> Result<String, String> {
    checked_web_url(text, "the URL of Milvus's management port", "http://localhost:9091")
}
