//! The plan of each probe: the scenario's, with another rate or number of workers, another length, and a seed of its own.

use crate::load::{Shape, Stage};
use crate::scenario::{Gate, Plan};
use crate::units::{Nanos, Rate};
use crate::workload::{Purpose, Seed};

use super::error::CapacityError;
use super::probe::Ask;

/// Later probes settle for a tenth of their length, within these: the target is warm, and only the new rate has to settle in.
const SETTLE_S: (f64, f64) = (1.0, 5.0);

/// The stream that is varied, by its place: the one that is named, or the only one there is of its kind.
pub(super) fn stream(plan: &Plan, named: Option<&str>, open: bool) -> Result<usize, CapacityError> {
    let is_open = |at: usize| matches!(plan.streams[at].load.shape, Shape::Open { .. });
    let at = if let Some(name) = named {
        plan.streams.iter().position(|stream| stream.name == name).ok_or_else(|| CapacityError::NoStream {
            what: "--stream".to_owned(),
            name: name.to_owned(),
            known: super::names(plan),
        })?
    } else {
        let fit: Vec<usize> = (0..plan.streams.len()).filter(|at| is_open(*at) == open).collect();
        match (fit[..].first(), fit.len(), plan.streams.len()) {
            (Some(at), 1, _) => *at,
            (None, _, 1) => 0,
            _ => return Err(CapacityError::WhichStream { names: super::names(plan) }),
        }
    };
    let name = plan.streams[at].name.clone();
    match plan.streams[at].load.shape {
        Shape::Closed { workers } if open => Err(CapacityError::Closed { name, workers }),
        Shape::Open { .. } if !open => Err(CapacityError::Open { name }),
        _ => Ok(at),
    }
}

/// The highest rate that the stream has in the scenario.
pub(super) fn rate(plan: &Plan, stream: usize) -> f64 {
    match &plan.streams[stream].load.shape {
        Shape::Open { stages, .. } => stages.iter().flat_map(|stage| [stage.from, stage.to]).map(Rate::per_second).fold(0.0, f64::max),
        Shape::Closed { .. } => 0.0,
    }
}

/// The plan of probe number `number`, from 0.
pub(super) fn probe(plan: &Plan, stream: usize, ask: &Ask, number: usize, gates: Vec<Gate>) -> Plan {
    let mut probe = lasting(plan, ask.seconds, number, gates);
    if let Shape::Open { warmup, stages, .. } = &mut probe.streams[stream].load.shape {
        let rate = Rate::from_per_second(ask.rate).unwrap_or_default();
        *warmup = rate;
        *stages = vec![Stage::steady(rate, probe.load.duration)];
    }
    probe
}

/// The plan of a closed loop's point.
pub(super) fn point(plan: &Plan, stream: usize, workers: usize, seconds: f64, number: usize) -> Plan {
    let mut point = lasting(plan, seconds, number, Vec::new());
    point.streams[stream].load.shape = Shape::Closed { workers };
    point
}

/// The same load for so long; of another seed, or the same luck would be had in every probe.
fn lasting(plan: &Plan, seconds: f64, number: usize, gates: Vec<Gate>) -> Plan {
    let mut probe = Plan { seed: seed(plan.seed, number), gates, ..plan.clone() };
    let before = plan.load.duration;
    probe.load.duration = Nanos((seconds * 1e9).round() as u64);
    if number > 0 {
        let settle = Nanos(((seconds / 10.0).clamp(SETTLE_S.0, SETTLE_S.1) * 1e9) as u64);
        probe.load.warmup = probe.load.warmup.min(settle);
    }
    if let Some(practice) = &mut probe.practice {
        practice.seed = practice.seed.map(|own| seed(own, number));
    }
    for stream in &mut probe.streams {
        if let Shape::Open { stages, .. } = &mut stream.load.shape {
            stretch(stages, before, probe.load.duration);
        }
    }
    probe
}

/// Stages that fill another length: each its share of it, to the last nanosecond.
fn stretch(stages: &mut [Stage], before: Nanos, after: Nanos) {
    let (mut old, mut new) = (0_u64, 0_u64);
    for stage in stages {
        old += stage.length.0;
        let until = (u128::from(old) * u128::from(after.0) / u128::from(before.0.max(1))) as u64;
        stage.length = Nanos(until - new);
        new = until;
    }
}

/// 53 bits, so that every JSON reader keeps it whole.
fn seed(seed: u64, number: usize) -> u64 {
    Seed(seed).draws(Purpose::Rounds, 1).at(number as u64) >> 11
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::capacity::probe::Purpose as Why;
    use crate::scenario::{self, Overrides};

    const TEXT: &str = "target.uri = \"practice\"\n[practice]\nseed = 4\n\
        [[stream]]\nname = \"readers\"\noperation = \"search\"\nstages = [{ rate = \"9/s\", for = \"10s\" }, { rate = \"5/s\", for = \"20s\" }]\n\
        [[stream]]\nname = \"writers\"\noperation = \"insert\"\nworkers = 3\n";

    fn plan() -> Plan {
        scenario::parse(TEXT, "s.toml", &Overrides { set: Vec::new(), seed: Some(7) }).unwrap()
    }

    #[test]
    fn a_probe_is_the_scenario_at_another_rate_for_another_time_and_by_other_luck() {
        let ask = Ask { rate: 70.0, seconds: 10.0, purpose: Why::Bracket };
        let (first, second) = (probe(&plan(), 0, &ask, 0, Vec::new()), probe(&plan(), 0, &ask, 1, Vec::new()));
        assert_eq!(rate(&plan(), 0), 9.0);
        assert_eq!(rate(&first, 0), 70.0);
        assert_eq!((first.load.duration, first.load.warmup), (Nanos::from_secs(10), plan().load.warmup));
        assert_eq!(second.load.warmup, Nanos::from_secs(1));
        assert_eq!(first.streams[1], plan().streams[1]);
        assert_ne!(first.seed, second.seed);
        assert_ne!(first.practice.as_ref().unwrap().seed, second.practice.as_ref().unwrap().seed);
        // What is stored can be read again.
        let stored: Plan = serde_json::from_str(&serde_json::to_string(&second).unwrap()).unwrap();
        assert_eq!(stored, second);
    }

    #[test]
    fn other_streams_keep_their_shape_over_another_length() {
        let point = point(&plan(), 1, 8, 3.0, 2);
        let Shape::Open { stages, .. } = &point.streams[0].load.shape else { panic!() };
        assert_eq!(stages.iter().map(|stage| stage.length).collect::<Vec<_>>(), [Nanos::from_secs(1), Nanos::from_secs(2)]);
        assert_eq!(point.streams[1].load.shape, Shape::Closed { workers: 8 });
    }

    #[test]
    fn the_stream_is_the_named_one_or_the_only_one_of_its_kind() {
        assert_eq!((stream(&plan(), None, true).unwrap(), stream(&plan(), None, false).unwrap()), (0, 1));
        let said = |named, open| stream(&plan(), named, open).unwrap_err().to_string();
        assert!(said(Some("writers"), true).contains("closed loop of 3") && said(Some("writers"), true).contains("`rate`"));
        assert!(said(Some("readers"), false).contains("open loop"));
        assert!(said(Some("nobody"), true).contains("readers, writers"));
        let mut two = plan();
        two.streams[1].load.shape = two.streams[0].load.shape.clone();
        assert!(stream(&two, None, true).unwrap_err().to_string().contains("--stream"));
    }
}
