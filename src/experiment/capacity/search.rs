//! Which rate to probe next, and when the answer is known: a function of the probes so far, without I/O and without a clock.
//!
//! Three phases. *Bracket*: the rate doubles (or halves) until one probe passed and a higher one failed; short probes then close
//! in until the two are a fifth apart. *Edge*: full probes on both sides of the estimated edge, until the interval of the
//! estimate from all probes together is narrow enough. *Confirm*: a longer run at a rate that should pass, a step down
//! where it does not.
//!
//! Near the edge a probe passes or fails by luck; so from the second phase on passing and failing decide nothing but the
//! confirmation. The edge is where the fitted figures reach their limits ([`super::edge`]).

use super::edge::{Edge, edge};
use super::probe::{Answer, Ask, Next, Probe, Purpose, Question, Shown, Verdict};

/// A short probe lasts so many seconds at most.
const SHORT_S: f64 = 10.0;

/// By how much the rate grows or shrinks while there is no bracket.
const GROWTH: f64 = 2.0;

/// A bracket is closed when its ends are this factor apart: near enough for a local model.
const CLOSED: f64 = 1.2;

/// Full probes at the edge: two at least, one on each side, and in all so many lengths of one at most.
const FEWEST_AT_EDGE: usize = 3;
const MOST_AT_EDGE: f64 = 20.0;

/// A noisy edge is probed for longer at a time: up to so many lengths.
const LONGEST_AT_EDGE: f64 = 4.0;

/// Full probes lie this part away from the estimated edge at least, and at most: as far as one of them scatters, so that both sides are
/// seen, and the slope.
const ASIDE: (f64, f64) = (0.03, 0.1);

/// Standard errors within `--within` when probing at the edge ends: 80 % confidence.
const CONFIDENT: f64 = 1.0;

/// Confirmations that are tried.
const MOST_CONFIRMATIONS: usize = 4;

/// A search ends after so many probes whatever they say; a sound one takes a dozen.
const MOST_PROBES: usize = 60;

/// What follows from the probes so far.
#[must_use]
pub fn next(question: &Question, probes: &[Probe]) -> Next {
    if probes.len() >= MOST_PROBES {
        return Next::Done(give_up(probes, format!("after {MOST_PROBES} probes there is still no answer")));
    }
    let believed: Vec<Probe> = probes.iter().filter(|probe| !is_refuted(probe, probes)).cloned().collect();
    Search { question, probes: &believed }.next()
}

/// Whether a short probe failed by chance (one stall of a shared machine is enough): a full one passed at its rate or above. Left in, it
/// would be the bracket's upper end, and its figures would bend the fit.
fn is_refuted(probe: &Probe, probes: &[Probe]) -> bool {
    let passed_above = |other: &Probe| other.passed() && other.ask.purpose != Purpose::Bracket && other.ask.rate >= probe.ask.rate;
    matches!(probe.shown, Shown::Failed { answered: true, .. }) && probe.ask.purpose == Purpose::Bracket && probes.iter().any(passed_above)
}

/// What is known where the search cannot go on: the rate up to which probes passed.
#[must_use]
pub fn give_up(probes: &[Probe], reason: String) -> Answer {
    // What was not answered at all is why there is no answer, not a part of it.
    let failed = |p: &&Probe| matches!(p.shown, Shown::Failed { answered: true, .. });
    let first_failing = probes.iter().filter(failed).map(|p| p.ask.rate).reduce(f64::min);
    let below = |rate: f64| first_failing.is_none_or(|failing| rate < failing);
    let low = probes.iter().filter(|p| p.passed()).map(|p| p.ask.rate).filter(|rate| below(*rate)).reduce(f64::max);
    Answer { verdict: Verdict::NotJudged, rate: None, low, high: None, confirmed: confirmed(probes), first_failing, reason }
}

fn confirmed(probes: &[Probe]) -> Option<f64> {
    probes.iter().filter(|p| p.passed() && p.ask.purpose == Purpose::Confirm).map(|p| p.ask.rate).reduce(f64::max)
}

struct Search<'a> {
    question: &'a Question,
    probes: &'a [Probe],
}

impl Search<'_> {
    fn next(&self) -> Next {
        if let Some(done) = self.cannot_go_on() {
            return done;
        }
        match self.probes.last() {
            // Once by chance, twice by nature; the second time long enough that something is due at a low rate too.
            Some(Probe { ask, shown: Shown::NotJudged { .. }, .. }) => {
                return Next::Probe(Ask { seconds: ask.seconds.max(self.question.probe_s), ..*ask });
            }
            Some(Probe { shown: Shown::Failed { answered: false, .. }, .. }) => {
                // Overloaded, or gone? A rate that passed before tells.
                let rate = self.highest_passed().unwrap_or(self.question.lowest);
                return Next::Probe(self.short(rate));
            }
            _ => {}
        }
        let (passed, failed) = self.bracket();
        match (passed, failed) {
            (None, None) => Next::Probe(self.short(self.question.from)),
            (Some(passed), None) => self.upwards(passed),
            (None, Some(failed)) => self.downwards(failed),
            (Some(passed), Some(failed)) => self.between(passed, failed),
        }
    }

    fn cannot_go_on(&self) -> Option<Next> {
        let give_up = |reason: String| Some(Next::Done(give_up(self.probes, reason)));
        if let [.., before, last] = self.probes {
            if let (Shown::NotJudged { .. }, Shown::NotJudged { why }) = (&before.shown, &last.shown) {
                return give_up(format!("the probe at {}/s could not be judged, twice: {why}", last.ask.rate));
            }
            let silent = |probe: &Probe| matches!(probe.shown, Shown::Failed { answered: false, .. });
            if silent(before) && silent(last) {
                let passed = if self.highest_passed().is_some() { ", which passed before" } else { "" };
                return give_up(format!("the target does not answer any more, not even at {}/s{passed}", last.ask.rate));
            }
        }
        None
    }

    fn judged(&self) -> impl Iterator<Item = &Probe> {
        self.probes.iter().filter(|probe| !matches!(probe.shown, Shown::NotJudged { .. }))
    }

    fn highest_passed(&self) -> Option<f64> {
        self.judged().filter(|probe| probe.passed()).map(|probe| probe.ask.rate).reduce(f64::max)
    }

    /// The lowest rate that failed, and the highest below it that passed.
    fn bracket(&self) -> (Option<f64>, Option<f64>) {
        let failed = self.judged().filter(|probe| probe.failed()).map(|probe| probe.ask.rate).reduce(f64::min);
        let below = |rate: &f64| failed.is_none_or(|failed| *rate < failed);
        (self.judged().filter(|probe| probe.passed()).map(|probe| probe.ask.rate).filter(below).reduce(f64::max), failed)
    }

    /// That rate, where only short probes failed at it: a stall of a shared machine can have been all there was to it.
    fn only_short(&self, failed: f64) -> Option<f64> {
        let full = |probe: &Probe| probe.ask.rate == failed && probe.ask.purpose != Purpose::Bracket;
        (!self.judged().any(full)).then_some(failed)
    }

    fn short(&self, rate: f64) -> Ask {
        Ask { rate: self.inside(rate), seconds: SHORT_S.min(self.question.probe_s), purpose: Purpose::Bracket }
    }

    fn full(&self, rate: f64) -> Ask {
        Ask { rate: self.inside(rate), seconds: self.question.probe_s, purpose: Purpose::Edge }
    }

    fn confirm(&self, rate: f64) -> Ask {
        Ask { rate: self.inside(rate), seconds: self.question.confirm_s, purpose: Purpose::Confirm }
    }

    /// The rate in four digits. The lowest and the highest keep all of theirs: rounded, they would be passed, or never reached.
    fn inside(&self, rate: f64) -> f64 {
        let (lowest, highest) = (self.question.lowest, self.question.highest.unwrap_or(f64::INFINITY));
        match rate {
            rate if rate <= lowest => lowest,
            rate if rate >= highest => highest,
            rate => tidy(rate).max(lowest).min(highest),
        }
    }

    fn upwards(&self, passed: f64) -> Next {
        match self.question.highest {
            Some(highest) if passed >= highest => match confirmed(self.probes) {
                Some(rate) if rate >= highest => Next::Done(Self::above_max(highest)),
                _ => Next::Probe(self.confirm(highest)),
            },
            highest => Next::Probe(self.short((passed * GROWTH).min(highest.unwrap_or(f64::INFINITY)))),
        }
    }

    fn downwards(&self, failed: f64) -> Next {
        let lowest = self.question.lowest;
        if failed > lowest {
            return Next::Probe(self.short((failed / GROWTH).max(lowest)));
        }
        // At the lowest rate chance has a second word, in a full probe.
        match self.judged().find(|probe| probe.failed() && probe.ask.rate <= lowest && probe.ask.purpose == Purpose::Edge) {
            Some(probe) => Next::Done(Self::below_min(probe)),
            None => Next::Probe(self.full(lowest)),
        }
    }

    fn between(&self, passed: f64, failed: f64) -> Next {
        let edge = edge(self.question, self.probes, passed, failed);
        // Where the bracket was refuted by full probes, short ones look for the next.
        let begun = self.judged().last().is_some_and(|probe| probe.ask.purpose != Purpose::Bracket);
        if !begun && failed > passed * CLOSED {
            // In the logarithm not nearer to an end than a fifth: an estimate from far away may be anywhere.
            let span = (failed / passed).ln();
            let fitted = edge.and_then(|edge| edge.fitted);
            let part = fitted.map_or(0.5, |fitted| ((fitted.at / passed).ln() / span).clamp(0.2, 0.8));
            return Next::Probe(self.short(passed * (part * span).exp()));
        }
        let Some(edge) = edge else {
            return self.staircase(self.only_short(failed).unwrap_or((passed * failed).sqrt()));
        };
        if self.confirmations() == 0
            && let Some(ask) = self.at_edge(&edge)
        {
            return Next::Probe(ask);
        }
        self.confirm_or_end(&edge)
    }

    /// Full probes up after one that passed and down after one that failed: where short ones were misled by chance this walks to the
    /// edge, and then around it until the slope shows.
    fn staircase(&self, start: f64) -> Next {
        if self.at_edge_s() >= 2.0 * MOST_AT_EDGE * self.question.probe_s {
            return Next::Done(give_up(
                self.probes,
                "the figures do not grow with the rate, so no rate meets the SLOs for certain".to_owned(),
            ));
        }
        let last = self.judged().filter(|probe| probe.ask.purpose == Purpose::Edge).last();
        Next::Probe(self.full(last.map_or(start, |probe| probe.ask.rate * if probe.passed() { 1.0 + ASIDE.1 } else { 1.0 - ASIDE.1 })))
    }

    fn confirmations(&self) -> usize {
        self.judged().filter(|probe| probe.ask.purpose == Purpose::Confirm).count()
    }

    fn at_edge_s(&self) -> f64 {
        self.judged().filter(|probe| probe.ask.purpose == Purpose::Edge).map(|probe| probe.ask.seconds).sum()
    }

    /// The next full probe, where the edge is not known well enough.
    fn at_edge(&self, edge: &Edge) -> Option<Ask> {
        let made = self.judged().filter(|probe| probe.ask.purpose == Purpose::Edge).count();
        let (seconds, within) = (self.at_edge_s(), self.question.within);
        if seconds >= MOST_AT_EDGE * self.question.probe_s {
            return None;
        }
        let Some(fitted) = edge.fitted else {
            // No figure to fit, or a cliff: what is clear closes in.
            let next = self.only_short(edge.high).or((edge.high > edge.low * (1.0 + within)).then_some(edge.at));
            return next.map(|rate| self.full(rate));
        };
        // The confirming run will add to what is known: count it in.
        let wanted = seconds * (CONFIDENT * fitted.error / fitted.slope / within).powi(2) - self.question.confirm_s;
        if made >= FEWEST_AT_EDGE && wanted <= seconds {
            return None;
        }
        let (least, most) = ASIDE;
        let aside = edge.scatter(self.question.probe_s).clamp(least.max(within), most.max(within));
        let side = if made.is_multiple_of(2) { 1.0 + aside } else { 1.0 - aside };
        let ask = self.full(fitted.at * side);
        let longer = if made < FEWEST_AT_EDGE { 1.0 } else { ((wanted - seconds) / 4.0 / ask.seconds).clamp(1.0, LONGEST_AT_EDGE).floor() };
        Some(Ask { seconds: ask.seconds * longer, ..ask })
    }

    fn confirm_or_end(&self, edge: &Edge) -> Next {
        let failed = self.judged().filter(|probe| probe.failed() && probe.ask.purpose == Purpose::Confirm);
        let lowest_failed = failed.map(|probe| probe.ask.rate).reduce(f64::min);
        if confirmed(self.probes).is_none() && self.confirmations() < MOST_CONFIRMATIONS {
            let within = self.question.within;
            let should_pass = edge.should_pass(self.question.confirm_s, within);
            let rate = lowest_failed.map_or(should_pass, |failed| should_pass.min(failed * (1.0 - within.max(ASIDE.0))));
            if rate > self.question.lowest || lowest_failed.is_none_or(|failed| failed > self.question.lowest) {
                return Next::Probe(self.confirm(rate));
            }
        }
        Next::Done(self.found(edge))
    }

    fn found(&self, edge: &Edge) -> Answer {
        let confirmed = confirmed(self.probes);
        let above = |probe: &&Probe| probe.failed() && confirmed.is_none_or(|confirmed| probe.ask.rate > confirmed);
        let first = self.judged().filter(above).min_by(|a, b| a.ask.rate.total_cmp(&b.ask.rate));
        let mut reasons = Vec::new();
        if let Some(Probe { ask, shown: Shown::Failed { why, .. }, .. }) = first {
            reasons.push(format!("at {}/s {why}", ask.rate));
        } else {
            reasons.push("no probe above the confirmed rate failed: the rate is the estimate from all probes together".to_owned());
        }
        if confirmed.is_none() {
            reasons.push("no confirming run passed".to_owned());
        }
        let half = (edge.high - edge.low) / 2.0 / edge.at;
        if half > self.question.within * 1.1 {
            let wanted = self.question.within * 100.0;
            reasons.push(format!("the interval is wider than ±{wanted:.1} %: longer probes (load.duration) narrow it"));
        }
        Answer {
            verdict: Verdict::Found,
            rate: Some(edge.at),
            // An interval that reaches down to 0 says nothing there: its lower end is not known.
            low: Some(edge.low).filter(|low| *low > 0.0),
            high: Some(edge.high),
            confirmed,
            first_failing: first.map(|probe| probe.ask.rate),
            reason: reasons.join("; "),
        }
    }

    fn above_max(highest: f64) -> Answer {
        Answer {
            verdict: Verdict::AboveMax,
            rate: Some(highest),
            low: Some(highest),
            high: None,
            confirmed: Some(highest),
            first_failing: None,
            reason: format!("the highest rate that was allowed, {highest}/s, still meets every SLO"),
        }
    }

    fn below_min(probe: &Probe) -> Answer {
        let why = if let Shown::Failed { why, .. } = &probe.shown { why.as_str() } else { "" };
        Answer {
            verdict: Verdict::BelowMin,
            rate: None,
            low: None,
            high: Some(probe.ask.rate),
            confirmed: None,
            first_failing: Some(probe.ask.rate),
            reason: format!("the lowest rate that was tried, {}/s, already fails: {why}", probe.ask.rate),
        }
    }
}

/// Four digits: more would only be in the way of the reader.
fn tidy(rate: f64) -> f64 {
    let unit = 10_f64.powf(rate.log10().floor() - 3.0);
    let rounded = (rate / unit).round() * unit;
    if rounded.is_finite() && rounded > 0.0 { (rounded * 1e6).round() / 1e6 } else { rate }
}

#[cfg(test)]
mod tests;
