//! An error with what caused it, in words.

use std::error::Error;
use std::fmt;

/// An error and its causes down to the root, each said once: some errors only hand on what caused them.
///
/// In one line (`a: b: c`), or with `{:#}` a line each.
///
/// ```
/// use tailtrace::units::Causes;
/// let error = "fast".parse::<f64>().unwrap_err();
/// assert_eq!(Causes(&error).to_string(), "invalid float literal");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Causes<'a>(pub &'a (dyn Error + 'a));

impl fmt::Display for Causes<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let between = if f.alternate() { "\n  because: " } else { ": " };
        let mut last = self.0.to_string();
        f.write_str(&last)?;
        for cause in std::iter::successors(self.0.source(), |cause: &&(dyn Error + 'static)| (*cause).source()) {
            let said = cause.to_string();
            if said != last {
                write!(f, "{between}{said}")?;
                last = said;
            }
        }
        Ok(())
    }
}

/// What is wrong with a line of JSON. The parser counts lines from where it began; whoever reads a file line by line knows better, and the
/// column is left.
#[derive(Debug, thiserror::Error)]
pub struct LineOfJson(pub serde_json::Error);

impl fmt::Display for LineOfJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(error) = self;
        let said = error.to_string();
        match said.strip_suffix(&format!(" at line {} column {}", error.line(), error.column())) {
            Some(what) => write!(f, "{what} at column {}", error.column()),
            None => f.write_str(&said),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_json_is_wrong_at_a_column_of_it() {
        let wrong = |line: &str| LineOfJson(serde_json::from_str::<Vec<u8>>(line).unwrap_err()).to_string();
        assert_eq!(wrong("[1, x]"), "expected value at column 5");
        assert_eq!(wrong("[1, 300]"), "invalid value: integer `300`, expected u8 at column 7");
    }

    #[derive(Debug, thiserror::Error)]
    enum Chained {
        #[error("root")]
        Root,
        #[error(transparent)]
        HandsOn(Box<Self>),
        #[error("middle")]
        Middle(#[source] Box<Self>),
        #[error("top")]
        Top(#[source] Box<Self>),
    }

    #[test]
    fn every_cause_is_said_once_in_one_line_or_a_line_each() {
        // A transparent error shows what it holds, and so does the source's source below it.
        let middle = Chained::Middle(Box::new(Chained::HandsOn(Box::new(Chained::Root))));
        let error = Chained::Top(Box::new(Chained::HandsOn(Box::new(middle))));
        assert_eq!(Causes(&error).to_string(), "top: middle: root");
        assert_eq!(format!("{:#}", Causes(&error)), "top\n  because: middle\n  because: root");
        assert_eq!(Causes(&Chained::Root).to_string(), "root");
    }

    /// An error that says the same as its cause, as some crates' do.
    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Echo(#[source] Chained);

    #[test]
    fn what_only_repeats_its_cause_is_passed_over() {
        assert_eq!(Causes(&Echo(Chained::Root)).to_string(), "root");
    }
}
