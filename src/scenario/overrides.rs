//! `--set key=value`: values that take the place of the file's.
//!
//! A key is a path with dots: `load.duration`, `trace.sample_fraction`, `gates."readers.response.p99"`. A stream stands under
//! its name: `readers.rate`. The value is TOML, or a bare text where it is not: `readers.rate=500/s`.
//!
//! Keys that exclude each other take each other's place: `readers.workers=4` makes a closed loop of a stream to which the file
//! gives a `rate`, and `readers.rate=500/s` the other way round.

use toml::de::{DeTable, DeValue};

use super::decode::Fault;
use super::nearest::nearest;
use super::tree::{Entry, Node, Place, Step, Value};

/// The tables and keys that a scenario begins with; none of them, nor `errors`, can name a stream.
pub(super) const TOP_KEYS: [&str; 9] = ["name", "seed", "target", "collection", "load", "stream", "trace", "gates", "practice"];

/// Sets one value in the tree; `index` is the place it is known by.
pub(super) fn apply(root: &mut Node, typed: &str, index: usize) -> Result<(), Fault> {
    let place = Place::Override(index);
    let wrong = |message: String, help: &str| Fault { help: Some(help.to_owned()), ..Fault::at(place.clone(), message) };
    let example = "write key=value, such as --set readers.rate=500/s";
    let (key, value) = typed.split_once('=').ok_or_else(|| wrong("there is no `=` between key and value".to_owned(), example))?;
    let path = key_path(key.trim()).ok_or_else(|| wrong(format!("`{}` is not a key", key.trim()), example))?;
    let node = read_value(value.trim(), &place)?;
    let mut at: &mut Node = root;
    let mut rest = path.as_slice();
    if let [first, tail @ ..] = rest
        && !TOP_KEYS.contains(&first.as_str())
    {
        let names = stream_names(at);
        let Some(found) = names.iter().position(|name| name == first) else {
            let known = names.iter().map(String::as_str).chain(TOP_KEYS);
            let help = match nearest(first, known.clone()) {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("known tables and streams: {}", known.collect::<Vec<_>>().join(", ")),
            };
            return Err(wrong(format!("there is no table and no stream `{first}`"), &help));
        };
        at = descend(at, &Step::Key("stream".to_owned()), &place);
        at = descend(at, &Step::Index(found), &place);
        rest = tail;
        if rest.is_empty() {
            return Err(wrong(format!("`{first}` is a whole stream"), "name one of its keys, such as --set readers.rate=500/s"));
        }
    } else if rest == ["stream"] || matches!(rest, [first, ..] if first == "stream") {
        let names = stream_names(at);
        let name = names.first().map_or("readers", String::as_str);
        return Err(wrong(
            "a stream stands under its own name".to_owned(),
            &format!("write {name}.{} instead", rest.get(2).or(rest.get(1)).map_or("rate", String::as_str)),
        ));
    }
    let of_stream = path.len() > rest.len();
    if of_stream && let [key] = rest {
        make_way(at, key);
    }
    for key in rest {
        if !matches!(at.value, Value::Table(_)) {
            return Err(wrong(format!("`{key}` cannot be set in what is not a table"), "set the whole value instead"));
        }
        at = descend(at, &Step::Key(key.clone()), &place);
    }
    *at = node;
    Ok(())
}

/// How a stream's requests go: exactly one of them.
const SHAPES: [&str; 3] = ["rate", "stages", "workers"];
/// Belong to open loops.
const OF_OPEN_LOOPS: [&str; 2] = ["arrivals", "max_in_flight"];

/// Takes from a stream what the file says about its load and what cannot stand beside `key`: so an override turns an open loop
/// into a closed one and back. What another override said stays, and the two are refused together.
fn make_way(stream: &mut Node, key: &str) {
    let Value::Table(entries) = &mut stream.value else { return };
    if !SHAPES.contains(&key) {
        return;
    }
    entries.retain(|entry| {
        let excluded = SHAPES.contains(&entry.key.as_str()) || (key == "workers" && OF_OPEN_LOOPS.contains(&entry.key.as_str()));
        entry.key == key || !excluded || matches!(entry.node.place, Place::Override(_))
    });
}

/// Sets a key of the root to a whole number.
pub(super) fn apply_number(root: &mut Node, key: &str, number: u64, index: usize) {
    let place = Place::Override(index);
    let node = Node { value: Value::Whole(i128::from(number)), place: place.clone() };
    *descend(root, &Step::Key(key.to_owned()), &place) = node;
}

/// A table of keys and typed values; each is known by its index.
pub(super) fn table(pairs: &[(&str, &str)]) -> Result<Node, Fault> {
    let entries = pairs.iter().enumerate().map(|(index, (key, value))| {
        let place = Place::Override(index);
        Ok(Entry { key: (*key).to_owned(), key_place: place.clone(), node: read_value(value.trim(), &place)? })
    });
    // No byte of a file: what is missing has no place.
    Ok(Node { value: Value::Table(entries.collect::<Result<_, Fault>>()?), place: Place::File(0..0) })
}

/// The value at one step below, made where it is missing; the key's place becomes the override's.
fn descend<'a>(node: &'a mut Node, step: &Step, place: &Place) -> &'a mut Node {
    match (&mut node.value, step) {
        (Value::Table(entries), Step::Key(key)) => {
            let at = entries.iter().position(|entry| entry.key == *key).unwrap_or_else(|| {
                let empty = Node { value: Value::Table(Vec::new()), place: place.clone() };
                entries.push(Entry { key: key.clone(), key_place: place.clone(), node: empty });
                entries.len() - 1
            });
            &mut entries[at].node
        }
        (Value::List(nodes), Step::Index(index)) => &mut nodes[*index],
        _ => unreachable!("callers look at the value first"),
    }
}

fn stream_names(root: &Node) -> Vec<String> {
    let Some(entry) = root.entry("stream") else { return Vec::new() };
    match &entry.node.value {
        // A nameless stream keeps its place in the list; an empty name is refused as a key.
        Value::List(nodes) => nodes.iter().map(|node| node.text("name").unwrap_or_default().to_owned()).collect(),
        _ => Vec::new(),
    }
}

/// The parts of a dotted key, as TOML splits it.
fn key_path(key: &str) -> Option<Vec<String>> {
    let text = format!("{key} = 0");
    if key.contains(['\n', '#', '=', '[']) {
        return None;
    }
    let mut table = DeTable::parse(&text).ok()?.into_inner();
    let mut path = Vec::new();
    loop {
        let (key, value) = table.into_iter().next()?;
        path.push(key.into_inner().into_owned());
        match value.into_inner() {
            DeValue::Table(inner) => table = inner,
            _ => return path.iter().all(|part| !part.is_empty()).then_some(path),
        }
    }
}

fn read_value(text: &str, place: &Place) -> Result<Node, Fault> {
    let parsed = Node::parse_value(text, place);
    let begins_as_toml = text.starts_with(['"', '\'', '[', '{']);
    match parsed {
        Err(_) if !begins_as_toml => Ok(Node { value: Value::Text(text.to_owned()), place: place.clone() }),
        parsed => parsed,
    }
}
