//! The generator, not the target, was the bottleneck.

use crate::result::model::{Lane, RunDocument, Severity, Stream};

use super::Statement;
use super::lanes::polls;
use super::statement::{percent, time};

/// A lane with this share of a core in use has no time left to be on time with.
pub(super) const BUSY_LANE: f64 = 0.9;

/// A lane that had to wait for the processor for this share of the time shares its core with other work.
const WAITING_LANE: f64 = 0.2;

/// A median request that spends more than this share of its response time before it is sent measures the generator.
const LATENESS_SHARE: f64 = 0.1;

/// A timer that fires later than this by the median was not given the processor: a sleeping thread wakes within 0.1 ms.
const STARVED_TIMER_NS: u64 = 1_000_000;

pub(super) fn check(document: &RunDocument) -> Vec<Statement> {
    let lanes = &document.generator.lanes;
    // A lane that waits for the processor has no time left either, however little it uses.
    let taken = |lane: &Lane| lane.cpu_share + lane.wait_share;
    let busiest = lanes.iter().filter(|_| !polls(document)).max_by(|one, other| taken(one).total_cmp(&taken(other)));
    let busiest = busiest.copied().unwrap_or_default();
    let timer = lanes.iter().filter_map(|lane| lane.timer_error.p50_ns).max().unwrap_or(0);
    document.streams.iter().filter_map(|stream| of_stream(stream, &busiest, timer)).collect()
}

fn of_stream(stream: &Stream, busiest: &Lane, timer: u64) -> Option<Statement> {
    let (lateness, response) = (stream.lateness.p50_ns?, stream.response.p50_ns?);
    if lateness as f64 <= response as f64 * LATENESS_SHARE {
        return None;
    }
    let late = format!(
        "half of `{}`'s requests left {} late or more, of a median response time of {}",
        stream.name,
        time(lateness),
        time(response)
    );
    let (taken, waiting) = (busiest.cpu_share + busiest.wait_share, busiest.wait_share);
    let (cause, advice) = if taken >= BUSY_LANE && waiting >= WAITING_LANE {
        (
            format!("a lane was ready all the time and had to leave the processor to other work for {} of it", percent(waiting)),
            "give the generator cores of its own (`taskset`, a quieter machine, a larger CPU limit), or lower the rate: these times are the machine's",
        )
    } else if taken >= BUSY_LANE {
        (
            format!("a lane used {} of its core, or waited for it", percent(taken)),
            "use more lanes (`load.lanes`) and a core for each, or lower the rate: these times are the generator's own",
        )
    } else if timer > STARVED_TIMER_NS {
        (
            format!("the lanes' timers fired {} late by the median, so other work had the processor", time(timer)),
            "give the generator cores of its own (`taskset`, a quieter machine, a larger CPU limit): these times are the machine's",
        )
    } else {
        return None; // late because `max_in_flight` requests were waiting for the target: the lateness rule speaks
    };
    let statement = Statement::new("generator-bottleneck", Severity::Invalid, format!("{late}, and {cause}"), advice).about(&stream.name);
    let statement = statement.figure("lateness_p50_ns", lateness).figure("response_p50_ns", response);
    let statement = statement.figure("busiest_lane_cpu_share", busiest.cpu_share).figure("busiest_lane_wait_share", waiting);
    Some(statement.figure("timer_error_p50_ns", timer))
}
