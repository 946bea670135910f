//! A plan in the scenario's syntax with every default filled in, and back: how results store it.

use crate::load::{Shape, Stage};

use super::error::Diagnostic;
use super::file::{LoadTable, OperationName, ScenarioFile, StageTable, StreamTable};
use super::gates::Gates;
use super::plan::{Plan, Stream};
use super::resolve::resolve;
use crate::milvus::operation::Settings as Operation;

impl From<Plan> for ScenarioFile {
    fn from(plan: Plan) -> Self {
        Self {
            name: Some(plan.name),
            seed: Some(plan.seed),
            target: plan.target,
            collection: plan.collection,
            load: LoadTable {
                lanes: plan.load.lanes,
                channels: plan.load.channels,
                warmup: plan.load.warmup,
                duration: Some(plan.load.duration),
                drain: plan.load.drain,
                wait: plan.load.wait,
            },
            stream: plan.streams.into_iter().map(StreamTable::from).collect(),
            trace: plan.trace,
            gates: Gates(plan.gates),
            practice: plan.practice,
        }
    }
}

impl From<Stream> for StreamTable {
    fn from(stream: Stream) -> Self {
        let mut table = Self { name: stream.name, timeout: Some(stream.load.timeout), ..Self::default() };
        match stream.load.shape {
            Shape::Closed { workers } => table.workers = Some(u32::try_from(workers).unwrap_or(u32::MAX)),
            Shape::Open { arrivals, stages, max_in_flight, warmup: _ } => {
                table.arrivals = Some(arrivals);
                table.max_in_flight = Some(u32::try_from(max_in_flight).unwrap_or(u32::MAX));
                // One level stage over the whole measured phase is what `rate` means.
                match stages[..] {
                    [Stage { from, to, .. }] if from == to => table.rate = Some(to),
                    _ => table.stages = Some(stages.into_iter().map(StageTable::from).collect()),
                }
            }
        }
        match stream.operation {
            Operation::Search(search) => {
                table.operation = OperationName::Search;
                table.top_k = Some(search.top_k);
                table.consistency = search.consistency;
                table.params = Some(search.params);
            }
            Operation::Insert(insert) => {
                table.operation = OperationName::Insert;
                table.batch = Some(insert.batch);
            }
        }
        table
    }
}

impl From<Stage> for StageTable {
    fn from(stage: Stage) -> Self {
        let ramp = stage.from != stage.to;
        Self { rate: stage.to, length: stage.length, ramp, from: ramp.then_some(stage.from) }
    }
}

impl TryFrom<ScenarioFile> for Plan {
    type Error = Box<Diagnostic>;

    fn try_from(file: ScenarioFile) -> Result<Self, Box<Diagnostic>> {
        resolve(file).map_err(|problem| {
            Box::new(Diagnostic { origin: "stored plan".to_owned(), spot: None, message: problem.message, help: problem.help })
        })
    }
}
