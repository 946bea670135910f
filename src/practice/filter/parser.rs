//! From words to a tree: recursive descent, one function a level of precedence.

use super::FilterError;
use super::token::{Token, Word, tokens};

/// An expression. What a name means is not known yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Expression {
    Or(Box<Self>, Box<Self>),
    And(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Compare(Comparison, Box<Self>, Box<Self>),
    /// Whether the value is one of these.
    In(Box<Self>, Vec<Self>),
    /// Whether the text fits the pattern, `%` any characters and `_` one.
    Like(Box<Self>, String),
    Arithmetic(Operation, Box<Self>, Box<Self>),
    /// A field and the keys and places inside it: `$meta["a"][0]`.
    Name(String, Vec<Step>),
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
}

/// One step into a JSON value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Step {
    Key(String),
    Place(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
    Power,
}

/// Deeper nesting is refused rather than left to the stack.
const DEEPEST: usize = 64;

/// So many operators that make chains (`a or b or c`) in one expression: a chain is a tree as deep as it is long, and a longer one is refused
/// rather than left to the stack.
const MOST_OPERATORS: usize = 1_000;

/// Reads an expression that is not empty.
pub(super) fn parse(text: &str) -> Result<Expression, FilterError> {
    let mut parser = Parser { tokens: tokens(text)?, next: 0, end: text.len(), depth: 0, operators: 0 };
    let expression = parser.or()?;
    match parser.tokens.get(parser.next) {
        None => Ok(expression),
        Some(left) => Err(FilterError::new(left.at, "here an operator such as `==` or `and`, or the end, was expected")),
    }
}

struct Parser {
    tokens: Vec<Token>,
    next: usize,
    end: usize,
    depth: usize,
    operators: usize,
}

impl Parser {
    fn place(&self) -> usize {
        self.tokens.get(self.next).map_or(self.end, |token| token.at)
    }

    fn error(&self, message: impl Into<String>) -> FilterError {
        FilterError::new(self.place(), message)
    }

    fn peek(&self) -> Option<&Word> {
        self.tokens.get(self.next).map(|token| &token.word)
    }

    /// Takes one of these marks, if it comes next.
    fn mark(&mut self, marks: &[&'static str]) -> Option<&'static str> {
        match self.peek() {
            Some(Word::Mark(mark)) if marks.contains(mark) => {
                let mark = *mark;
                self.next += 1;
                Some(mark)
            }
            _ => None,
        }
    }

    /// Takes this keyword, in lower or upper case, if it comes next.
    fn keyword(&mut self, keyword: &str) -> bool {
        let comes = matches!(self.peek(), Some(Word::Name(name)) if name.eq_ignore_ascii_case(keyword));
        self.next += usize::from(comes);
        comes
    }

    fn expect(&mut self, mark: &'static str) -> Result<(), FilterError> {
        self.mark(&[mark]).map(drop).ok_or_else(|| self.error(format!("`{mark}` was expected")))
    }

    /// Counts one more link of a chain.
    fn operator(&mut self) -> Result<(), FilterError> {
        self.operators += 1;
        if self.operators > MOST_OPERATORS { Err(self.error(format!("more than {MOST_OPERATORS} operators"))) } else { Ok(()) }
    }

    fn or(&mut self) -> Result<Expression, FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(self.error(format!("more than {DEEPEST} levels of brackets or `not`")));
        }
        let mut left = self.and()?;
        while self.keyword("or") || self.mark(&["||"]).is_some() {
            self.operator()?;
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.not()?;
        while self.keyword("and") || self.mark(&["&&"]).is_some() {
            self.operator()?;
            left = Expression::And(Box::new(left), Box::new(self.not()?));
        }
        Ok(left)
    }

    fn not(&mut self) -> Result<Expression, FilterError> {
        let mut nots = 0;
        while self.keyword("not") || self.mark(&["!"]).is_some() {
            nots += 1;
        }
        let mut expression = self.comparison()?;
        if nots % 2 == 1 {
            expression = Expression::Not(Box::new(expression));
        }
        Ok(expression)
    }

    fn comparison(&mut self) -> Result<Expression, FilterError> {
        let left = self.sum()?;
        if self.keyword("in") {
            return Ok(Expression::In(Box::new(left), self.list()?));
        }
        if matches!(self.peek(), Some(Word::Name(name)) if name.eq_ignore_ascii_case("not")) {
            self.next += 1;
            if !self.keyword("in") {
                return Err(self.error("`in` was expected after `not`"));
            }
            return Ok(Expression::Not(Box::new(Expression::In(Box::new(left), self.list()?))));
        }
        if self.keyword("like") {
            let Some(Word::Text(pattern)) = self.peek().cloned() else {
                return Err(self.error("a pattern in quotes was expected after `like`"));
            };
            self.next += 1;
            return Ok(Expression::Like(Box::new(left), pattern));
        }
        // `1 < x <= 5` is two comparisons that share what stands between them.
        let mut chain: Option<Expression> = None;
        let mut left = left;
        while let Some(mark) = self.mark(&["==", "!=", "<=", ">=", "<", ">"]) {
            if chain.is_some() {
                self.operator()?;
            }
            let right = self.sum()?;
            let compared = Expression::Compare(comparison_of(mark), Box::new(left), Box::new(right.clone()));
            chain = Some(match chain {
                None => compared,
                Some(chain) => Expression::And(Box::new(chain), Box::new(compared)),
            });
            left = right;
        }
        Ok(chain.unwrap_or(left))
    }

    fn sum(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.product()?;
        while let Some(mark) = self.mark(&["+", "-"]) {
            self.operator()?;
            let operation = if mark == "+" { Operation::Add } else { Operation::Subtract };
            left = Expression::Arithmetic(operation, Box::new(left), Box::new(self.product()?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expression, FilterError> {
        let mut left = self.signed()?;
        while let Some(mark) = self.mark(&["*", "/", "%"]) {
            self.operator()?;
            let operation = match mark {
                "*" => Operation::Multiply,
                "/" => Operation::Divide,
                _ => Operation::Remainder,
            };
            left = Expression::Arithmetic(operation, Box::new(left), Box::new(self.signed()?));
        }
        Ok(left)
    }

    fn signed(&mut self) -> Result<Expression, FilterError> {
        let mut negative = false;
        while let Some(mark) = self.mark(&["-", "+"]) {
            negative ^= mark == "-";
        }
        let value = self.value()?;
        let value = match self.mark(&["**"]) {
            Some(_) => Expression::Arithmetic(Operation::Power, Box::new(value), Box::new(self.value()?)),
            None => value,
        };
        Ok(match value {
            value if !negative => value,
            Expression::Int(number) => Expression::Int(-number),
            Expression::Float(number) => Expression::Float(-number),
            value => Expression::Arithmetic(Operation::Subtract, Box::new(Expression::Int(0)), Box::new(value)),
        })
    }

    fn value(&mut self) -> Result<Expression, FilterError> {
        let word = self.peek().cloned().ok_or_else(|| self.error("a field or a value was expected, not the end"))?;
        if word == Word::Mark("(") {
            self.next += 1;
            let inner = self.or()?;
            self.expect(")")?;
            return Ok(inner);
        }
        let value = match word {
            Word::Int(number) => Expression::Int(number),
            Word::Float(number) => Expression::Float(number),
            Word::Text(text) => Expression::Text(text),
            Word::Name(name) if name.eq_ignore_ascii_case("true") => Expression::Bool(true),
            Word::Name(name) if name.eq_ignore_ascii_case("false") => Expression::Bool(false),
            Word::Name(name) => {
                self.next += 1;
                return self.path(name);
            }
            Word::Mark(mark) => return Err(self.error(format!("a field or a value was expected, not `{mark}`"))),
        };
        self.next += 1;
        Ok(value)
    }

    fn path(&mut self, name: String) -> Result<Expression, FilterError> {
        if matches!(self.peek(), Some(Word::Mark("("))) {
            return Err(self.error(format!("the practice target does not offer the function `{name}`")));
        }
        let mut steps = Vec::new();
        while self.mark(&["["]).is_some() {
            steps.push(match self.peek().cloned() {
                Some(Word::Text(key)) => Step::Key(key),
                Some(Word::Int(place)) if place >= 0 => Step::Place(place as usize),
                _ => return Err(self.error("a key in quotes or a place was expected between the brackets")),
            });
            self.next += 1;
            self.expect("]")?;
        }
        Ok(Expression::Name(name, steps))
    }

    fn list(&mut self) -> Result<Vec<Expression>, FilterError> {
        self.expect("[")?;
        let mut values = Vec::new();
        if self.mark(&["]"]).is_some() {
            return Ok(values);
        }
        loop {
            let at = self.place();
            let value = self.signed()?;
            if !matches!(value, Expression::Bool(_) | Expression::Int(_) | Expression::Float(_) | Expression::Text(_)) {
                return Err(FilterError::new(at, "a list holds plain values only"));
            }
            values.push(value);
            if self.mark(&[","]).is_none() {
                self.expect("]")?;
                return Ok(values);
            }
        }
    }
}

fn comparison_of(mark: &str) -> Comparison {
    match mark {
        "==" => Comparison::Equal,
        "!=" => Comparison::Unequal,
        "<" => Comparison::Less,
        "<=" => Comparison::LessOrEqual,
        ">" => Comparison::Greater,
        _ => Comparison::GreaterOrEqual,
    }
}
