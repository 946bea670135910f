//! The progress line on standard error: what phase it is, and each second what the streams do.

use std::fmt::Write as _;
use std::io::{IsTerminal as _, Write as _};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::experiment::{Event, Observer};
use crate::load::{Interval, Shape};
use crate::milvus::collection::Progress as SetUp;
use crate::result::model::PhaseName;
use crate::scenario::Plan;
use crate::units::Nanos;

/// Shows a run. Draws only when something happens, so that no thread of its own competes with the lanes.
pub(super) struct Progress {
    bar: ProgressBar,
    streams: Vec<String>,
    phases: [(PhaseName, Nanos); 3],
    /// Nothing is said at all.
    quiet: bool,
    terminal: bool,
    /// Of a series: which run it is.
    cell: String,
}

impl Progress {
    pub(super) fn new(plan: &Plan, quiet: bool) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if quiet || !terminal { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(None, target);
        // The template is constant and right; without it the default one does.
        bar.set_style(ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_bar()));
        let phases = [(PhaseName::WarmUp, plan.load.warmup), (PhaseName::Measure, plan.load.duration), (PhaseName::Drain, plan.load.drain)];
        let streams = plan.streams.iter().map(|stream| {
            let open = matches!(stream.load.shape, Shape::Open { .. });
            format!("{} ({})", stream.name, if open { "open" } else { "closed" })
        });
        Self { bar, streams: streams.collect(), phases, quiet, terminal, cell: String::new() }
    }

    /// Takes the line away.
    pub(super) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn length(&self, phase: PhaseName) -> Option<Nanos> {
        self.phases.iter().find(|(name, _)| *name == phase).map(|(_, length)| *length)
    }

    fn second(&self, interval: &Interval) -> String {
        let seconds = self.length(PhaseName::Measure).map_or(0, |length| length.0.div_ceil(1_000_000_000));
        let mut line = match interval.index.checked_sub(seconds) {
            None => format!("measure {}/{seconds} s", interval.index + 1),
            Some(before) => format!("drain {} s", before + 1),
        };
        for (name, stream) in self.streams.iter().zip(&interval.streams) {
            let p99 = Nanos(stream.response.quantile_ns(0.99)).human();
            // Writing to a text cannot fail.
            let _ = write!(line, "  {name}: {}/s, response p99 {p99}", stream.ok);
            if stream.failed > 0 {
                let _ = write!(line, ", {} failed", stream.failed);
            }
        }
        line
    }

    fn show(&self, text: &str) {
        self.bar.set_message(format!("{}{text}", self.cell));
    }

    /// A run of a series that measures for so long.
    fn begin(&mut self, what: String, seconds: f64) {
        self.phases[1].1 = Nanos((seconds * 1e9) as u64);
        // Without a terminal there is no line that changes: one for each run says that it goes on.
        if !self.terminal {
            self.tell(&what);
        }
        self.cell = what + ": ";
    }

    /// Says something that stays.
    fn tell(&self, text: &str) {
        if self.quiet {
            return;
        }
        if self.terminal {
            self.bar.println(text);
        } else {
            // Where standard error is closed there is nobody to tell.
            let _ = writeln!(std::io::stderr(), "{text}");
        }
    }
}

fn set_up(progress: SetUp) -> String {
    match progress {
        SetUp::Filling { rows, of } => format!("set-up: {rows} of {of} rows are written"),
        SetUp::Flushing => "set-up: sealing what was written".to_owned(),
        SetUp::Indexing { rows, of } => format!("set-up: {rows} of {of} rows are indexed"),
        SetUp::Loading { percent } => format!("set-up: {percent} % are loaded"),
    }
}

impl Observer for Progress {
    fn event(&mut self, event: &Event<'_>) {
        match event {
            Event::Cell { round, of, label } => {
                self.cell = format!("round {round} of {of}, {label}: ");
                // Without a terminal there is no line that changes: one for each run says that it goes on.
                if !self.terminal {
                    self.tell(self.cell.trim_end_matches([':', ' ']));
                }
            }
            Event::Probe { number, rate_per_s, seconds } => self.begin(format!("probe {number}, {rate_per_s}/s for {seconds} s"), *seconds),
            Event::Point { number, workers, seconds } => self.begin(format!("point {number}, {workers} workers for {seconds} s"), *seconds),
            Event::Phase(phase) => {
                let limit = if *phase == PhaseName::Drain { "up to " } else { "" };
                let length = self.length(*phase).map(|length| format!(" ({limit}{})", as_planned(length))).unwrap_or_default();
                self.show(&format!("{}{length}", phase.as_str()));
            }
            Event::Floor => self.show("floor: what the instrument reads for a server that answers at once"),
            Event::SetUp(progress) => self.show(&set_up(*progress)),
            Event::Second(interval) => self.show(&self.second(interval)),
            Event::Fetching => self.show("fetching traces from Jaeger (up to 30 s)"),
            Event::Trouble(text) => self.tell(text),
        }
    }
}

/// As a scenario has it, `20s`; a length that was worked out, of which nobody reads nanoseconds, for people.
fn as_planned(length: Nanos) -> String {
    if length.0.is_multiple_of(1_000_000) { length.to_string() } else { length.human() }
}
