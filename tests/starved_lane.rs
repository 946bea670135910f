//! A lane that has more to do than a core can: the run says so, and is not to be trusted.

use tailtrace::clock::{Wait, thread_cpu};
use tailtrace::findings;
use tailtrace::load::{self, Failure, Interval, IntervalSink, Measured, RunSettings, Shape, Stage, Stop, StreamLoad, Target};
use tailtrace::result::WallTime;
use tailtrace::result::model::{self, Latency, RunDocument, Trust};
use tailtrace::stats::arrivals::Process;
use tailtrace::trace::{ContextHeader, Decider, Exporter, Propagation};
use tailtrace::units::{Fraction, Nanos, Rate};

/// Answers at once; to make a request takes so much CPU time of the lane.
struct Laborious(Nanos);

impl Target for Laborious {
    type Request = ();
    type Answer = ();
    type Leftover = ();

    fn prepare(&mut self, _: usize, _: u64) {
        let begin = thread_cpu();
        while thread_cpu().0 - begin.0 < self.0.0 {}
    }

    fn call(&mut self, _: usize, _: usize, (): (), _: Option<ContextHeader>) -> impl Future<Output = ()> + 'static {
        std::future::ready(())
    }

    fn judge(&mut self, _: usize, _: usize, _: u64, _: bool, (): ()) -> Result<(), Failure> {
        Ok(())
    }

    fn leave(self) {}
}

struct Unwatched;

impl IntervalSink for Unwatched {
    fn interval(&mut self, _: &Interval) {}
}

fn measure(per_second: f64, work: Nanos, drain: Nanos) -> Measured<()> {
    let rate = Rate::from_per_second(per_second).unwrap();
    let length = Nanos::from_secs(1);
    let stages = vec![Stage::steady(rate, length)];
    let shape = Shape::Open { arrivals: Process::Constant, warmup: rate, stages, max_in_flight: 100_000 };
    let settings = RunSettings {
        streams: vec![(StreamLoad { shape, timeout: Nanos::from_secs(60), forced: false }, 1)],
        warmup: Nanos::from_millis(100),
        duration: length,
        drain,
        lanes: 1,
        shard: 0,
        shards: 1,
        wait: Wait::Auto,
        propagation: Propagation::None,
    };
    let (_, spans) = Exporter::disabled(1);
    let connect = async |_: usize| Ok::<_, std::io::Error>(Laborious(work));
    load::run(&settings, connect, vec![Decider::new(Fraction::ZERO)], spans, &mut Unwatched, &Stop::default()).unwrap()
}

/// What the findings look at, as a run would put it down.
fn document(measured: &Measured<()>) -> RunDocument {
    let mut document = RunDocument::begun("", "", WallTime::from_unix_ns(0));
    document.partial = false;
    let stream = &measured.streams[0];
    document.streams.push(model::Stream {
        name: "readers".to_owned(),
        scheduled: stream.record.counts.scheduled,
        response: Latency::of(&stream.response),
        service: Latency::of(&stream.service),
        lateness: Latency::of(&stream.lateness),
        ..model::Stream::default()
    });
    let lane = &measured.lanes[0];
    document.generator.lanes.push(model::Lane { cpu_share: lane.cpu_share, wait_share: lane.wait_share, ..model::Lane::default() });
    findings::judge(&mut document);
    document
}

fn is_bottleneck(document: &RunDocument) -> bool {
    document.findings.iter().any(|finding| finding.code == "generator-bottleneck")
}

#[test]
fn a_lane_asked_for_four_times_what_it_can_do_makes_the_run_invalid() {
    // 2,000 requests a second of 2 ms CPU each are four cores' work.
    let measured = measure(2_000.0, Nanos::from_millis(2), Nanos::from_millis(100));
    let counts = measured.streams[0].record.counts;
    assert_eq!(counts.scheduled, 2_000, "what was not sent is counted too");
    assert!(counts.unfinished > 1_000, "{counts:?}");
    let document = document(&measured);
    assert!(is_bottleneck(&document), "{:?} {:?}", document.generator, document.findings);
    assert_eq!(document.trust, Trust::Invalid);
}

#[test]
fn a_lane_with_a_tenth_of_a_core_to_do_is_no_bottleneck() {
    let measured = measure(50.0, Nanos::from_micros(200), Nanos::from_secs(10));
    assert!(measured.lanes[0].cpu_share < 0.5, "{}", measured.lanes[0].cpu_share);
    assert_eq!(measured.streams[0].record.counts.unfinished, 0);
}
