//! Numbers, columns and lines for a terminal of 100 columns.

// Writing to a `String` has no way to fail: the results of `write!` are passed over in this folder.
use std::fmt::Write as _;

use crate::units::Nanos;

pub(super) use crate::units::count;

/// Lines are broken here.
pub(super) const WIDTH: usize = 100;

/// Where the text of a labelled line begins.
pub(super) const INDENT: usize = 12;

/// Colours, where they were asked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    pub(super) on: bool,
}

impl Paint {
    pub(super) fn bold(self, text: &str) -> String {
        self.with("1", text)
    }

    pub(super) fn good(self, text: &str) -> String {
        self.with("32", text)
    }

    pub(super) fn doubtful(self, text: &str) -> String {
        self.with("33", text)
    }

    pub(super) fn bad(self, text: &str) -> String {
        self.with("31", text)
    }

    fn with(self, code: &str, text: &str) -> String {
        if self.on { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Texts under one label, which stands beside the first.
pub(super) fn labelled_all(label: &str, texts: &[String]) -> String {
    texts.iter().enumerate().map(|(at, text)| labelled(if at == 0 { label } else { "" }, text)).collect()
}

/// `1 lane`, `2 lanes`.
pub(super) fn plural(number: u64, noun: &str) -> String {
    format!("{} {noun}{}", count(number), if number == 1 { "" } else { "s" })
}

/// `498.7/s`: four digits, more only before the point.
pub(super) fn rate(per_second: f64) -> String {
    let decimals = match per_second {
        0.0 => 0,
        value if value < 10.0 => 3,
        value if value < 100.0 => 2,
        value if value < 1000.0 => 1,
        _ => return format!("{}/s", count(per_second.round() as u64)),
    };
    let text = format!("{per_second:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}/s")
}

/// `1.23 ms`, or a dash.
pub(super) fn time(ns: Option<u64>) -> String {
    ns.map_or_else(|| "-".to_owned(), |ns| Nanos(ns).human())
}

/// `1 %`, `0.06 %`, never more digits than mean something.
pub(super) fn percent(fraction: f64) -> String {
    crate::units::Fraction::new(fraction).map_or_else(|| format!("{:.1} %", fraction * 100.0), crate::units::Fraction::percent)
}

/// A line with its label in front, broken into lines that stand under each other.
pub(super) fn labelled(label: &str, text: &str) -> String {
    let mut lines = String::new();
    for (at, line) in wrap(text, WIDTH - INDENT).iter().enumerate() {
        let label = if at == 0 { label } else { "" };
        let _ = writeln!(lines, "{label:<INDENT$}{line}");
    }
    lines
}

/// Breaks between words; a word that is too long (a link) keeps its line to itself. Control characters, which a server's words
/// may hold, do not get through to the terminal.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let last = lines.len() - 1;
        let used = lines[last].chars().count();
        if used > 0 && used + 1 + word.chars().count() > width {
            lines.push(word.to_owned());
        } else {
            if used > 0 {
                lines[last].push(' ');
            }
            lines[last].push_str(word);
        }
    }
    lines
}

/// Rows of cells under each other: the first column to the left, all others to the right, two spaces between.
pub(super) fn table(rows: &[Vec<String>], indent: usize) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in rows {
        let mut line = " ".repeat(indent);
        for (at, cell) in row.iter().enumerate() {
            let width = widths[at];
            if at == 0 {
                let _ = write!(line, "{cell:<width$}");
            } else {
                let _ = write!(line, "  {cell:>width$}");
            }
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_rates_keep_four_digits() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        for (value, text) in
            [(0.0, "0/s"), (0.5, "0.5/s"), (9.8765, "9.877/s"), (498.66, "498.7/s"), (500.0, "500/s"), (99_999.6, "100,000/s")]
        {
            assert_eq!(rate(value), text);
        }
        assert_eq!((plural(1, "lane"), plural(2_000, "lane")), ("1 lane".to_owned(), "2,000 lanes".to_owned()));
    }

    #[test]
    fn long_text_is_broken_between_words_and_a_long_word_is_left_whole() {
        assert_eq!(wrap("aa bb cc", 5), ["aa bb", "cc"]);
        assert_eq!(wrap("a http://long b", 4), ["a", "http://long", "b"]);
        assert_eq!(wrap("a\x1b[2Jb\nc", 9), ["a [2Jb c"], "no escape sequence of a server's reaches the terminal");
        assert_eq!(labelled("x", "y"), format!("x{}y\n", " ".repeat(INDENT - 1)));
    }

    #[test]
    fn columns_align_by_characters_and_lines_end_without_spaces() {
        let rows =
            [vec!["p50".to_owned(), "9.1 µs".to_owned(), String::new()], vec!["p99.9".to_owned(), "12.3 ms".to_owned(), "x".to_owned()]];
        assert_eq!(table(&rows, 1), " p50     9.1 µs\n p99.9  12.3 ms  x\n");
    }
}
