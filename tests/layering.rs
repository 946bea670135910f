//! The house's fences: the order of the rooms, the rooms of the external crates, the length of files, who may exit.
//!
//! Works on tokens, not on resolved names: so it sees into macros, `#[cfg(test)]` modules and code that is compiled on
//! other systems only. The price: a name built by a macro from pieces stays unseen. `main.rs` stands outside of the rooms.

use std::fs;
use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// External crates that are at home in some rooms only: (crate, its rooms).
const CRATES: [(&str, &[&str]); 16] = [
    ("clap", &["cli"]),
    ("clap_complete", &["cli"]),
    ("indicatif", &["cli"]),
    ("tonic", &["wire", "milvus", "practice", "trace"]),
    ("tonic_prost", &["wire", "milvus", "practice", "trace"]),
    ("opentelemetry", &["trace"]),
    ("opentelemetry_sdk", &["trace"]),
    ("opentelemetry_otlp", &["trace"]),
    ("opentelemetry_proto", &["trace"]),
    ("hdrhistogram", &["stats", "result"]),
    ("toml", &["scenario"]),
    ("toml_edit", &["scenario"]),
    ("ureq", &["tail"]),
    ("rustls", &["tail"]),
    ("rustls_native_certs", &["tail"]),
    ("mimalloc", &["main"]),
];

/// Files may be so long; what is longer holds more than one noun.
const LONGEST: usize = 400;

/// Files that may be longer: (path, reason).
const LONG_FOR_A_REASON: [(&str, &str); 0] = [];

/// Keywords that may stand before a path that begins with `::`.
const BEFORE_A_PATH: [&str; 12] = ["use", "return", "in", "as", "dyn", "impl", "for", "mut", "else", "match", "if", "where"];

/// A token, flat: groups are opened and closed.
#[derive(Debug, Clone, PartialEq)]
enum Token {
    Name(String),
    PathSep,
    Open(Delimiter),
    Close(Delimiter),
    Mark(char),
    Literal,
}

fn flatten(stream: TokenStream, into: &mut Vec<(Token, usize)>) {
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let line = tree.span().start().line;
        match tree {
            TokenTree::Group(group) => {
                into.push((Token::Open(group.delimiter()), line));
                flatten(group.stream(), into);
                into.push((Token::Close(group.delimiter()), line));
            }
            TokenTree::Ident(ident) => into.push((Token::Name(ident.to_string()), line)),
            TokenTree::Punct(mark) if mark.as_char() == ':' => match trees.peek() {
                Some(TokenTree::Punct(next)) if next.as_char() == ':' => {
                    trees.next();
                    into.push((Token::PathSep, line));
                }
                _ => into.push((Token::Mark(':'), line)),
            },
            TokenTree::Punct(mark) => into.push((Token::Mark(mark.as_char()), line)),
            TokenTree::Literal(_) => into.push((Token::Literal, line)),
        }
    }
}

/// The tokens of one source file and where it stands.
struct Source<'a> {
    /// The room, or `main`.
    room: &'a str,
    /// How many modules deep the file is: `src/units/mod.rs` 1, `src/units/rate.rs` 2.
    depth: usize,
    tokens: Vec<(Token, usize)>,
}

impl<'a> Source<'a> {
    fn parse(room: &'a str, depth: usize, text: &str) -> Self {
        let stream: TokenStream = text.parse().expect("every source file is Rust");
        let mut tokens = Vec::new();
        flatten(stream, &mut tokens);
        Self { room, depth, tokens }
    }

    fn token(&self, at: usize) -> Option<&Token> {
        self.tokens.get(at).map(|(token, _)| token)
    }

    fn name(&self, at: usize) -> Option<&str> {
        match self.token(at) {
            Some(Token::Name(name)) => Some(name),
            _ => None,
        }
    }

    fn before(&self, at: usize) -> Option<&Token> {
        at.checked_sub(1).and_then(|at| self.token(at))
    }

    /// First names of what a path goes on to at `at`: one name, or one for each branch of a `{…}`.
    fn heads(&self, at: usize) -> Vec<String> {
        match self.token(at) {
            Some(Token::Name(name)) => vec![name.clone()],
            Some(Token::Mark('*')) => vec!["*".to_owned()],
            Some(Token::Open(Delimiter::Brace)) => {
                let (mut heads, mut nested, mut fresh) = (Vec::new(), 0, true);
                for (token, _) in &self.tokens[at + 1..] {
                    match token {
                        Token::Open(_) => nested += 1,
                        Token::Close(_) if nested == 0 => break,
                        Token::Close(_) => nested -= 1,
                        Token::Mark(',') if nested == 0 => fresh = true,
                        Token::Name(name) if fresh => {
                            heads.push(name.clone());
                            fresh = false;
                        }
                        Token::Mark('*') if fresh => heads.push("*".to_owned()),
                        _ => {}
                    }
                }
                heads
            }
            _ => Vec::new(),
        }
    }

    /// Names right under the crate's root that the file reaches for, with their lines.
    fn reaches(&self) -> Vec<(String, usize)> {
        let mut reached = Vec::new();
        // Inline modules: the number of braces open when each began.
        let (mut modules, mut braces) = (Vec::new(), 0_usize);
        let mut at = 0;
        while at < self.tokens.len() {
            let line = self.tokens[at].1;
            match &self.tokens[at].0 {
                Token::Open(Delimiter::Brace) => {
                    if at >= 2 && self.name(at - 2) == Some("mod") && self.name(at - 1).is_some() {
                        modules.push(braces);
                    }
                    braces += 1;
                }
                Token::Close(Delimiter::Brace) => {
                    braces -= 1;
                    if modules.last() == Some(&braces) {
                        modules.pop();
                    }
                }
                Token::Name(name) if name == "crate" || name == "tailtrace" => {
                    let starts = self.before(at) != Some(&Token::PathSep);
                    if starts && self.token(at + 1) == Some(&Token::PathSep) {
                        reached.extend(self.heads(at + 2).into_iter().map(|head| (head, line)));
                    } else if starts && self.name(at + 1) == Some("as") {
                        reached.push(("*".to_owned(), line));
                    }
                }
                Token::Name(name) if name == "super" => {
                    let mut up = 1;
                    while self.token(at + 1) == Some(&Token::PathSep) && self.name(at + 2) == Some("super") {
                        up += 1;
                        at += 2;
                    }
                    if up >= self.depth + modules.len() && self.token(at + 1) == Some(&Token::PathSep) {
                        reached.extend(self.heads(at + 2).into_iter().map(|head| (head, line)));
                    }
                }
                _ => {}
            }
            at += 1;
        }
        reached
    }

    /// External crates of the list above that the file names, with their lines.
    fn crates(&self) -> Vec<(&'static str, &'static [&'static str], usize)> {
        let mut found = Vec::new();
        for (at, (token, line)) in self.tokens.iter().enumerate() {
            let Token::Name(name) = token else { continue };
            let Some((krate, rooms)) = CRATES.iter().find(|(krate, _)| krate == name) else { continue };
            // `a::tonic` is somebody's module, `::tonic` is the crate.
            let inside_a_path =
                self.before(at) == Some(&Token::PathSep) && at >= 2 && self.name(at - 2).is_some_and(|word| !BEFORE_A_PATH.contains(&word));
            let imported = matches!(self.before(at), Some(Token::Name(word)) if word == "use" || word == "crate");
            if !inside_a_path && (imported || self.token(at + 1) == Some(&Token::PathSep)) {
                found.push((*krate, *rooms, *line));
            }
        }
        found
    }

    /// Lines that end the process.
    fn exits(&self) -> Vec<usize> {
        let process = |at: usize| self.name(at) == Some("process") && self.token(at + 1) == Some(&Token::PathSep);
        (0..self.tokens.len())
            .filter(|at| process(*at) && self.heads(at + 2).iter().any(|head| head == "exit" || head == "abort"))
            .map(|at| self.tokens[at].1)
            .collect()
    }

    /// Every fence the file breaks, one sentence each.
    fn violations(&self, rooms: &[String]) -> Vec<String> {
        let mut broken = Vec::new();
        if self.room != "main" {
            let own = rooms.iter().position(|room| room == self.room).expect("every folder of src/ is a room of lib.rs");
            for (head, line) in self.reaches() {
                if head == "*" || head == "self" {
                    broken.push(format!("line {line}: names the whole crate; name the room"));
                } else if let Some(other) = rooms.iter().position(|room| *room == head) {
                    if other > own {
                        broken.push(format!("line {line}: `{}` stands above `{head}` and may not import from it", self.room));
                    }
                } else {
                    broken.push(format!("line {line}: `crate::{head}` is in no room"));
                }
            }
            for line in self.exits() {
                broken.push(format!("line {line}: ends the process; only main may, through a status"));
            }
        }
        for (krate, at_home, line) in self.crates() {
            if !at_home.contains(&self.room) {
                broken.push(format!("line {line}: the crate `{krate}` is not at home in `{}` (only in {at_home:?})", self.room));
            }
        }
        broken
    }
}

fn rooms_of(lib: &str) -> Vec<String> {
    let file = syn::parse_file(lib).expect("lib.rs is Rust");
    file.items
        .into_iter()
        .filter_map(|item| match item {
            syn::Item::Mod(module) => Some(module.ident.to_string()),
            _ => None,
        })
        .collect()
}

fn rust_files(under: &Path, into: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(under) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            into.push(path);
        }
    }
    into.sort();
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn every_room_imports_only_from_rooms_above_it_and_crates_stay_at_home() {
    let src = root().join("src");
    let rooms = rooms_of(&fs::read_to_string(src.join("lib.rs")).unwrap());
    assert_eq!(rooms.len(), 16, "the house has sixteen rooms: {rooms:?}");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    assert!(files.len() > 16, "the walk must see the rooms");
    let mut broken = Vec::new();
    for path in files {
        let inside = path.strip_prefix(&src).unwrap();
        let parts: Vec<String> = inside.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
        if parts == ["lib"] {
            continue;
        }
        let depth = parts.len() - usize::from(parts.last().is_some_and(|part| part == "mod"));
        let text = fs::read_to_string(&path).unwrap();
        for violation in Source::parse(&parts[0], depth, &text).violations(&rooms) {
            broken.push(format!("src/{}: {violation}", inside.display()));
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn no_file_is_longer_than_its_noun_needs() {
    let mut files = Vec::new();
    for folder in ["src", "tests", "benches"] {
        rust_files(&root().join(folder), &mut files);
    }
    let long: Vec<String> = files
        .iter()
        .map(|path| (path.strip_prefix(root()).unwrap().display().to_string(), fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(path, lines)| *lines > LONGEST && !LONG_FOR_A_REASON.iter().any(|(known, _)| known == path))
        .map(|(path, lines)| format!("{path}: {lines} lines; split it, or list it here with the reason"))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
    for (path, reason) in LONG_FOR_A_REASON {
        assert!(root().join(path).exists() && !reason.is_empty(), "{path} is listed and not there");
    }
}

/// The fences must be able to fail: each fixture breaks one, in a way that real code would.
#[test]
fn the_fences_see_what_breaks_them() {
    let rooms: Vec<String> = ["units", "clock", "load", "cli"].map(str::to_owned).to_vec();
    for (room, depth, text, sentence) in [
        ("units", 1, "use crate::clock::Moment;", "`units` stands above `clock`"),
        ("units", 2, "fn f() { let x = crate::load::go(); }", "`units` stands above `load`"),
        ("units", 1, "use crate::{units::Rate, load::{Lane, cli}};", "`units` stands above `load`"),
        ("clock", 1, "fn f() { println!(\"{}\", crate::cli::x()); }", "`clock` stands above `cli`"),
        ("clock", 1, "#[cfg(test)] mod tests { use crate::load::Lane; }", "`clock` stands above `load`"),
        ("clock", 1, "macro_rules! m { () => { $crate::load::go() } }", "`clock` stands above `load`"),
        ("clock", 2, "use super::super::load::Lane;", "`clock` stands above `load`"),
        ("clock", 1, "mod tests { use super::super::{units, load}; }", "`clock` stands above `load`"),
        ("clock", 1, "use crate::*;", "names the whole crate"),
        ("clock", 1, "use crate as all;", "names the whole crate"),
        ("clock", 1, "use crate::util::x;", "is in no room"),
        ("load", 1, "use tonic::Status;", "`tonic` is not at home in `load`"),
        ("load", 1, "use ::tonic::Status;", "`tonic` is not at home in `load`"),
        ("load", 1, "use opentelemetry_sdk as sdk;", "`opentelemetry_sdk` is not at home"),
        ("load", 1, "#[derive(clap::Parser)] struct X;", "`clap` is not at home in `load`"),
        ("cli", 1, "fn f() { tracing!(a, toml::from_str(x)) }", "`toml` is not at home in `cli`"),
        ("main", 1, "use clap::Parser;", "`clap` is not at home in `main`"),
        ("cli", 1, "fn f() { std::process::exit(1) }", "ends the process"),
        ("cli", 1, "use std::process::{Command, exit};", "ends the process"),
    ] {
        let broken = Source::parse(room, depth, text).violations(&rooms);
        assert!(broken.len() == 1 && broken[0].contains(sentence), "{text}: {broken:?}");
    }
}

/// And they must let through what is right.
#[test]
fn the_fences_let_through_what_is_right() {
    let rooms: Vec<String> = ["units", "clock", "load", "cli"].map(str::to_owned).to_vec();
    for (room, depth, text) in [
        ("load", 1, "use crate::units::Rate; use crate::clock::{Clock, Moment}; use crate::load::Lane;"),
        ("load", 1, "mod tests { use super::*; use super::lane::Lane; }"),
        ("load", 2, "use super::lane::{self, Lane}; mod tests { use super::super::lane; }"),
        ("load", 1, "pub(crate) fn f(clock: u8) { let cli = clock; cli }"),
        ("load", 1, "pub(in crate::load) struct X;"),
        ("load", 1, "/// Renders for [`crate::cli`] and `tonic::Status`.\nfn f() {}"),
        ("load", 1, "use self::wire::tonic::Status;"),
        ("cli", 1, "use clap::Parser; fn f() -> std::process::ExitCode { std::process::ExitCode::SUCCESS }"),
        ("main", 1, "use mimalloc::MiMalloc; fn main() { tailtrace::cli::run() }"),
    ] {
        assert_eq!(Source::parse(room, depth, text).violations(&rooms), Vec::<String>::new(), "{text}");
    }
}
