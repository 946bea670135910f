//! `tailtrace check`: the plan, for people or as JSON.

use std::fmt::{self, Write as _};
use std::num::NonZeroUsize;

use crate::load::Shape;
use crate::milvus::operation::Settings as Operation;
use crate::milvus::{Address, CollectionSettings};
use crate::scenario::{self, Plan, Stream};
use crate::stats::arrivals::Process;
use crate::{practice, trace};

use super::arguments::CheckArguments;
use super::exit::{CliError, Status};
use super::output;

pub(super) fn run(arguments: &CheckArguments) -> Result<Status, CliError> {
    let plan = scenario::read(&arguments.scenario.scenario, &arguments.scenario.overrides())?;
    if arguments.json {
        return output::json(&plan);
    }
    output::text(&describe(&plan).unwrap_or_default())
}

/// A row of the description: the name in a column of its own.
fn row(text: &mut String, name: &str, value: fmt::Arguments<'_>) -> fmt::Result {
    writeln!(text, "{name:<12} {value}")
}

fn describe(plan: &Plan) -> Result<String, fmt::Error> {
    let mut text = String::new();
    row(&mut text, "scenario", format_args!("{}, seed {}", plan.name, plan.seed))?;
    match &plan.target.uri {
        Address::Practice => row(&mut text, "target", format_args!("the built-in practice target"))?,
        uri @ Address::Remote { .. } => row(&mut text, "target", format_args!("{uri}"))?,
    }
    row(&mut text, "collection", format_args!("{}", collection(&plan.collection)?))?;
    let load = &plan.load;
    let phases = format_args!("warm-up {}, measured {}, drain up to {}", load.warmup, load.duration, load.drain);
    row(&mut text, "phases", phases)?;
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let lanes = load.lanes.count(u32::try_from(cores).unwrap_or(u32::MAX));
    let crowded = if lanes as usize > cores { format!("; more than the {} here", counted(cores as u64, "core")) } else { String::new() };
    row(&mut text, "lanes", format_args!("{lanes}, {} a lane{crowded}", counted(load.channels.into(), "channel")))?;
    for stream in &plan.streams {
        row(&mut text, &stream.name, format_args!("{}", describe_stream(stream, &plan.collection)?))?;
    }
    if let Some(practice) = &plan.practice {
        row(&mut text, "practice", format_args!("{}", describe_practice(practice)))?;
    }
    row(&mut text, "trace", format_args!("{}", describe_trace(&plan.trace)))?;
    for gate in &plan.gates {
        row(&mut text, "gate", format_args!("{gate}"))?;
    }
    Ok(text)
}

fn describe_trace(trace: &trace::Settings) -> String {
    if trace.sample_fraction.get() == 0.0 && trace.burst.is_none() {
        return "nothing".to_owned();
    }
    let bursts = if trace.burst.is_some() { " and bursts" } else { "" };
    let goes =
        trace.endpoint.as_ref().map_or_else(|| "where OTEL_EXPORTER_OTLP_ENDPOINT says, else built-in".to_owned(), ToString::to_string);
    format!("{} of the requests{bursts}, spans to {goes}", trace.sample_fraction.percent())
}

/// A value as a scenario writes it, without quotes around a text.
fn as_typed(value: &impl serde::Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        Ok(serde_json::Value::Object(keys)) => {
            let pairs: Vec<String> = keys.iter().map(|(key, value)| format!("{key} {}", as_typed(value))).collect();
            format!("({})", pairs.join(", "))
        }
        other => other.map(|value| value.to_string()).unwrap_or_default(),
    }
}

/// What differs from a target that searches exactly and answers as soon as it can.
fn describe_practice(practice: &practice::Settings) -> String {
    let keys = |settings: &practice::Settings| serde_json::to_value(settings).unwrap_or_default();
    let (own, plain) = (keys(practice), keys(&practice::Settings::default()));
    let differing = own.as_object().into_iter().flatten().filter(|(key, value)| plain.get(key) != Some(value));
    let told: Vec<String> = differing.map(|(key, value)| format!("{key} {}", as_typed(value))).collect();
    if told.is_empty() { "searches exactly, answers as soon as it can".to_owned() } else { told.join(", ") }
}

fn counted(number: u64, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}

fn collection(collection: &CollectionSettings) -> Result<String, fmt::Error> {
    if collection.reuse {
        return Ok(format!("{}, as it is", collection.name));
    }
    let mut text = format!(
        "{}, {} of {}, {} by {}",
        collection.name,
        counted(collection.rows.get(), "row"),
        counted(collection.dim().into(), "dimension"),
        collection.index.kind,
        as_typed(&collection.metric()),
    );
    write!(text, "; made before the run, {} after it", if collection.keep { "kept" } else { "dropped" })?;
    Ok(text)
}

fn describe_stream(stream: &Stream, collection: &CollectionSettings) -> Result<String, fmt::Error> {
    let mut text = match &stream.operation {
        Operation::Search(search) => {
            let consistency = match search.consistency {
                Some(level) => format!("consistency {}", as_typed(&level)),
                None if collection.reuse => "the collection's own consistency".to_owned(),
                None => format!("consistency {}, the collection's", as_typed(&collection.consistency)),
            };
            let params = search.params.iter().map(|(key, value)| format!("{key} {}", as_typed(value)));
            let parts = [format!("search, top {}", search.top_k), consistency].into_iter().chain(params);
            parts.collect::<Vec<_>>().join(", ")
        }
        Operation::Insert(insert) => format!("insert, {} a request", counted(insert.batch.into(), "row")),
    };
    match &stream.load.shape {
        Shape::Closed { workers } => write!(text, "; closed loop of {}", counted(*workers as u64, "worker"))?,
        Shape::Open { arrivals, stages, max_in_flight, .. } => {
            text.push_str("; open loop of ");
            for (index, stage) in stages.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", then " });
                if stage.from == stage.to {
                    write!(text, "{} for {}", stage.to, stage.length)?;
                } else {
                    write!(text, "{} to {} over {}", stage.from, stage.to, stage.length)?;
                }
            }
            let arrivals = match arrivals {
                Process::Poisson => "poisson",
                Process::Constant => "constant",
            };
            let requests: f64 = stages.iter().map(crate::load::Stage::requests).sum();
            write!(text, " ({arrivals}, {requests:.0} requests, at most {max_in_flight} unanswered)")?;
        }
    }
    write!(text, "; timeout {}", stream.load.timeout)?;
    Ok(text)
}
