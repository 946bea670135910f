//! Which key takes which values.

use std::str::FromStr;

use super::SweepError;

/// The key that is varied where trace's sample fraction is.
pub(super) const SAMPLE_FRACTION: [&str; 2] = ["trace.sample_fraction", "trace.sampleFraction"];

/// Keys that begin so are no keys of the scenario: their value goes into the environment of the command before each run.
const ENVIRONMENT: &str = "env.";

/// Most values of a sweep, all keys together: beyond this nobody waits for the rounds.
pub(super) const MOST_POINTS: usize = 64;

/// A key and its values. Parses `trace.sample_fraction=0,0.01,0.1`; commas in quotes, brackets and braces belong to their value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vary {
    /// As `--set` has it, or `env.NAME`.
    pub key: String,
    /// As typed.
    pub values: Vec<String>,
}

impl Vary {
    /// The environment variable it sets instead of a key.
    #[must_use]
    pub fn variable(&self) -> Option<&str> {
        self.key.strip_prefix(ENVIRONMENT)
    }

    /// Whether it is the client's sample fraction.
    #[must_use]
    pub fn is_sample_fraction(&self) -> bool {
        SAMPLE_FRACTION.contains(&self.key.as_str())
    }
}

impl FromStr for Vary {
    type Err = SweepError;

    fn from_str(text: &str) -> Result<Self, SweepError> {
        let wrong = |why: &str| SweepError::Vary { text: text.to_owned(), why: why.to_owned() };
        let (key, values) = text.split_once('=').ok_or_else(|| wrong("there is no `=` between the key and its values"))?;
        let (key, values) = (key.trim().to_owned(), split(values));
        if key.is_empty() || key == ENVIRONMENT {
            return Err(wrong("there is no key"));
        }
        if values.iter().any(String::is_empty) {
            return Err(wrong("a value is empty"));
        }
        if values.len() < 2 {
            return Err(wrong("two values or more are compared; to set one use --set"));
        }
        if let Some(twice) = values.iter().enumerate().find(|(at, value)| values[..*at].contains(value)) {
            return Err(wrong(&format!("the value {} is given twice", twice.1)));
        }
        let name = key.strip_prefix(ENVIRONMENT).unwrap_or("x");
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
            return Err(wrong("the name of an environment variable has letters, digits and _"));
        }
        Ok(Self { key, values })
    }
}

/// At commas that stand in no quotes, brackets or braces.
fn split(text: &str) -> Vec<String> {
    let (mut values, mut value, mut quote, mut depth) = (Vec::new(), String::new(), None, 0_u32);
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '[' | '{') => depth += 1,
            (None, ']' | '}') => depth = depth.saturating_sub(1),
            (None, ',') if depth == 0 => {
                values.push(std::mem::take(&mut value).trim().to_owned());
                continue;
            }
            _ => {}
        }
        value.push(c);
    }
    values.push(value.trim().to_owned());
    values
}

/// One combination of values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Point {
    /// Keys and values, in the order of the keys.
    pub values: Vec<(String, String)>,
}

impl Point {
    /// What people call it: the value where one key is varied, else `a=1, b=2`.
    #[must_use]
    pub fn label(&self) -> String {
        match &self.values[..] {
            [(_, value)] => value.clone(),
            values => values.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(", "),
        }
    }

    /// As `--set` has them; without those that go into the environment only.
    #[must_use]
    pub fn set(&self) -> Vec<String> {
        let keys = self.values.iter().filter(|(key, _)| !key.starts_with(ENVIRONMENT));
        keys.map(|(key, value)| format!("{key}={value}")).collect()
    }

    /// What the command before each run gets: `TAILTRACE_VALUE` (values of several keys with commas between), and each key's value under
    /// its own name, such as `TAILTRACE_TRACE_SAMPLE_FRACTION`; of `env.NAME` under `NAME`.
    #[must_use]
    pub fn environment(&self) -> Vec<(String, String)> {
        let all = self.values.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(",");
        let name = |key: &str| {
            if let Some(name) = key.strip_prefix(ENVIRONMENT) {
                name.to_owned()
            } else {
                let letters = key.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' });
                format!("TAILTRACE_{}", letters.collect::<String>())
            }
        };
        let own = self.values.iter().map(|(key, value)| (name(key), value.clone()));
        std::iter::once(("TAILTRACE_VALUE".to_owned(), all)).chain(own).collect()
    }
}

/// Every combination, the first key's values outermost; the first of them is what the others are compared with.
///
/// # Errors
/// Where there are too many keys or combinations, or one key twice.
pub fn points(varied: &[Vary]) -> Result<Vec<Point>, SweepError> {
    let wrong = |why: String| SweepError::Vary { text: varied.iter().map(|vary| vary.key.clone()).collect::<Vec<_>>().join(", "), why };
    if !(1..=2).contains(&varied.len()) {
        return Err(wrong("one key is varied, or two as a grid".to_owned()));
    }
    if varied.len() == 2 && varied[0].key == varied[1].key {
        return Err(wrong("the key is varied twice; write all its values in one --vary".to_owned()));
    }
    let mut points = vec![Point { values: Vec::new() }];
    for vary in varied {
        let with = |point: &Point, value: &String| {
            let mut values = point.values.clone();
            values.push((vary.key.clone(), value.clone()));
            Point { values }
        };
        points = points.iter().flat_map(|point| vary.values.iter().map(move |value| with(point, value))).collect();
    }
    if points.len() > MOST_POINTS {
        return Err(wrong(format!("{} combinations are more than {MOST_POINTS}", points.len())));
    }
    Ok(points)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vary(text: &str) -> Vary {
        text.parse().unwrap()
    }

    #[test]
    fn a_key_and_its_values_are_read_and_commas_inside_of_values_stay() {
        assert_eq!(vary("trace.sample_fraction=0, 0.01,1").values, ["0", "0.01", "1"]);
        let tables = vary(r#"practice.hold={ fraction = 1, by = "1ms" },{ fraction = 1, by = "2,5ms" }"#);
        assert_eq!(tables.values, [r#"{ fraction = 1, by = "1ms" }"#, r#"{ fraction = 1, by = "2,5ms" }"#]);
        assert_eq!(vary("env.RATE=1,2").variable(), Some("RATE"));
    }

    #[test]
    fn what_cannot_be_varied_is_refused() {
        for (text, part) in [
            ("trace.sample_fraction", "no `=`"),
            ("=1,2", "no key"),
            ("a=1", "two values or more"),
            ("a=1,", "a value is empty"),
            ("a=1,2,1", "given twice"),
            ("env.=1,2", "no key"),
            ("env.A-B=1,2", "environment variable"),
        ] {
            let error = text.parse::<Vary>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
        let three = [vary("a=1,2"), vary("b=1,2"), vary("c=1,2")];
        assert!(points(&three).unwrap_err().to_string().contains("or two as a grid"));
        assert!(points(&[vary("a=1,2"), vary("a=3,4")]).unwrap_err().to_string().contains("varied twice"));
        let many: String = (0..9).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        let grid = [vary(&format!("a={many}")), vary(&format!("b={many}"))];
        assert!(points(&grid).unwrap_err().to_string().contains("81 combinations"));
    }

    #[test]
    fn two_keys_make_a_grid_whose_first_corner_is_compared_with() {
        let grid = points(&[vary("a.b=1,2"), vary("env.C=x,y")]).unwrap();
        assert_eq!(
            grid.iter().map(Point::label).collect::<Vec<_>>(),
            ["a.b=1, env.C=x", "a.b=1, env.C=y", "a.b=2, env.C=x", "a.b=2, env.C=y"]
        );
        assert_eq!(grid[3].set(), ["a.b=2"]);
        let environment = grid[3].environment();
        let names: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(names, [("TAILTRACE_VALUE", "2,y"), ("TAILTRACE_A_B", "2"), ("C", "y")]);
    }
}
