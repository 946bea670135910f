//! What burst sampling catches for its spans, on whole lanes and a virtual clock: a target that stalls for 200 ms every 5 s
//! under 500 requests a second.

mod typed;

use std::cell::Cell;
use std::rc::Rc;
use std::sync::mpsc::{SyncSender, sync_channel};

use tailtrace::clock::{Anchor, Clock, Moment, Timer, VirtualClock};
use tailtrace::load::{Failure, Handover, Interval, LaneSettings, Part, Phases, Shape, Stage, Stop, StreamLoad, Target, run_lane};
use tailtrace::stats::arrivals::Process;
use tailtrace::trace::{
    Burst, ContextHeader, Decider, Decisions, ExportSettings, Exporter, Finished, Ids, Propagation, RunIdentity, SampledSink, Settings,
    StreamIdentity, Why,
};
use tailtrace::units::{Fraction, Nanos, Rate};

const SLOW: Nanos = Nanos::from_millis(50);
const EVERY: Nanos = Nanos::from_secs(5);
const STALL: Nanos = Nanos::from_millis(200);
const DURATION: Nanos = Nanos::from_secs(300);

/// Answers after 2 ms, and while it stalls 2 ms after the stall.
struct Stalling {
    clock: VirtualClock,
    begin: Moment,
    counts: Rc<Counts>,
}

#[derive(Default)]
struct Counts {
    slow: Cell<u64>,
    told: Cell<u64>,
}

impl Target for Stalling {
    type Request = ();
    type Answer = ();
    type Leftover = ();

    fn prepare(&mut self, _: usize, _: u64) {}

    fn call(&mut self, _: usize, _: usize, (): (), context: Option<ContextHeader>) -> impl Future<Output = ()> + 'static {
        let now = self.clock.now();
        // Each period ends with its stall.
        let into = now.since(self.begin).0 % EVERY.0;
        let waits = if into >= EVERY.0 - STALL.0 { EVERY.0 - into } else { 0 };
        let at = now.plus(Nanos(waits + 2_000_000));
        self.counts.slow.set(self.counts.slow.get() + u64::from(at.since(now) > SLOW));
        self.counts.told.set(self.counts.told.get() + u64::from(context.is_some()));
        let mut timer = self.clock.timer().unwrap();
        async move { timer.until(at).await }
    }

    fn judge(&mut self, _: usize, _: usize, _: u64, _: bool, (): ()) -> Result<(), Failure> {
        Ok(())
    }

    fn leave(self) {}
}

struct Forgotten;

impl Handover for Forgotten {
    fn exchange(&mut self, interval: &mut Box<Interval>) -> bool {
        interval.clear();
        true
    }
}

struct Kept(SyncSender<Finished>);

impl SampledSink for Kept {
    fn sampled(&mut self, finished: &Finished) {
        self.0.try_send(*finished).unwrap();
    }
}

/// What a run leaves: its slow requests, what was decided, and each sampled request.
struct Ran {
    slow: u64,
    decisions: Decisions,
    sampled: Vec<Finished>,
}

impl Ran {
    /// Slow requests of which the server was told to make spans.
    fn caught(&self) -> u64 {
        self.sampled.iter().filter(|finished| finished.response() > SLOW).count() as u64
    }
}

fn run(fraction: f64, burst: Option<Burst>, seed: u64) -> Ran {
    let settings = Settings { sample_fraction: Fraction::new(fraction).unwrap(), burst, ..Settings::default() };
    let identity = RunIdentity {
        run_id: "run".into(),
        server_address: "localhost".into(),
        server_port: 1,
        streams: vec![StreamIdentity {
            name: "r".into(),
            operation: "Search".into(),
            db_operation: "search".into(),
            collection: "c".into(),
        }],
    };
    // All that one run can sample finds room: the exporter's thread keeps real time.
    let export = ExportSettings { ring: 200_000, ..ExportSettings::new(None, identity) };
    let (way, sampled) = sync_channel(200_000);
    let (exporter, mut spans) = Exporter::start(&export, Anchor::take(), 1, Some(Box::new(Kept(way)))).unwrap();
    let spans = spans.remove(0);
    let counts = Rc::new(Counts::default());
    let counted = counts.clone();
    let report = VirtualClock::run(|clock| async move {
        let begin = clock.now().plus(Nanos::from_millis(5));
        let rate = Rate::from_per_second(500.0).unwrap();
        let stages = vec![Stage::steady(rate, DURATION)];
        let shape = Shape::Open { arrivals: Process::Poisson, warmup: rate, stages, max_in_flight: 10_000 };
        let settings_of_lane = LaneSettings {
            part: Part::WHOLE,
            streams: vec![(StreamLoad { shape, timeout: Nanos::from_secs(10), forced: false }, seed)],
            phases: Phases::new(begin, Nanos::ZERO, DURATION, Nanos::from_secs(2)),
            propagation: Propagation::Traceparent,
        };
        let decider = Decider::of(&settings).with_ids(Ids::seeded(seed));
        let target = Stalling { clock: clock.clone(), begin, counts };
        let lane = run_lane(clock, settings_of_lane, target, decider, spans, Box::new(Forgotten), Stop::default());
        tokio::task::spawn_local(lane).await.unwrap().unwrap()
    });
    let account = exporter.finish();
    let sampled: Vec<_> = sampled.try_iter().collect();
    assert_eq!((account.ended, account.unseen), (sampled.len() as u64, 0));
    assert_eq!((report.decisions.sampled(), counted.told.get()), (account.ended, account.ended), "who is sampled tells the server");
    Ran { slow: counted.slow.get(), decisions: report.decisions, sampled }
}

fn burst() -> Burst {
    Burst { above: SLOW, lasting: Nanos::from_millis(20), fraction: Fraction::ONE }
}

/// A stall of 200 ms at 500/s meets 100 requests; the 76 of its first 152 ms are slow. From 50 ms (and a 64th) on the oldest is
/// overdue: the 50 slow ones sent after that are caught, 86 requests in all until 20 ms after the last answer. With the ratio's 25 that is 111
/// spans of 2,500 requests: a ratio of 4.4 % alone catches 3.4 of the 76. So 15 times as many are expected.
///
/// Over 60 stalls the ratio alone catches binomial(4,560, 0.044): 202, deviation 14, and bursts about 3,050, deviation under 60.
/// Ten times would need 305 of the first: 7 deviations, less than one run in 10^11, and the seed is fixed.
#[test]
fn for_the_same_spans_bursts_catch_ten_times_as_many_slow_requests_as_the_ratio_alone() {
    let with_bursts = run(0.01, Some(burst()), 1);
    let spans = with_bursts.decisions.sampled() as f64;
    let fraction = spans / with_bursts.decisions.decided as f64;
    let ratio_alone = run(fraction, None, 2);
    // The budgets are equal in the mean; the ratio's own draw scatters by √spans.
    assert!((ratio_alone.decisions.sampled() as f64 - spans).abs() < 5.0 * spans.sqrt());
    // The two runs meet Poisson arrivals of their own.
    for ran in [&with_bursts, &ratio_alone] {
        assert!((ran.slow as f64 - 4_560.0).abs() < 5.0 * 4_560.0_f64.sqrt(), "{} slow requests", ran.slow);
    }
    let (burst, alone) = (with_bursts.caught(), ratio_alone.caught());
    assert!(burst >= 10 * alone, "{burst} with bursts, {alone} with the ratio alone, {spans} spans each");
    assert!((2_700..=3_400).contains(&burst), "{burst} of {} caught", with_bursts.slow);
}

/// The first requests of a clump, which wait longest, are sent before any is overdue: no burst catches them.
#[test]
fn what_was_sent_before_the_first_was_overdue_no_burst_catches() {
    let ran = run(0.0, Some(burst()), 3);
    assert!(ran.sampled.iter().all(|finished| finished.decision.sampled == Some(Why::Burst)));
    let longest = ran.sampled.iter().map(Finished::response).max().unwrap();
    // 202 ms less the 50 ms until somebody was overdue; the slow ones between are nobody's.
    assert!(longest <= Nanos::from_millis(152), "{longest:?}");
    assert!(ran.caught() < ran.slow * 3 / 4, "{} of {}", ran.caught(), ran.slow);
}

/// Each sampled request carries the chance it had. Their inverses add up to the number of slow requests: unbiased, with the
/// variance Σ (1 − p) / p over all slow requests (Horvitz and Thompson), of which a third had p = 0.01: 99 each.
#[test]
fn inverse_inclusion_probabilities_add_up_to_all_slow_requests() {
    let ran = run(0.01, Some(burst()), 4);
    let slow = ran.sampled.iter().filter(|finished| finished.response() > SLOW);
    let (mut estimate, mut certain) = (0.0, 0);
    for finished in slow {
        let probability = finished.decision.inclusion_probability;
        assert!(probability == 0.01 || probability == 1.0, "{probability}");
        assert!(finished.decision.sampled != Some(Why::Burst) || probability == 1.0);
        estimate += 1.0 / probability;
        certain += u64::from(probability == 1.0);
    }
    let by_chance = (ran.slow - certain) as f64;
    let deviation = (by_chance * 0.99 / 0.01).sqrt();
    assert!((estimate - ran.slow as f64).abs() < 5.0 * deviation, "{estimate} of {}, deviation {deviation}", ran.slow);
    assert!(deviation < ran.slow as f64 / 5.0, "a test that anything would pass: {deviation}");
}

/// The same with real sockets: the practice target stalls three times, and traces what it is asked to.
///
/// Requests are sent 2 ms apart. Of each stall's 100 the 75 of its first 150 ms are slow; some 50 of them are sent when the oldest has been
/// waiting for 50 ms. Spent are some 85 spans a stall and 65 of 6,500 by the ratio: 320, with which a ratio alone catches 4.9 % of all slow
/// ones in the mean, a fourteenth of what is caught here. The ratio's draw moves that by 3 %.
#[test]
fn for_the_same_spans_bursts_catch_ten_times_as_many_server_spans_as_the_ratio_alone_would() {
    let scenario = r#"
[target]
uri = "practice"
[collection]
dim = 8
rows = 200
[load]
lanes = 1
warmup = "200ms"
duration = "13s"
[[stream]]
name = "readers"
operation = "search"
rate = "500/s"
arrivals = "constant"
[trace]
sample_fraction = 0.01
endpoint = "built-in"
burst = { above = "50ms", for = "20ms", fraction = 1.0 }
[practice]
search = "canned"
stall = { first = "1s", every = "5s", for = "200ms" }
"#;
    let folder = typed::folder("stalls.toml", scenario);
    let output = typed::command(folder.path(), &["run", "stalls.toml", "--json", "--quiet"]).output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", typed::text(&output.stderr)));
    let (trace, outliers) = (&document["trace"], &document["trace"]["outliers"]);
    let number = |value: &serde_json::Value| value.as_f64().unwrap_or_else(|| panic!("{outliers:#}"));
    let (seen, caught, spans) =
        (number(&outliers["seen"]), number(&outliers["caught"]["with_server_spans"]), number(&outliers["caught"]["spans"]));
    assert!(seen >= 3.0 * 70.0, "three stalls: {outliers:#}");
    let by_the_ratio = seen * spans / number(&trace["decided"]);
    assert!(caught >= 10.0 * by_the_ratio, "{caught} with {spans} spans, of which a ratio would catch {by_the_ratio}: {outliers:#}");
}
