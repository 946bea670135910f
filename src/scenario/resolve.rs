//! From what was typed to what the program needs: defaults, and what keys must keep to together.

use std::collections::HashSet;
use std::num::NonZeroU32;

use crate::load::{Shape, Stage, StreamLoad};
use crate::milvus::operation::{InsertSettings, MAX_MESSAGE, MAX_TOP_K, SearchSettings, Settings as Operation};
use crate::milvus::{Address, CollectionSettings};
use crate::practice;
use crate::units::{Nanos, Rate};

use super::file::{OperationName, ScenarioFile, StageTable, StreamTable};
use super::gates::Gates;
use super::overrides::TOP_KEYS;
use super::plan::{Load, Plan, Stream};
use super::read::draw_seed;
use super::tree::Step;
use super::{LoadTable, Metric, defaults};

/// What is wrong, at which path.
#[derive(Debug)]
pub(super) struct Problem {
    pub(super) path: Vec<Step>,
    /// Point at the key rather than at its value.
    pub(super) of_key: bool,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl Problem {
    fn new(path: Vec<Step>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path, of_key: false, message: message.into(), help: Some(help.into()) }
    }

    fn key(self) -> Self {
        Self { of_key: true, ..self }
    }
}

fn at<const N: usize>(keys: [&str; N]) -> Vec<Step> {
    keys.into_iter().map(|key| Step::Key(key.to_owned())).collect()
}

/// Checks and completes a scenario. The first thing that is wrong, in the order of the tables, is the one that is told.
pub(super) fn resolve(file: ScenarioFile) -> Result<Plan, Problem> {
    let practice = match (file.target.uri == Address::Practice, file.practice) {
        (true, settings) => Some(settings.unwrap_or_default()),
        (false, None) => None,
        (false, Some(_)) => {
            let help = "set target.uri = \"practice\", or take the table out";
            let message = format!("[practice] is for the built-in target, and target.uri is \"{}\"", file.target.uri);
            return Err(Problem::new(at(["practice"]), message, help).key());
        }
    };
    if let Some(Err(error)) = practice.as_ref().map(practice::Settings::check) {
        let path = std::iter::once("practice").chain(error.key.split('.')).map(|key| Step::Key(key.to_owned())).collect();
        return Err(Problem { path, of_key: false, message: format!("practice: {error}"), help: None });
    }
    if let Err(error) = file.trace.check() {
        return Err(Problem::new(at(["trace", error.key]), error.message, error.help).key());
    }
    if file.target.ca_file.is_some() && !matches!(file.target.uri, Address::Remote { tls: true, .. }) {
        let message = format!("target.ca_file is for encrypted connections, and target.uri is \"{}\"", file.target.uri);
        return Err(Problem::new(at(["target", "ca_file"]), message, "write https:// in target.uri, or take the key out").key());
    }
    let collection = collection(file.collection)?;
    if let Some(practice) = &practice {
        check_room(&collection, practice)?;
    }
    check_name(file.name.as_deref())?;
    let load = load(&file.load, &file.stream)?;
    if file.stream.is_empty() {
        let help = "add [[stream]] with name, operation and one of rate, stages and workers";
        return Err(Problem::new(Vec::new(), "there is no stream, so nothing would be sent", help));
    }
    let mut names = HashSet::new();
    let mut streams = Vec::with_capacity(file.stream.len());
    for (index, typed) in file.stream.into_iter().enumerate() {
        let place = Place { index, name: typed.name.clone() };
        if !names.insert(typed.name.clone()) {
            let message = format!("two streams are called `{}`", typed.name);
            return Err(place.problem("name", message, "give each stream a name of its own"));
        }
        streams.push(stream(typed, &place, &load, collection.dim.map(NonZeroU32::get))?);
    }
    check_gates(&file.gates, &streams)?;
    Ok(Plan {
        name: file.name.unwrap_or_else(|| "scenario".to_owned()),
        seed: file.seed.unwrap_or_else(draw_seed),
        target: file.target,
        collection,
        load,
        streams,
        trace: file.trace,
        gates: file.gates.0,
        practice,
    })
}

fn collection(typed: CollectionSettings) -> Result<CollectionSettings, Problem> {
    if let Err(error) = typed.check() {
        return Err(Problem { path: at(["collection", error.key]), of_key: false, message: error.to_string(), help: None });
    }
    // A collection that is there brings its own dimension and metric.
    if typed.reuse {
        return Ok(typed);
    }
    Ok(CollectionSettings { dim: NonZeroU32::new(typed.dim()), metric: Some(typed.metric()), ..typed })
}

/// What a practice target would refuse after minutes of filling.
fn check_room(collection: &CollectionSettings, practice: &practice::Settings) -> Result<(), Problem> {
    let bytes = u128::from(collection.rows.get()) * u128::from(collection.dim()) * size_of::<f32>() as u128;
    if bytes <= u128::from(practice.max_memory.0) {
        return Ok(());
    }
    let most = practice.max_memory.human();
    let message = format!("collection.rows: {} rows of {} dimensions do not fit into {most}", collection.rows, collection.dim());
    Err(Problem::new(at(["collection", "rows"]), message, "take fewer rows or dimensions, or raise practice.max_memory"))
}

fn check_name(name: Option<&str>) -> Result<(), Problem> {
    let Some(name) = name else { return Ok(()) };
    let right = !name.is_empty() && name.len() <= 100 && !name.starts_with('.') && !name.contains(['/', '\\', '\0', '\n']);
    if right {
        return Ok(());
    }
    let help = "it becomes part of a folder's name: up to 100 bytes, no / and no dot in front";
    Err(Problem::new(at(["name"]), format!("`{name}` cannot name a scenario"), help))
}

fn load(typed: &LoadTable, streams: &[StreamTable]) -> Result<Load, Problem> {
    let phase = |key: &str, length: Nanos, least: Nanos| {
        if length < least || length > defaults::MAX_PHASE {
            let help = if length < least { "the measured phase needs some time, such as \"30s\"" } else { "seven days are the limit" };
            return Err(Problem::new(at(["load", key]), format!("load.{key}: {length} cannot be"), help));
        }
        Ok(length)
    };
    let staged = streams.iter().find_map(|stream| stream.stages.as_ref());
    let total = staged.map(|stages| stages.iter().fold(0_u64, |sum, stage| sum.saturating_add(stage.length.0)));
    // Stages that last no time, or too much, are refused where they are read.
    let total = total.filter(|total| (1..=defaults::MAX_PHASE.0).contains(total)).map(Nanos);
    let duration = typed.duration.or(total).unwrap_or(defaults::DURATION);
    if !(1..=defaults::MAX_CHANNELS).contains(&typed.channels) {
        let message = format!("load.channels: {} is not from 1 to {}", typed.channels, defaults::MAX_CHANNELS);
        return Err(Problem::new(at(["load", "channels"]), message, "one channel a lane is enough but for slow networks"));
    }
    Ok(Load {
        lanes: typed.lanes,
        channels: typed.channels,
        warmup: phase("warmup", typed.warmup, Nanos::ZERO)?,
        duration: phase("duration", duration, Nanos(1))?,
        drain: phase("drain", typed.drain, Nanos::ZERO)?,
        wait: typed.wait,
    })
}

/// Which stream is looked at.
struct Place {
    index: usize,
    name: String,
}

impl Place {
    fn path(&self, key: &str) -> Vec<Step> {
        vec![Step::Key("stream".to_owned()), Step::Index(self.index), Step::Key(key.to_owned())]
    }

    fn problem(&self, key: &str, message: impl Into<String>, help: impl Into<String>) -> Problem {
        Problem::new(self.path(key), message, help)
    }

    /// A number that must lie from 1 to `most`.
    fn within(&self, key: &str, number: u32, most: u32, help: &str) -> Result<u32, Problem> {
        if (1..=most).contains(&number) {
            return Ok(number);
        }
        Err(self.problem(key, format!("{}.{key}: {number} is not from 1 to {most}", self.name), help))
    }
}

fn stream(typed: StreamTable, place: &Place, load: &Load, dim: Option<u32>) -> Result<Stream, Problem> {
    check_stream_name(place)?;
    let timeout = typed.timeout.unwrap_or(defaults::TIMEOUT);
    if timeout == Nanos::ZERO || timeout > defaults::MAX_PHASE {
        return Err(place.problem("timeout", format!("{}.timeout: {timeout} cannot be", place.name), "give a time such as \"10s\""));
    }
    let shape = shape(&typed, place, load)?;
    let operation = operation(typed, place, dim)?;
    Ok(Stream { name: place.name.clone(), operation, load: StreamLoad { shape, timeout, forced: false } })
}

fn check_stream_name(place: &Place) -> Result<(), Problem> {
    let name = place.name.as_str();
    if TOP_KEYS.contains(&name) || name == "errors" {
        let message = format!("a stream cannot be called `{name}`: that is what a table or a metric is called");
        return Err(place.problem("name", message, "choose another name, such as \"readers\""));
    }
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic());
    let right = begins && name.len() <= 64 && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if right {
        return Ok(());
    }
    let help = "a letter first, then letters, digits, - and _, 64 at most: metrics are named by it";
    Err(place.problem("name", format!("`{name}` cannot name a stream"), help))
}

fn shape(typed: &StreamTable, place: &Place, load: &Load) -> Result<Shape, Problem> {
    let name = &place.name;
    let given: Vec<&str> = [("rate", typed.rate.is_some()), ("stages", typed.stages.is_some()), ("workers", typed.workers.is_some())]
        .into_iter()
        .filter_map(|(key, given)| given.then_some(key))
        .collect();
    let choice = "rate (open loop), stages (open loop that changes) and workers (closed loop) exclude each other: give exactly one";
    match given[..] {
        [] => return Err(place.problem("name", format!("stream `{name}` does not say when its requests go"), choice).key()),
        [_] => {}
        [first, second, ..] => {
            return Err(place.problem(second, format!("stream `{name}` gives both `{first}` and `{second}`"), choice).key());
        }
    }
    if let Some(workers) = typed.workers {
        for (key, given) in [("arrivals", typed.arrivals.is_some()), ("max_in_flight", typed.max_in_flight.is_some())] {
            if given {
                let help = "take the key out, or give rate in place of workers";
                return Err(place.problem(key, format!("{name}.{key}: belongs to open loops, and workers make a closed one"), help).key());
            }
        }
        let workers = place.within("workers", workers, defaults::MAX_WORKERS, "each worker has one request in flight")?;
        return Ok(Shape::Closed { workers: workers as usize });
    }
    let max_in_flight = typed.max_in_flight.unwrap_or(defaults::MAX_IN_FLIGHT);
    let max_in_flight = place.within("max_in_flight", max_in_flight, defaults::MAX_WORKERS, "this many requests may lack an answer")?;
    let arrivals = typed.arrivals.unwrap_or_default();
    let (stages, warmup) = match (&typed.stages, typed.rate) {
        (Some(stages), _) => staged(stages, place, load)?,
        (None, rate) => {
            let rate = rate.unwrap_or_default();
            check_rate(rate, place.path("rate"), &format!("{name}.rate"))?;
            (vec![Stage::steady(rate, load.duration)], rate)
        }
    };
    let requests: f64 = stages.iter().map(Stage::requests).sum();
    if requests < 1.0 {
        let key = if typed.stages.is_some() { "stages" } else { "rate" };
        let message = format!("{name}.{key}: over {} this plans {requests:.2} requests, less than one", load.duration);
        return Err(place.problem(key, message, "raise the rate, or lengthen load.duration"));
    }
    Ok(Shape::Open { arrivals, warmup, stages, max_in_flight: max_in_flight as usize })
}

fn check_rate(rate: Rate, path: Vec<Step>, key: &str) -> Result<(), Problem> {
    if rate.per_second() > defaults::MAX_RATE_PER_S {
        let help = format!("the limit is {}/s", defaults::MAX_RATE_PER_S);
        return Err(Problem::new(path, format!("{key}: {rate} is more than any generator sends"), help));
    }
    if rate == Rate::ZERO {
        return Err(Problem::new(
            path,
            format!("{key}: a rate of zero sends nothing"),
            "give a rate such as \"500/s\", or take the stream out",
        ));
    }
    Ok(())
}

/// Stages without gaps, and the rate to warm up with.
fn staged(typed: &[StageTable], place: &Place, load: &Load) -> Result<(Vec<Stage>, Rate), Problem> {
    let name = &place.name;
    let path = |index: usize, key: &str| {
        let mut path = place.path("stages");
        path.extend([Step::Index(index), Step::Key(key.to_owned())]);
        path
    };
    let mut stages: Vec<Stage> = Vec::with_capacity(typed.len());
    for (index, stage) in typed.iter().enumerate() {
        let label = format!("{name}.stages[{index}]");
        for (key, rate) in [("rate", Some(stage.rate)), ("from", stage.from)] {
            // Zero is a pause, or an end of a ramp: only a schedule of nothing but zeros is refused, below.
            if let Some(rate) = rate.filter(|rate| *rate != Rate::ZERO) {
                check_rate(rate, path(index, key), &format!("{label}.{key}"))?;
            }
        }
        if stage.from.is_some() && !stage.ramp {
            let help = "add ramp = true, or take `from` out";
            return Err(Problem::new(path(index, "from"), format!("{label}.from: only a ramp begins at another rate"), help).key());
        }
        if stage.length == Nanos::ZERO {
            return Err(Problem::new(path(index, "for"), format!("{label}.for: a stage needs some time"), "give a time such as \"10s\""));
        }
        let before = stages.last().map_or(Rate::ZERO, |stage| stage.to);
        let from = if stage.ramp { stage.from.unwrap_or(before) } else { stage.rate };
        stages.push(Stage { from, to: stage.rate, length: stage.length });
    }
    let Some(first) = stages.first().copied() else {
        return Err(place.problem("stages", format!("{name}.stages: the list is empty"), "give at least one stage, or a rate"));
    };
    if stages.iter().all(|stage| stage.requests() == 0.0) {
        let help = "give at least one stage a rate such as \"500/s\"";
        return Err(place.problem("stages", format!("{name}.stages: rates of zero send nothing"), help));
    }
    let total = stages.iter().fold(0_u64, |sum, stage| sum.saturating_add(stage.length.0));
    if total != load.duration.0 {
        let message = format!("{name}.stages last {} in all, and the measured phase {}", Nanos(total), load.duration);
        let help = "stages make up the measured phase: leave load.duration out, or make the two agree";
        return Err(place.problem("stages", message, help).key());
    }
    let climbs = Rate::from_per_second(first.to.per_second() * defaults::WARMUP_SHARE_OF_RAMP).unwrap_or_default();
    Ok((stages, if first.from == Rate::ZERO { climbs } else { first.from }))
}

fn operation(typed: StreamTable, place: &Place, dim: Option<u32>) -> Result<Operation, Problem> {
    let name = &place.name;
    let foreign = match typed.operation {
        OperationName::Search => [("batch", typed.batch.is_some(), "insert")].to_vec(),
        OperationName::Insert => [
            ("top_k", typed.top_k.is_some(), "search"),
            ("consistency", typed.consistency.is_some(), "search"),
            ("params", typed.params.is_some(), "search"),
        ]
        .to_vec(),
    };
    if let Some((key, _, owner)) = foreign.into_iter().find(|(_, given, _)| *given) {
        let message = format!("{name}.{key}: belongs to {owner} streams, and `{name}` is {} stream", article(typed.operation.name()));
        return Err(place.problem(key, message, "take the key out").key());
    }
    Ok(match typed.operation {
        OperationName::Search => {
            let top_k = typed.top_k.unwrap_or(defaults::TOP_K);
            let top_k = place.within("top_k", top_k, MAX_TOP_K, "that is Milvus's own limit")?;
            Operation::Search(SearchSettings { top_k, consistency: typed.consistency, params: typed.params.unwrap_or_default() })
        }
        OperationName::Insert => {
            let batch = place.within("batch", typed.batch.unwrap_or(defaults::BATCH), u32::MAX, "a request inserts one row at least")?;
            // With `reuse` the dimension may be known only when the collection is described.
            let row = u64::from(dim.unwrap_or(0)) * 4;
            let bytes = u64::from(batch) * row;
            if bytes > MAX_MESSAGE as u64 {
                let message =
                    format!("{name}.batch: {batch} rows of {} dimensions are {bytes} bytes, and Milvus takes 64 MiB a message", row / 4);
                let most = MAX_MESSAGE as u64 / row;
                return Err(place.problem("batch", message, format!("at most {most} rows fit")));
            }
            Operation::Insert(InsertSettings { batch })
        }
    })
}

fn article(operation: &str) -> String {
    let article = if operation.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {operation}")
}

fn check_gates(gates: &Gates, streams: &[Stream]) -> Result<(), Problem> {
    for (index, gate) in gates.0.iter().enumerate() {
        let metric = gate.metric.to_string();
        let problem = |message: String, help: String| Problem::new(at(["gates", &metric]), message, help).key();
        if gates.0[..index].iter().any(|other| other.metric == gate.metric) {
            return Err(problem(format!("gates: `{metric}` is there twice"), "keep one of the two".to_owned()));
        }
        let Some(name) = gate.metric.stream() else { continue };
        let Some(stream) = streams.iter().find(|stream| stream.name == name) else {
            let known = streams.iter().map(|stream| stream.name.as_str());
            let help = match super::nearest::nearest(name, known.clone()) {
                Some(name) => format!("did you mean the stream `{name}`?"),
                None => format!("streams of this scenario: {}", known.collect::<Vec<_>>().join(", ")),
            };
            return Err(problem(format!("gates: `{metric}` speaks of a stream that is not there"), help));
        };
        if matches!(gate.metric, Metric::Recall { .. }) && !matches!(stream.operation, Operation::Search(_)) {
            let message =
                format!("gates: `{metric}`: `{name}` is {} stream, and only searches have a recall", article(stream.operation.name()));
            return Err(problem(message, "take the gate out, or name a search stream".to_owned()));
        }
    }
    Ok(())
}
