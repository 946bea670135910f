//! The slowest trace beside a typical one, drawn: one line a span, bars over one scale of time.
//!
//! A solid bar lies on the critical path, a shaded one ran beside it; the figure is the span's own time on the critical path,
//! which adds up to what is at the head of the column. `›` and `‹`: the span lies wholly behind or before the client's.

use std::fmt::Write as _;
use std::io::{self, Write};

use crate::tail::{Bar, Waterfall};

use super::layout::{plural, time};

/// What the drawing may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WaterfallLook {
    /// Columns, between 80 and 160; others are taken as the nearer of these.
    pub width: usize,
    /// Lines of spans; of more, those with the most time of their own are drawn, and the rest is one line.
    pub lines: usize,
}

impl Default for WaterfallLook {
    fn default() -> Self {
        Self { width: super::layout::WIDTH, lines: 24 }
    }
}

/// The narrowest and the widest drawing.
const WIDTHS: std::ops::RangeInclusive<usize> = 80..=160;
/// `589 ms`, right-aligned.
const FIGURE: usize = 8;
/// Between a bar and its figure, between names and bars.
const GAP: usize = 1;
/// Between the two traces.
const MIDDLE: usize = 2;
/// Deeper spans are not indented further.
const DEEPEST: usize = 12;
/// A cell from empty to full, from its left.
const EIGHTHS: [char; 9] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉', '█'];

/// Draws one or two traces. Spans that both have stand on one line.
pub fn write_waterfall(out: &mut dyn Write, slowest: &Waterfall, typical: Option<&Waterfall>, look: WaterfallLook) -> io::Result<()> {
    let traces: Vec<&Waterfall> = [Some(slowest), typical].into_iter().flatten().collect();
    let frame = Frame::new(look, &traces);
    let all = merged(slowest, typical);
    let drawn = chosen(&all, look.lines);
    let heads = ["slowest", "typical"]
        .iter()
        .zip(&traces)
        .map(|(what, trace)| (format!("{what} {}", time(Some(trace.total_ns))), "self".to_owned()));
    out.write_all(frame.line("span", heads).as_bytes())?;
    let mut service = "";
    for row in all.iter().zip(&drawn).filter_map(|(row, drawn)| drawn.then_some(row)) {
        let bar = row.any();
        let label = label(bar, service == bar.service, frame.names);
        service = &bar.service;
        let cells = row.0[..traces.len()]
            .iter()
            .map(|bar| bar.map_or_else(|| (String::new(), "-".to_owned()), |bar| (frame.bar(bar), time(Some(bar.self_ns)))));
        out.write_all(frame.line(&label, cells).as_bytes())?;
    }
    let hidden = drawn.iter().filter(|drawn| !**drawn).count() as u64 + traces.iter().map(|trace| trace.left_out).max().unwrap_or(0);
    if hidden > 0 {
        // What the lines above leave of each trace, so that its column still adds up.
        let rest = traces.iter().enumerate().map(|(at, trace)| {
            let own =
                all.iter().zip(&drawn).filter(|(_, drawn)| **drawn).filter_map(|(row, _)| row.0[at]).map(|bar| bar.self_ns).sum::<u64>();
            (String::new(), time(Some(trace.total_ns.saturating_sub(own))))
        });
        out.write_all(frame.line(&format!("… {} more", plural(hidden, "span")), rest).as_bytes())?;
    }
    Ok(())
}

/// One line: the same span in both traces, or in one of them.
struct Row<'a>([Option<&'a Bar>; 2]);

impl Row<'_> {
    fn any(&self) -> &Bar {
        self.0[0].or(self.0[1]).expect("a row is of at least one trace")
    }

    fn own_ns(&self) -> u64 {
        self.0.iter().flatten().map(|bar| bar.self_ns).max().unwrap_or(0)
    }
}

/// Lines of the first trace in their order, each with the span of the second that has its depth, service and name (the first such,
/// then the second, …); what only the second has stands behind what came before it there.
fn merged<'a>(first: &'a Waterfall, second: Option<&'a Waterfall>) -> Vec<Row<'a>> {
    let mut rows: Vec<Row<'a>> = first.spans.iter().map(|bar| Row([Some(bar), None])).collect();
    let mut behind = 0;
    for (at, bar) in second.into_iter().flat_map(|second| &second.spans).enumerate() {
        // The client spans belong together whatever they are called.
        let same = |row: &Row<'_>| {
            row.0[1].is_none()
                && row.0[0]
                    .is_some_and(|other| at == 0 || (other.depth, &other.service, &other.name) == (bar.depth, &bar.service, &bar.name))
        };
        if let Some(place) = rows.iter().position(same) {
            rows[place].0[1] = Some(bar);
            behind = place + 1;
        } else {
            // Not in the middle of what hangs below a span that both have.
            while rows.get(behind).is_some_and(|row| row.any().depth > bar.depth) {
                behind += 1;
            }
            rows.insert(behind, Row([None, Some(bar)]));
            behind += 1;
        }
    }
    rows
}

/// The client's line, and those with the most own time in either trace.
fn chosen(rows: &[Row<'_>], most: usize) -> Vec<bool> {
    let mut order: Vec<usize> = (1..rows.len()).collect();
    order.sort_by_key(|at| (std::cmp::Reverse(rows[*at].own_ns()), *at));
    let mut drawn = vec![false; rows.len()];
    for at in std::iter::once(0).chain(order).take(most.max(1)) {
        if let Some(drawn) = drawn.get_mut(at) {
            *drawn = true;
        }
    }
    drawn
}

/// The columns, and what the bars' length stands for.
struct Frame {
    names: usize,
    bars: usize,
    scale_ns: u64,
}

impl Frame {
    fn new(look: WaterfallLook, traces: &[&Waterfall]) -> Self {
        let width = look.width.clamp(*WIDTHS.start(), *WIDTHS.end());
        let fixed = traces.len() * (2 * GAP + FIGURE) + (traces.len() - 1) * (MIDDLE - GAP);
        let names = ((width - fixed) * 12 / 25).min(48);
        Self { names, bars: (width - fixed - names) / traces.len(), scale_ns: traces.iter().map(|trace| trace.total_ns).max().unwrap_or(0) }
    }

    fn line(&self, label: &str, cells: impl Iterator<Item = (String, String)>) -> String {
        let (names, bars) = (self.names, self.bars);
        let mut line = format!("{label:<names$}");
        for (at, (bar, figure)) in cells.enumerate() {
            line.push_str(&" ".repeat(if at == 0 { GAP } else { MIDDLE }));
            // Writing to a `String` has no way to fail.
            let _ = write!(line, "{bar:<bars$} {figure:>FIGURE$}");
        }
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }

    /// Where the span lies, in eighths of a cell. Even the shortest is seen.
    fn bar(&self, bar: &Bar) -> String {
        let (full, scale) = (self.bars * 8, self.scale_ns as f64);
        let (start, end) = (bar.offset_ns as f64, bar.offset_ns as f64 + bar.duration_ns as f64);
        if scale <= 0.0 {
            return String::new();
        }
        if start >= scale {
            return format!("{:>width$}", '›', width = self.bars);
        }
        if start < 0.0 && end <= 0.0 {
            return '‹'.to_string();
        }
        let eighth = |ns: f64| ((ns / scale).clamp(0.0, 1.0) * full as f64).round() as usize;
        let start = eighth(start).min(full - 1);
        let end = eighth(end).max(start + 1);
        let cell = |at: usize| {
            let (low, high) = (start.clamp(at * 8, at * 8 + 8) - at * 8, end.clamp(at * 8, at * 8 + 8) - at * 8);
            match (low, high) {
                _ if high <= low => ' ',
                _ if !bar.critical => '░',
                (0, high) => EIGHTHS[high],
                // There are three cells that are filled from their right.
                (1..=2, 8) => '█',
                (3..=5, 8) => '▐',
                (_, 8) => '▕',
                (low, high) => EIGHTHS[high - low],
            }
        };
        (0..end.div_ceil(8)).map(cell).collect()
    }
}

/// Indented by its depth; the service stands in front where it is another than in the line above. What is too long loses its
/// beginning up to the last `/` (a method's package and service), and then its end.
fn label(bar: &Bar, same_service: bool, room: usize) -> String {
    let clean = |text: &str| -> String { text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect() };
    let indent = bar.depth.min(DEEPEST);
    let (service, name) = (if same_service { String::new() } else { format!("{}: ", clean(&bar.service)) }, clean(&bar.name));
    let room = room - indent;
    let length = |text: &str| text.chars().count();
    let short = name.rsplit_once('/').map_or_else(|| name.clone(), |(_, method)| format!("…/{method}"));
    let fitting = [format!("{service}{name}"), format!("{service}{short}"), short.clone()].into_iter().find(|text| length(text) <= room);
    let text = fitting.unwrap_or_else(|| short.chars().take(room - 1).chain(['…']).collect());
    format!("{:indent$}{text}", "")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tail::sketch::{SEARCH, sketch};
    use crate::tail::{ClientSpan, waterfall};

    fn drawn(slowest: &str, typical: Option<&str>, look: WaterfallLook) -> String {
        let data = |text: &str| waterfall(&sketch(text), ClientSpan::Id("0000000000000001")).unwrap();
        let mut out = Vec::new();
        write_waterfall(&mut out, &data(slowest), typical.map(data).as_ref(), look).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn width(width: usize) -> WaterfallLook {
        WaterfallLook { width, ..WaterfallLook::default() }
    }

    const SLOW: &str = "
        milvus-client /milvus.proto.milvus.MilvusService/Search 0 42000 client
         standalone milvus.proto.milvus.MilvusService/Search 300 41500 server
          standalone Proxy-Search 400 41300 internal
           standalone SearchTask 700 40900 internal
            standalone Proxy-Search-Execute 800 40700 internal
             standalone Delegator-waitTSafe 900 39000 internal
             segcore SegCoreSearch 40000 1200 internal
            standalone SendMsg 50000 10 internal
    ";

    #[test]
    fn the_slowest_stands_beside_a_typical_one_on_one_scale() {
        same(&drawn(SLOW, Some(SEARCH), width(100)), include_str!("waterfall/both-100.txt"));
    }

    #[test]
    fn one_alone_has_the_whole_width() {
        same(&drawn(SEARCH, None, width(80)), include_str!("waterfall/one-80.txt"));
    }

    #[test]
    fn of_more_lines_than_asked_for_the_smallest_are_summed_up() {
        let look = WaterfallLook { width: 80, lines: 4 };
        same(&drawn(SLOW, Some(SEARCH), look), include_str!("waterfall/short-80.txt"));
    }

    /// Every line keeps to its width, whatever the traces hold.
    #[test]
    fn no_line_is_too_long_and_no_escape_gets_through() {
        let long = format!(
            "c {0} 0 100 client\n {0}\u{1b}[2J {0}/{0} 10 80 server\n  s early -50 20 internal\n  s behind 150 20 internal",
            "x".repeat(300)
        );
        let deep: String = (0..40).flat_map(|depth| [" ".repeat(depth), format!("c deep{depth} 0 100\n")]).collect();
        for text in [&long, &deep, SEARCH, "c zero 0 0 client"] {
            for columns in 80..=160 {
                for typical in [None, Some(SLOW)] {
                    let drawing = drawn(text, typical, width(columns));
                    assert!(
                        drawing.lines().all(|line| line.chars().count() <= columns && line.trim_end() == line),
                        "{columns}:\n{drawing}"
                    );
                    assert!(!drawing.contains('\u{1b}'));
                }
            }
        }
        assert!(drawn(&long, None, width(80)).contains('›') && drawn(&long, None, width(80)).contains('‹'));
    }

    fn same(drawing: &str, expected: &str) {
        assert!(drawing == expected, "the drawing is\n{drawing}\nand should be\n{expected}");
    }
}
