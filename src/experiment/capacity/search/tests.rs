use super::*;
use crate::stats::crossing::Sample;

fn question() -> Question {
    Question { from: 100.0, lowest: 10.0, highest: None, within: 0.02, probe_s: 30.0, confirm_s: 60.0, limits: vec![Some(0.05)] }
}

fn failed(estimated: bool, answered: bool) -> Shown {
    Shown::Failed { why: "it was slow".to_owned(), estimated, answered }
}

/// Searches a target that `show` describes; gives the answer and what was asked.
fn search(question: &Question, mut show: impl FnMut(usize, Ask) -> (Shown, Option<Sample>)) -> (Answer, Vec<Ask>) {
    let mut probes: Vec<Probe> = Vec::new();
    loop {
        match next(question, &probes) {
            Next::Done(answer) => return (answer, probes.iter().map(|probe| probe.ask).collect()),
            Next::Probe(ask) => {
                assert!(ask.rate >= question.lowest && question.highest.is_none_or(|highest| ask.rate <= highest), "{ask:?}");
                let (shown, sample) = show(probes.len(), ask);
                probes.push(Probe { ask, shown, samples: vec![sample] });
            }
        }
    }
}

/// Without scatter: e^(0.012 (rate − edge)) of the limit, in equal seconds.
fn exact(edge: f64) -> impl Fn(usize, Ask) -> (Shown, Option<Sample>) {
    move |_, ask| {
        let share = (0.05 * (0.012 * (ask.rate - edge)).exp()).min(1.0);
        let shown = if share < 0.05 { Shown::Passed } else { failed(true, true) };
        (shown, Sample::of(ask.rate, &vec![(share * ask.rate, ask.rate); ask.seconds as usize]))
    }
}

#[test]
fn a_target_without_scatter_is_found_to_all_digits_and_confirmed_below() {
    for edge in [15.0, 333.0, 751.0, 20_000.0] {
        let slope = 9.0 / edge;
        let (answer, asked) = search(&question(), |_, ask| {
            let share = (0.05 * (slope * (ask.rate - edge)).exp()).min(1.0);
            let shown = if share < 0.05 { Shown::Passed } else { failed(true, true) };
            (shown, Sample::of(ask.rate, &vec![(share * ask.rate, ask.rate); ask.seconds as usize]))
        });
        assert_eq!(answer.verdict, Verdict::Found, "{answer:?}");
        assert!((answer.rate.unwrap() / edge - 1.0).abs() < 1e-3, "{answer:?}");
        let confirmed = answer.confirmed.unwrap();
        assert!(confirmed < edge && confirmed > 0.9 * edge && answer.first_failing.unwrap() >= edge, "{answer:?}");
        assert!(answer.reason.contains("it was slow"), "{answer:?}");
        assert_eq!(asked.last().unwrap().purpose, Purpose::Confirm);
        assert!(asked.len() < 20, "{asked:?}");
    }
}

/// A stall of a shared machine in the third probe, at 400/s: a fifth of its requests are slow. The search walks past it and comes to the
/// edge with a dozen probes more at most.
#[test]
fn a_short_probe_that_failed_by_chance_is_not_believed_for_ever() {
    let exact = exact(751.0);
    let (answer, asked) = search(&question(), |count, ask| match count {
        2 => (failed(true, true), Sample::of(ask.rate, &vec![(0.2 * ask.rate, ask.rate); ask.seconds as usize])),
        _ => exact(count, ask),
    });
    assert_eq!((asked[2].purpose, answer.verdict), (Purpose::Bracket, Verdict::Found), "{answer:?}");
    assert!((answer.rate.unwrap() / 751.0 - 1.0).abs() < 1e-3, "{answer:?}");
    assert!(asked.len() < 30, "{asked:?}");
}

#[test]
fn a_cliff_is_closed_in_on_to_within() {
    let cliff = |_: usize, ask: Ask| {
        let over = ask.rate > 700.0;
        let share = if over { ask.rate } else { 0.0 };
        (if over { failed(true, true) } else { Shown::Passed }, Sample::of(ask.rate, &vec![(share, ask.rate); ask.seconds as usize]))
    };
    let (answer, _) = search(&question(), cliff);
    let (low, high) = (answer.low.unwrap(), answer.high.unwrap());
    assert!(low <= 700.0 && 700.0 < high && high / low <= 1.03, "{answer:?}");
    assert_eq!(answer.verdict, Verdict::Found);
}

#[test]
fn what_only_passes_or_fails_is_bisected() {
    let (answer, _) = search(&Question { limits: vec![None], ..question() }, |_, ask| {
        (if ask.rate > 700.0 { failed(false, true) } else { Shown::Passed }, None)
    });
    let (low, high) = (answer.low.unwrap(), answer.high.unwrap());
    assert!(low <= 700.0 && 700.0 < high && high / low <= 1.02, "{answer:?}");
    assert_eq!(answer.confirmed, Some(low), "what passed is confirmed");
}

#[test]
fn a_plain_failure_below_the_estimate_has_the_last_word() {
    let figures = exact(751.0);
    let (answer, _) =
        search(&question(), |n, ask| if ask.rate > 500.0 { (failed(false, true), figures(n, ask).1) } else { figures(n, ask) });
    assert!((490.0..515.0).contains(&answer.rate.unwrap()), "{answer:?}");
}

#[test]
fn the_highest_rate_is_confirmed_before_it_is_the_answer() {
    let question = Question { highest: Some(450.0), ..question() };
    let (answer, asked) = search(&question, exact(751.0));
    assert_eq!((answer.verdict, answer.rate, answer.high), (Verdict::AboveMax, Some(450.0), None));
    assert_eq!(*asked.last().unwrap(), Ask { rate: 450.0, seconds: 60.0, purpose: Purpose::Confirm });
    assert_eq!(answer.confirmed, Some(450.0));
}

#[test]
fn the_lowest_rate_fails_twice_before_it_is_the_answer() {
    let (answer, asked) = search(&question(), |_, ask| (failed(true, true), exact(1.0)(0, ask).1));
    assert_eq!((answer.verdict, answer.rate, answer.high), (Verdict::BelowMin, None, Some(10.0)));
    assert!(answer.reason.contains("10/s") && answer.reason.contains("it was slow"), "{answer:?}");
    let lengths: Vec<f64> = asked.iter().filter(|ask| ask.rate == 10.0).map(|ask| ask.seconds).collect();
    assert_eq!(lengths, [10.0, 30.0]);
}

#[test]
fn a_probe_that_cannot_be_judged_is_made_once_more_and_then_ends_the_search() {
    let not_judged = || Shown::NotJudged { why: "a lane used 99 % of its core".to_owned() };
    let figures = exact(5_000.0);
    let (answer, asked) = search(&question(), |n, ask| if ask.rate > 900.0 { (not_judged(), None) } else { figures(n, ask) });
    assert_eq!((answer.verdict, answer.rate, answer.low), (Verdict::NotJudged, None, Some(800.0)));
    assert_eq!(asked.iter().filter(|ask| ask.rate == 1600.0).count(), 2);
    assert!(answer.reason.contains("1600/s") && answer.reason.contains("99 %"), "{answer:?}");
    // Once is chance: the search goes on.
    let (answer, _) = search(&question(), |n, ask| if n == 2 { (not_judged(), None) } else { exact(751.0)(n, ask) });
    assert_eq!(answer.verdict, Verdict::Found);
}

/// Requests are due evenly, so that a probe of fewer seconds than lie between two of them has none.
#[test]
fn at_a_rate_at_which_nothing_is_due_in_a_short_probe_a_long_one_has_the_word() {
    let show = |_: usize, ask: Ask| match ask.rate * ask.seconds {
        due if due < 1.0 => (Shown::NotJudged { why: format!("no request was due in {} s", ask.seconds) }, None),
        _ => (failed(true, true), None),
    };
    let (answer, asked) = search(&Question { from: 2.0, lowest: 0.0625, ..question() }, show);
    assert_eq!((answer.verdict, answer.first_failing), (Verdict::BelowMin, Some(0.0625)), "{answer:?}");
    let lengths: Vec<f64> = asked.iter().filter(|ask| ask.rate == 0.0625).map(|ask| ask.seconds).collect();
    assert_eq!(lengths, [10.0, 30.0, 30.0], "{asked:?}");
    let (answer, asked) = search(&Question { from: 2.0, lowest: 0.03125, ..question() }, show);
    assert_eq!((answer.verdict, answer.low, answer.first_failing), (Verdict::NotJudged, None, Some(0.0625)), "{answer:?}");
    assert!(answer.reason.contains("0.03125/s") && answer.reason.contains("no request was due in 30 s"), "{answer:?}");
    assert!(asked.len() < 12, "{asked:?}");
}

#[test]
fn a_target_that_dies_is_not_taken_for_a_slow_one() {
    let figures = exact(751.0);
    let (answer, asked) = search(&question(), |n, ask| if n >= 3 { (failed(false, false), None) } else { figures(n, ask) });
    assert_eq!((answer.verdict, answer.low), (Verdict::NotJudged, Some(400.0)));
    assert_eq!(asked.last().unwrap().rate, 400.0, "what passed before is asked again");
    assert!(answer.reason.contains("does not answer any more"), "{answer:?}");
    // Overload that answers nothing is only overload.
    let (answer, _) = search(&question(), |n, ask| if ask.rate > 1_000.0 { (failed(false, false), None) } else { figures(n, ask) });
    assert_eq!(answer.verdict, Verdict::Found);
}

#[test]
fn a_confirmation_that_fails_is_followed_by_a_step_down() {
    let figures = exact(751.0);
    let (answer, asked) = search(&question(), |n, ask| match ask.purpose {
        Purpose::Confirm if ask.rate > 700.0 => (failed(true, true), figures(n, ask).1),
        _ => figures(n, ask),
    });
    let confirmations: Vec<f64> = asked.iter().filter(|ask| ask.purpose == Purpose::Confirm).map(|ask| ask.rate).collect();
    assert!(confirmations.len() > 1 && confirmations.windows(2).all(|pair| pair[1] < pair[0]), "{confirmations:?}");
    assert_eq!(answer.confirmed, confirmations.last().copied());
}

/// What was confirmed lies above the one probe that failed, by chance; then nothing has failed above it, and the other reasons stand alone.
#[test]
fn the_reason_is_a_whole_sentence_where_no_probe_failed_above_the_confirmed_rate() {
    let figures = exact(751.0);
    let probe = |rate: f64, purpose, shown| {
        let ask = Ask { rate, seconds: 30.0, purpose };
        Probe { ask, shown, samples: vec![figures(0, ask).1] }
    };
    let mut probes = vec![
        probe(700.0, Purpose::Edge, Shown::Passed),
        probe(730.0, Purpose::Edge, failed(true, true)),
        probe(780.0, Purpose::Edge, Shown::Passed),
    ];
    let reason = |probes: &[Probe], wider: f64| {
        let mut edge = edge(&question(), probes, 700.0, 730.0).unwrap();
        assert!((edge.at / 751.0 - 1.0).abs() < 1e-3, "{edge:?}");
        edge.high += wider;
        Search { question: &question(), probes }.found(&edge).reason
    };
    assert_eq!(reason(&probes, 0.0), "at 730/s it was slow; no confirming run passed");
    probes.push(probe(745.0, Purpose::Confirm, Shown::Passed));
    let seen = "no probe above the confirmed rate failed: the rate is the estimate from all probes together";
    assert_eq!(reason(&probes, 0.0), seen);
    let wide = format!("{seen}; the interval is wider than ±2.0 %: longer probes (load.duration) narrow it");
    assert_eq!(reason(&probes, 100.0), wide);
}

#[test]
fn the_lowest_and_the_highest_rate_are_reached_whatever_their_digits() {
    // A 64th of 100/s, and limits that four digits would round down and up.
    for lowest in [1.5625, 12.344, 12.345] {
        let (answer, asked) = search(&Question { lowest, ..question() }, |_, ask| (failed(true, true), exact(0.1)(0, ask).1));
        assert_eq!((answer.verdict, answer.high), (Verdict::BelowMin, Some(lowest)), "{answer:?}");
        assert!(asked.len() < 12, "{asked:?}");
    }
    for highest in [123.44, 1_234.5] {
        let (answer, asked) = search(&Question { highest: Some(highest), ..question() }, |_, _| (Shown::Passed, None));
        assert_eq!((answer.verdict, answer.confirmed), (Verdict::AboveMax, Some(highest)), "{answer:?}");
        assert!(asked.len() < 12, "{asked:?}");
    }
}

#[test]
fn rates_have_four_digits() {
    assert_eq!([0.123_456, 1.0, 754.678, 1_234.56, 123_456.0].map(tidy), [0.1235, 1.0, 754.7, 1235.0, 123_500.0]);
}

#[test]
fn an_interval_that_reaches_down_to_0_has_no_lower_end_that_is_known() {
    let figures = exact(751.0);
    let at = |rate: f64, shown| {
        let ask = Ask { rate, seconds: 30.0, purpose: Purpose::Edge };
        Probe { ask, shown, samples: vec![figures(0, ask).1] }
    };
    let probes = [at(700.0, Shown::Passed), at(780.0, failed(true, true)), at(730.0, Shown::Passed)];
    let edge = edge(&question(), &probes, 730.0, 780.0).unwrap();
    let low = |low: f64| {
        let mut reaching = edge;
        reaching.low = low;
        Search { question: &question(), probes: &probes }.found(&reaching).low
    };
    assert_eq!((low(700.0), low(0.0)), (Some(700.0), None));
}
