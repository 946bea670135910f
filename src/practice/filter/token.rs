//! The words of a filter expression.

use super::FilterError;

/// One word, and where it begins.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    pub(super) at: usize,
    pub(super) word: Word,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Word {
    /// A field, a keyword, `true`: what it is, its place says.
    Name(String),
    Int(i64),
    Float(f64),
    Text(String),
    /// An operator or a bracket, as the parser knows it.
    Mark(&'static str),
}

/// Longest first, so that `<=` is not read as `<` and `=`.
const MARKS: [&str; 22] =
    ["**", "==", "!=", "<=", ">=", "&&", "||", "<", ">", "(", ")", "[", "]", "{", "}", ",", "+", "-", "*", "/", "%", "!"];

/// Cuts an expression into words.
pub(super) fn tokens(text: &str) -> Result<Vec<Token>, FilterError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let (word, length) = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first.is_alphabetic() || first == '_' || first == '$' {
            let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(rest.len());
            (Word::Name(rest[..length].to_owned()), length)
        } else if first.is_ascii_digit() || (first == '.' && rest[1..].starts_with(|c: char| c.is_ascii_digit())) {
            number(rest, at)?
        } else if first == '"' || first == '\'' {
            quoted(rest, first, at)?
        } else if let Some(mark) = MARKS.into_iter().find(|mark| rest.starts_with(mark)) {
            (Word::Mark(mark), mark.len())
        } else {
            return Err(FilterError::new(at, format!("`{first}` has no meaning here")));
        };
        tokens.push(Token { at, word });
        at += length;
    }
    Ok(tokens)
}

fn number(rest: &str, at: usize) -> Result<(Word, usize), FilterError> {
    let mut length = 0;
    let mut before = ' ';
    for c in rest.chars() {
        let exponent_sign = (c == '+' || c == '-') && matches!(before, 'e' | 'E');
        if !(c.is_ascii_alphanumeric() || c == '.' || exponent_sign) {
            break;
        }
        length += c.len_utf8();
        before = c;
    }
    let text = &rest[..length];
    let word = match text.parse::<i64>() {
        Ok(whole) => Some(Word::Int(whole)),
        Err(_) => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Word::Float),
    };
    word.map(|word| (word, length)).ok_or_else(|| FilterError::new(at, format!("`{text}` is not a number")))
}

fn quoted(rest: &str, quote: char, at: usize) -> Result<(Word, usize), FilterError> {
    let mut text = String::new();
    let mut characters = rest.char_indices().skip(1);
    while let Some((place, c)) = characters.next() {
        match c {
            c if c == quote => return Ok((Word::Text(text), place + c.len_utf8())),
            '\\' => match characters.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((_, c)) => text.push(c),
                None => break,
            },
            c => text.push(c),
        }
    }
    Err(FilterError::new(at, format!("a text that begins with {quote} does not end")))
}
