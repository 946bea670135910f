//! `tailtrace practice`: the built-in target as a server of its own.

use std::sync::mpsc::sync_channel;

use crate::clock::Anchor;
use crate::practice::Server;
use crate::scenario;
use crate::trace::{Destination, ServerSpanExporter, process_environment};
use crate::units::Nanos;

use super::arguments::PracticeArguments;
use super::exit::{CliError, Status};
use super::output;
use super::signals::on_signal;

/// How long the last spans may take once the server has stopped.
const SPANS_WITHIN: Nanos = Nanos::from_secs(2);

pub(super) fn run(arguments: &PracticeArguments) -> Result<Status, CliError> {
    let settings = scenario::practice_settings(&arguments.given())?;
    let (stop, stopped) = sync_channel(1);
    // A full channel means that it has been told already.
    on_signal(move |_| _ = stop.try_send(())).map_err(CliError::Signals)?;
    let exporter = match &arguments.otlp {
        Some(url) => Some(ServerSpanExporter::start(&Destination::of_practice(url.to_string(), &process_environment), Anchor::take())?),
        None => None,
    };
    let (exporter, spans) = exporter.unzip();
    let server = Server::start(settings, (arguments.listen, arguments.port).into(), spans)?;
    // The one line of standard output: whoever started this waits for it, and reads the address from it.
    output::text(&format!("http://{}", server.addr()))?;
    // Ends with a signal; the sender lives as long as the thread that waits for it.
    let _ = stopped.recv();
    server.stop();
    if let Some(exporter) = exporter {
        exporter.finish(SPANS_WITHIN);
    }
    Ok(Status::Passed)
}
