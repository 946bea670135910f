//! The patterns of `like`.

/// A pattern: `%` stands for any characters, `_` for one, a backslash takes the next character as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern(Vec<Part>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Any,
    One,
    This(char),
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        let mut parts = Vec::new();
        let mut characters = text.chars();
        while let Some(c) = characters.next() {
            parts.push(match c {
                '%' => Part::Any,
                '_' => Part::One,
                '\\' => Part::This(characters.next().unwrap_or('\\')),
                c => Part::This(c),
            });
        }
        Self(parts)
    }

    /// Whether the whole text fits. Goes back to the last `%` only: never more than pattern times text.
    pub(super) fn fits(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut part) = (0, 0);
        let mut last_any = None;
        while at < text.len() {
            match self.0.get(part) {
                Some(Part::Any) => {
                    last_any = Some((part, at));
                    part += 1;
                }
                Some(Part::One) => {
                    at += 1;
                    part += 1;
                }
                Some(Part::This(c)) if *c == text[at] => {
                    at += 1;
                    part += 1;
                }
                _ => {
                    let Some((any, from)) = last_any else { return false };
                    last_any = Some((any, from + 1));
                    at = from + 1;
                    part = any + 1;
                }
            }
        }
        self.0[part..].iter().all(|part| *part == Part::Any)
    }
}
