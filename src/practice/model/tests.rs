use super::*;
use crate::clock::{Timer, VirtualClock};

/// What a request lived through, in µs after the first one came: arrived, started, ended, and when it was let go.
type Lived = (u64, u64, u64, u64);

/// Runs a model on a virtual clock; requests come at these µs.
fn lived(settings: &str, comes: &[(u64, Access)]) -> Vec<(Lived, Option<Failure>)> {
    lived_with_work(settings, comes, 0)
}

fn lived_with_work(settings: &str, comes: &[(u64, Access)], work: u64) -> Vec<(Lived, Option<Failure>)> {
    let settings: Settings = serde_json::from_str(settings).unwrap();
    let comes = comes.to_vec();
    VirtualClock::run(|clock| async move {
        let model = Rc::new(Model::new(&settings, clock.clone()));
        tokio::task::spawn_local(model.clone().drive());
        let start = clock.now();
        let tasks: Vec<_> = comes
            .into_iter()
            .map(|(micros, access)| {
                let (model, clock) = (model.clone(), clock.clone());
                tokio::task::spawn_local(async move {
                    clock.timer().unwrap().until(start.plus(Nanos::from_micros(micros))).await;
                    let mut timer = clock.timer().unwrap();
                    let done = clock.now().plus(Nanos::from_micros(work));
                    let call = Call { access, asked: None, traced: false, came: None, arrived: &Cell::new(None) };
                    let (visit, _) = model.visit(call, timer.until(done)).await;
                    let micros = |moment: Moment| moment.since(start).0 / 1_000;
                    ((micros(visit.arrived), micros(visit.started), micros(visit.ended), micros(clock.now())), visit.failure)
                })
            })
            .collect();
        let mut all = Vec::new();
        for task in tasks {
            all.push(task.await.unwrap());
        }
        all
    })
}

fn reads(micros: &[u64]) -> Vec<(u64, Access)> {
    micros.iter().map(|micros| (*micros, Access::Read)).collect()
}

fn times(settings: &str, micros: &[u64]) -> Vec<Lived> {
    lived(settings, &reads(micros)).into_iter().map(|(lived, _)| lived).collect()
}

#[test]
fn one_server_serves_one_after_the_other() {
    assert_eq!(times(r#"{"servers": 1, "service": "constant 10us"}"#, &[0, 3, 25]), [(0, 0, 10, 10), (3, 10, 20, 20), (25, 25, 35, 35)]);
}

#[test]
fn a_stall_holds_all_answers_until_its_end_and_counts_from_the_first_read() {
    // The first read comes at 100; the stall lasts from 140 to 150.
    let stalled = r#"{"stall": {"every": "1ms", "for": "10us", "first": "40us"}}"#;
    assert_eq!(
        times(stalled, &[100, 139, 140, 149, 150]),
        [(100, 100, 100, 100), (139, 139, 139, 139), (140, 150, 150, 150), (149, 150, 150, 150), (150, 150, 150, 150),]
    );
    assert_eq!(
        times(r#"{"service": "constant 20us", "stall": {"for": "10us", "first": "40us"}}"#, &[0, 30]),
        [(0, 0, 20, 20), (30, 30, 60, 60),]
    );
}

#[test]
fn set_up_is_not_hit_before_the_first_read() {
    let comes = [(0, Access::Write), (5, Access::Write), (10, Access::Read), (11, Access::Write)];
    let lived = lived(r#"{"servers": 1, "service": "constant 10us"}"#, &comes);
    let ends: Vec<u64> = lived.iter().map(|(lived, _)| lived.3).collect();
    assert_eq!(ends, [0, 5, 20, 30]);
}

#[test]
fn a_held_request_arrives_later_and_does_not_stand_in_the_queue_meanwhile() {
    let held = r#"{"servers": 1, "service": "constant 10us", "hold": {"fraction": 1, "by": "100us"}}"#;
    assert_eq!(times(held, &[0, 5]), [(100, 100, 110, 110), (105, 110, 120, 120)]);
}

#[test]
fn a_slow_span_occupies_no_server() {
    let slow = r#"{"servers": 1, "service": "constant 10us", "slow_span": {"name": "x", "fraction": 1, "by": "50us"}}"#;
    assert_eq!(times(slow, &[0, 0]), [(0, 0, 60, 60), (0, 10, 70, 70)]);
}

#[test]
fn the_search_counts_into_the_service_time_and_never_shifts_it() {
    let model = r#"{"servers": 1, "service": "constant 10us"}"#;
    let ends = |work| lived_with_work(model, &reads(&[0, 3]), work).into_iter().map(|(lived, _)| lived.3).collect::<Vec<_>>();
    assert_eq!(ends(9), [10, 20]);
    // Longer than the service time: it leaves when it is there.
    assert_eq!(ends(30), [30, 33]);
}

#[test]
fn a_full_queue_turns_away_at_once() {
    let full = r#"{"servers": 1, "service": "constant 10us", "max_queue": 1, "when_full": "milvus:8"}"#;
    let lived = lived(full, &reads(&[0, 1, 2]));
    assert_eq!(lived[1], ((1, 10, 20, 20), None));
    assert_eq!(lived[2], ((2, 2, 2, 2), Some(Failure::RATE_LIMIT)));
}

#[test]
fn a_failure_comes_at_once_and_leaves_the_queue_alone() {
    let lived = lived(r#"{"servers": 1, "service": "constant 10us", "errors": {"ABORTED": 1}}"#, &reads(&[0, 1]));
    assert_eq!(lived, [((0, 0, 0, 0), Some(Failure::Grpc(10))), ((1, 1, 1, 1), Some(Failure::Grpc(10)))]);
}

#[test]
fn a_stalled_server_does_not_refuse_either() {
    let lived = lived(r#"{"errors": {"ABORTED": 1}, "stall": {"for": "10us", "first": "40us"}}"#, &reads(&[0, 45]));
    assert_eq!(lived[1], ((45, 50, 50, 50), Some(Failure::Grpc(10))));
}

#[test]
fn resting_begins_anew_with_the_next_read() {
    VirtualClock::run(|clock| async move {
        let settings: Settings = serde_json::from_str(r#"{"errors": {"ABORTED": 1}}"#).unwrap();
        let model = Model::new(&settings, clock.clone());
        let failed = async |access| {
            let call = Call { access, asked: None, traced: false, came: None, arrived: &Cell::new(None) };
            model.visit(call, async {}).await.0.failure.is_some()
        };
        assert!(!failed(Access::Write).await);
        assert!(failed(Access::Read).await && failed(Access::Write).await);
        model.rest();
        assert!(!failed(Access::Write).await);
        assert!(failed(Access::Read).await);
    });
}

#[test]
fn a_request_is_served_from_when_it_came_however_late_it_is_noticed() {
    VirtualClock::run(|clock| async move {
        let settings: Settings = serde_json::from_str(r#"{"servers": 1, "service": "constant 10us"}"#).unwrap();
        let model = Rc::new(Model::new(&settings, clock.clone()));
        tokio::task::spawn_local(model.clone().drive());
        let start = clock.now();
        let at = |micros| start.plus(Nanos::from_micros(micros));
        clock.timer().unwrap().until(at(20)).await;
        let lived = async |came| {
            let call = Call { access: Access::Read, asked: None, traced: false, came: Some(at(came)), arrived: &Cell::new(None) };
            let (visit, _) = model.visit(call, async {}).await;
            [visit.arrived, visit.started, visit.ended, clock.now()].map(|moment| moment.since(start).0 / 1_000)
        };
        assert_eq!(lived(5).await, [5, 5, 20, 20], "done before it was noticed, and no answer leaves before that");
        assert_eq!(lived(12).await, [12, 15, 25, 25]);
        // By another connection, and led here too late to be served in its order.
        assert_eq!(lived(3).await, [12, 25, 35, 35]);
        assert_eq!(lived(99).await, [35, 35, 45, 45], "nothing comes from the future");
    });
}

#[test]
fn an_answer_is_let_go_so_much_before_its_end_as_those_before_it_took_to_leave() {
    VirtualClock::run(|clock| async move {
        let settings: Settings =
            serde_json::from_str(r#"{"service": "constant 10us", "stall": {"every": "1s", "for": "80us", "first": "100us"}}"#).unwrap();
        let model = Rc::new(Model::new(&settings, clock.clone()));
        tokio::task::spawn_local(model.clone().drive());
        let lived = async |came: Moment| {
            let call = Call { access: Access::Read, asked: None, traced: false, came: Some(came), arrived: &Cell::new(None) };
            let (visit, _) = model.visit(call, async {}).await;
            [visit.ended, visit.let_go.unwrap(), clock.now()].map(|moment| moment.since(came).0)
        };
        let start = clock.now();
        assert_eq!(lived(start).await, [10_000; 3], "nothing is known yet");
        (0..4).for_each(|_| model.lead().learn(start, start.plus(Nanos::from_micros(30))));
        assert_eq!(lived(clock.now()).await, [10_000, 8_000, 8_000]);
        clock.timer().unwrap().until(start.plus(Nanos::from_micros(100))).await;
        assert_eq!(lived(clock.now()).await, [90_000, 88_000, 88_000], "after a stall too");
        (0..96).for_each(|_| model.lead().learn(start, start.plus(Nanos::from_micros(60))));
        let came = clock.now();
        assert_eq!(lived(came).await, [10_000, 0, 0], "no room for all of it: let go at once, and early");
        let late = Call { access: Access::Read, asked: None, traced: false, came: Some(came), arrived: &Cell::new(None) };
        let mut timer = clock.timer().unwrap();
        let (visit, _) = model.visit(late, timer.until(came.plus(Nanos::from_micros(10)))).await;
        assert_eq!(visit.let_go, None, "it was not there before its end");
    });
}
