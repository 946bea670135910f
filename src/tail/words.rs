//! What an explanation says in sentences.

use crate::units::{Fraction, Nanos, count};

use super::above::Above;
use super::attribution::{NETWORK_AND_CLIENT, Part, WAITING_IN_THE_GENERATOR};
use super::catalogue::known;
use super::estimate::Row;
use super::explanation::Explained;
use super::groups::{Groups, TYPICAL_TO, Thresholds};
use super::representative::{About, Difference};
use super::subject::Subject;
use super::too_few;
use super::verdict::{FEWEST_TRACED, FLOOR_SPREADS, Immaterial, Judged, NAMED_SHARE, Verdict};

/// So many places are named of a tail that is spread, where they hold at least [`NAMED_OF_MANY`].
const MOST_NAMED: usize = 4;
const NAMED_OF_MANY: f64 = 0.05;

/// `81 %`; `0.4 %` below one.
fn percent(share: f64) -> String {
    let hundred = share * 100.0;
    if hundred.abs() < 0.95 && hundred.abs() >= 0.05 { format!("{hundred:.1} %") } else { format!("{:.0} %", hundred + 0.0) }
}

/// `81 % (74 to 88 %)`.
fn share(row: &Row) -> String {
    let Some(share) = row.share else { return "some".to_owned() };
    match (row.share_low, row.share_high) {
        // The share of what is left cannot be below nothing: an interval that goes on past the whole says "all of it".
        (Some(low), Some(high)) => {
            let high = if share <= 1.0 { high.min(1.0) } else { high };
            format!("{} ({:.0} to {})", percent(share), low * 100.0, percent(high))
        }
        _ => percent(share),
    }
}

fn time(ns: u64) -> String {
    Nanos(ns).human()
}

/// `searches`, `inserts`, `hybrid searches`; of other clients' spans `requests`.
fn requests(operation: &str) -> String {
    match operation {
        "search" => "searches".to_owned(),
        "query" => "queries".to_owned(),
        "insert" | "upsert" | "delete" | "get" => format!("{operation}s"),
        "hybrid_search" => "hybrid searches".to_owned(),
        _ => "requests".to_owned(),
    }
}

/// `p99 searches`, `searches above 50ms`.
fn slow(operation: &str, above: Above) -> String {
    match above {
        Above::Quantile(_) => format!("{above} {}", requests(operation)),
        Above::Time(time) => format!("{} above {}", requests(operation), as_typed(time)),
    }
}

/// As people type it, where that is short: `50ms`, `2.5ms`; else as all other times stand here: `12.7 ms`.
fn as_typed(time: Nanos) -> String {
    let whole = time.to_string();
    let typed = match time.0 {
        1_000_000..1_000_000_000 if whole.ends_with("us") => format!("{}ms", time.0 as f64 / 1e6),
        1_000_000_000.. if whole.ends_with("ms") => format!("{}s", time.0 as f64 / 1e9),
        _ => whole,
    };
    if typed.chars().filter(char::is_ascii_digit).count() <= 3 { typed } else { time.human() }
}

/// The name, and after a colon what is known of it.
fn named(span: &str) -> String {
    known(span).map_or_else(|| span.to_owned(), |known| format!("{span}: {}", known.meaning))
}

/// The sentence that comes first.
pub(super) fn sentence(subject: &Subject, above: Above, groups: &Groups<'_>, judged: &Judged, rows: &[Row]) -> String {
    let slow = slow(&subject.operation, above);
    match judged.verdict {
        Verdict::Single => {
            rows.first().map_or_else(String::new, |row| format!("{} of what {slow} take longer is {}", share(row), named(&row.place.span)))
        }
        Verdict::Spread => spread(&slow, rows),
        Verdict::None => none(&slow, subject, groups, judged.immaterial),
        Verdict::TooFew => {
            let (traced, all) = (groups.tail_figures.traced, groups.tail_figures.requests);
            if let Some(known) = subject.all.as_ref().filter(|_| all == 0) {
                let requests = requests(&subject.operation);
                return format!("Too few requests to say: none of the {} {requests} lies above {above}", count(known.count()));
            }
            if traced >= FEWEST_TRACED {
                return format!("No typical request is traced to hold the {} traced {slow} against", count(traced));
            }
            let of = if subject.all.is_some() && all == 1 {
                format!("there is 1 of the {slow}, and it is {}", if traced == 1 { "traced" } else { "not traced" })
            } else if subject.all.is_some() {
                format!("{traced} of the {} {slow} are traced", count(all))
            } else {
                format!("there are {traced} {slow}")
            };
            format!("Too few traces to say: {of}, and {FEWEST_TRACED} are needed")
        }
    }
}

fn spread(slow: &str, rows: &[Row]) -> String {
    let large = rows.iter().filter(|row| row.share.is_some_and(|share| share >= NAMED_OF_MANY)).take(MOST_NAMED);
    let parts: Vec<String> = large.map(|row| format!("{} {}", share(row), row.place.span)).collect();
    if rows.first().and_then(|row| row.share).is_some_and(|share| share >= NAMED_SHARE) {
        return format!("What {slow} take longer is not shown to lie in one place: {}; more traces would tell", parts.join(", "));
    }
    format!("What {slow} take longer is spread over many places, as when they compete for a machine: {}", parts.join(", "))
}

fn none(slow: &str, subject: &Subject, groups: &Groups<'_>, why: Option<Immaterial>) -> String {
    let mean = |group: &super::Group| group.all_mean_ns.or(group.mean_ns).unwrap_or_default();
    let (tail, typical) = (mean(&groups.tail_figures), mean(&groups.typical_figures));
    let longer = time(tail.saturating_sub(typical));
    // The table below is of the traced ones.
    let traced = groups.tail_figures.mean_ns.zip(groups.typical_figures.mean_ns).map(|(tail, typical)| time(tail.saturating_sub(typical)));
    let longer = match traced {
        Some(traced) if traced != longer => format!("{longer} (the traced ones {traced})"),
        _ => longer,
    };
    match why {
        Some(Immaterial::Empty) | None => format!("No tail: there are no {slow}"),
        Some(Immaterial::Most) => format!(
            "No tail: more than half of all {} take longer than {}, their median being {}; let the tail begin higher, as with --above p95",
            requests(&subject.operation),
            time(groups.thresholds.above_ns),
            time(groups.thresholds.median_ns)
        ),
        Some(Immaterial::Small) => {
            format!("No tail to speak of: {slow} take {longer} longer than typical ones, which take {}", time(typical))
        }
        Some(Immaterial::Spread) => {
            let spread = groups.thresholds.typical_to_ns - groups.thresholds.typical_from_ns;
            let others = requests(&subject.operation);
            format!(
                "No tail to speak of: {slow} take {longer} longer, and the middle half of all {others} differ by {} anyway",
                time(spread)
            )
        }
        Some(Immaterial::Floor(floor)) => format!(
            "No tail to speak of: {slow} take {longer} longer than typical ones, less than {FLOOR_SPREADS} times the {} by which the instrument's \
             own p99 on this machine lies above its median against a server that answers at once",
            time(floor)
        ),
    }
}

/// What to do about it.
pub(super) fn advice(subject: &Subject, above: Above, groups: &Groups<'_>, judged: &Judged, rows: &[Row]) -> Option<String> {
    match judged.verdict {
        Verdict::Single => judged.named.as_ref().and_then(|place| known(&place.span)).map(|known| known.advice.to_owned()),
        // A part holds enough of it, and is not shown to.
        Verdict::Spread if rows.first().and_then(|row| row.share).is_some_and(|share| share >= NAMED_SHARE) => {
            let fraction = subject.sample_fraction.filter(|fraction| *fraction < 1.0).map_or("", |_| "a higher trace.sample_fraction, or ");
            Some(format!("trace more of them: {fraction}a longer time"))
        }
        Verdict::Spread => Some(
            "no single part is to blame: look at what all parts share (CPU, memory, other load on the machine, garbage collection), and at \
             the rate"
                .to_owned(),
        ),
        Verdict::None => match judged.immaterial {
            Some(Immaterial::Floor(_)) => Some("repeat it on a quieter machine: this one's own scatter hides tails of that size".to_owned()),
            _ => None,
        },
        Verdict::TooFew => Some(too_few::advice(subject, groups, above)),
    }
}

/// `If … took its typical time, p99 would be …`; of a tail that begins at a time, whose percentile is nobody's, `97.9 % of the searches
/// would take at most …`.
pub(super) fn what_if(explained: &Explained) -> Option<String> {
    let what_if = explained.what_if.as_ref()?;
    let subject = match explained.above.parse() {
        Ok(Above::Quantile(_)) => format!("{} would be", explained.above),
        _ => format!("{} of the {} would take at most", all_but(1.0 - what_if.quantile), requests(&explained.operation)),
    };
    Some(format!(
        "If {} took its typical time, {subject} {} ({} to {}) instead of {}",
        what_if.span,
        time(what_if.left_ns),
        time(what_if.low_ns),
        time(what_if.high_ns),
        time(what_if.now_ns)
    ))
}

/// What is left beside a share, which keeps two digits: `97.9 %` beside 0.0208, `99.966 %` beside 0.00034.
fn all_but(share: f64) -> String {
    let hundred = share * 100.0;
    let decimals = if hundred > 0.0 { (1.0 - hundred.log10().floor()).clamp(0.0, 9.0) } else { 0.0 };
    format!("{:.*} %", decimals as usize, 100.0 - hundred)
}

/// In what the traced slow requests differ from the others.
pub(super) fn difference(difference: &Difference) -> String {
    let Difference { about, traced, all } = difference;
    match about {
        About::Number if traced < all => format!(
            "the traced slow requests stand for {} of the {} that there were: traces of slow requests are missing, and what is said holds \
             for the others",
            rounded(*traced),
            rounded(*all)
        ),
        About::Number => format!(
            "the traced slow requests stand for {}, and there were {}: traces of other requests are missing",
            rounded(*traced),
            rounded(*all)
        ),
        About::Latency => format!(
            "the traced slow requests took {} on average, and all slow ones {}: the traced ones are others",
            time(*traced as u64),
            time(*all as u64)
        ),
        About::Time => format!(
            "the traced slow requests were at other times than all slow ones (their distributions over time lie {} apart)",
            percent(*traced)
        ),
        About::Stream => format!(
            "of all streams' slow requests, each stream's by its own limit, {} are this one's by the traces, and in fact {}: the traced ones \
             are of other streams than all slow ones",
            percent(*traced),
            percent(*all)
        ),
    }
}

/// A weighted number of requests, `2,942`.
fn rounded(requests: f64) -> String {
    count(requests.round() as u64)
}

/// What else has to be known to read the figures.
pub(super) fn notes(subject: &Subject, thresholds: &Thresholds, explained: &Explained) -> Vec<String> {
    let mut notes: Vec<String> = explained.representativeness.iter().map(difference).collect();
    if thresholds.above_ns < thresholds.typical_to_ns {
        notes.push(format!(
            "the tail begins below p{} ({}), where typical requests would end: here they end where the tail begins",
            TYPICAL_TO * 100.0,
            Nanos(thresholds.typical_to_ns).human()
        ));
    }
    if subject.all.is_none() {
        notes.push(
            "how these requests were sampled is not known: all are taken as equally likely, and the groups are those of the traces"
                .to_owned(),
        );
    }
    if subject.without_trace > 0 {
        let fraction = Fraction::new(subject.without_trace as f64 / (subject.without_trace as f64 + subject.traced.len() as f64));
        let share = fraction.map(|fraction| format!(" ({})", percent(fraction.get()))).unwrap_or_default();
        let without = count(subject.without_trace);
        notes.push(format!("{without} sampled requests{share} have no trace: their spans were lost on the way"));
    }
    if subject.oddities.cut > 0 {
        let cut =
            if subject.oddities.cut == 1 { "1 cut trace is".to_owned() } else { format!("{} cut traces are", count(subject.oddities.cut)) };
        notes.push(format!(
            "{cut} left out: the client's span is missing, or the server's where other traces have them (lost on the way, or not in Jaeger yet)"
        ));
    }
    let joined = subject.traced.iter().filter(|one| one.joined).count();
    let inner = |part: &Part| ![NETWORK_AND_CLIENT, WAITING_IN_THE_GENERATOR].contains(&part.place.span.as_str());
    let below = subject.traced.iter().any(|one| one.parts.iter().filter(|part| inner(part)).count() > 1);
    if joined == 0 && below {
        notes.push("no trace holds a span of a server that was called: what is between it and its caller is not seen".to_owned());
    } else if joined == 0 && !subject.traced.is_empty() {
        notes.push(
            "no trace holds a span of the server's: all of its time is the client span's own; `tailtrace doctor SCENARIO` says which link is broken"
                .to_owned(),
        );
    }
    notes
}

#[cfg(test)]
mod tests;
