//! Places of many traces, each held once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::tail::attribution::Place;

/// A path has so many names at most; of deeper spans the names between are left out. So a chain of ten thousand spans does not
/// make ten thousand paths of ten thousand names.
const DEEPEST: usize = 64;

/// So many different paths at most; spans beyond are one place. Names that hold a number of their own would grow without end.
const MOST_FRAMES: usize = 200_000;

/// What stands for the names that are left out.
const LEFT_OUT: &str = "…";

/// The one path beyond [`MOST_FRAMES`].
const OTHER_SPANS: &str = "other spans";

/// A path: a name below another path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Frame(u32);

impl Frame {
    /// Above all.
    pub(super) const TOP: Self = Self(0);
}

/// A place that is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct PlaceId(u32);

#[derive(Debug)]
struct Name {
    above: Frame,
    text: String,
    depth: usize,
    /// The services that have a place here: mostly one.
    places: Vec<PlaceId>,
}

/// The places of traces that are read together: what two traces share is one `Arc`.
#[derive(Debug)]
pub struct Places {
    /// The first is above all.
    frames: Vec<Name>,
    /// Frames by the hash of (above, name): looking one up copies no text.
    by_hash: HashMap<u64, Vec<Frame>>,
    known: Vec<Arc<Place>>,
    hasher: RandomState,
    most: usize,
}

impl Default for Places {
    fn default() -> Self {
        Self::with_most(MOST_FRAMES)
    }
}

impl Places {
    fn with_most(most: usize) -> Self {
        let top = Name { above: Frame::TOP, text: String::new(), depth: 0, places: Vec::new() };
        Self { frames: vec![top], by_hash: HashMap::new(), known: Vec::new(), hasher: RandomState::new(), most }
    }

    /// A part of the client's own, such as the time before it sent.
    pub fn own(&mut self, service: &str, span: &str) -> Arc<Place> {
        let place = self.of_client(service, span);
        self.get(place)
    }

    pub(super) fn of_client(&mut self, service: &str, span: &str) -> PlaceId {
        let frame = self.frame(Frame::TOP, span);
        self.place(frame, service)
    }

    pub(super) fn get(&self, place: PlaceId) -> Arc<Place> {
        Arc::clone(&self.known[place.0 as usize])
    }

    /// The path that goes on from `above` with `name`.
    pub(super) fn frame(&mut self, above: Frame, name: &str) -> Frame {
        // The deepest but one is the gap, and all that are deeper hang below it.
        match self.frames[above.0 as usize].depth {
            depth if depth + 2 < DEEPEST => self.child(above, name),
            depth if depth + 2 == DEEPEST => {
                let gap = self.child(above, LEFT_OUT);
                self.child(gap, name)
            }
            _ => self.child(self.frames[above.0 as usize].above, name),
        }
    }

    fn child(&mut self, above: Frame, name: &str) -> Frame {
        let hash = self.hasher.hash_one((above, name));
        let alike = self.by_hash.entry(hash).or_default();
        let is_it = |frame: &&Frame| (self.frames[frame.0 as usize].above, self.frames[frame.0 as usize].text.as_str()) == (above, name);
        if let Some(known) = alike.iter().find(is_it) {
            return *known;
        }
        if self.frames.len() > self.most && name != OTHER_SPANS {
            return self.child(Frame::TOP, OTHER_SPANS);
        }
        let frame = Frame(u32::try_from(self.frames.len()).expect("paths are bounded"));
        alike.push(frame);
        let depth = self.frames[above.0 as usize].depth + 1;
        self.frames.push(Name { above, text: name.to_owned(), depth, places: Vec::new() });
        frame
    }

    /// The place of a service's span at a path.
    pub(super) fn place(&mut self, frame: Frame, service: &str) -> PlaceId {
        let here = &self.frames[frame.0 as usize].places;
        if let Some(known) = here.iter().find(|place| self.known[place.0 as usize].service == service) {
            return *known;
        }
        let mut names = Vec::new();
        let mut at = frame;
        while at != Frame::TOP {
            names.push(self.frames[at.0 as usize].text.as_str());
            at = self.frames[at.0 as usize].above;
        }
        let span = names.first().copied().unwrap_or_default().to_owned();
        names.reverse();
        let place = Place { service: service.to_owned(), span, path: names.join(" > ") };
        let id = PlaceId(u32::try_from(self.known.len()).expect("places are bounded"));
        self.known.push(Arc::new(place));
        self.frames[frame.0 as usize].places.push(id);
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_two_traces_share_is_held_once() {
        let mut places = Places::default();
        let search = places.frame(Frame::TOP, "Search");
        let wait = places.frame(search, "wait");
        let (first, again, other) = (places.place(wait, "standalone"), places.place(wait, "standalone"), places.place(wait, "segcore"));
        assert!(Arc::ptr_eq(&places.get(first), &places.get(again)));
        assert_eq!((places.get(other).service.as_str(), places.get(other).path.as_str()), ("segcore", "Search > wait"));
        assert_eq!(places.frame(search, "wait"), wait);
        assert_ne!(places.frame(Frame::TOP, "wait"), wait, "another path");
    }

    #[test]
    fn of_a_path_that_is_too_deep_the_middle_is_left_out() {
        let mut places = Places::default();
        let mut frame = Frame::TOP;
        for at in 0..10_000 {
            frame = places.frame(frame, &format!("s{at}"));
        }
        let place = places.place(frame, "x");
        let place = places.get(place);
        let names: Vec<&str> = place.path.split(" > ").collect();
        assert_eq!((names.len(), names[DEEPEST - 3], names[DEEPEST - 2], names[DEEPEST - 1]), (DEEPEST, "s61", LEFT_OUT, "s9999"));
        assert_eq!(place.span, "s9999");
    }

    #[test]
    fn names_without_end_do_not_take_memory_without_end() {
        let mut places = Places::with_most(3);
        let frames: Vec<Frame> = (0..100).map(|at| places.frame(Frame::TOP, &format!("insert {at}"))).collect();
        assert_eq!(places.frame(Frame::TOP, "insert 1"), frames[1], "what is known stays");
        assert_eq!(frames[50], frames[99]);
        let other = places.place(frames[99], "x");
        assert_eq!(places.get(other).path, OTHER_SPANS);
        assert!(places.frames.len() <= 5, "{}", places.frames.len());
    }
}
