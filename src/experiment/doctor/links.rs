//! The links as they are found, each told at once.

use super::link::Link;

/// Of a link that was not looked at any more.
pub(super) const STOPPED: &str = "not looked at: the doctor was stopped";

/// What has been found so far.
pub(super) struct Links<'a> {
    found: Vec<Link>,
    interrupted: bool,
    tell: &'a mut dyn FnMut(&Link),
}

impl<'a> Links<'a> {
    pub(super) fn new(tell: &'a mut dyn FnMut(&Link)) -> Self {
        Self { found: Vec::new(), interrupted: false, tell }
    }

    pub(super) fn push(&mut self, link: Link) {
        (self.tell)(&link);
        self.found.push(link);
    }

    /// Whether it has been told.
    pub(super) fn has(&self, name: &str) -> bool {
        self.found.iter().any(|link| link.name == name)
    }

    /// Of each of these nothing is known, for one reason.
    pub(super) fn unknown(&mut self, names: &[&str], why: &str) {
        for name in names {
            self.push(Link::unknown(name, why));
        }
    }

    /// The doctor was stopped: while it waited for the first of these links, before it looked at the others.
    pub(super) fn interrupted(&mut self, names: &[&str]) {
        for name in names {
            self.push(Link::unknown(name, if self.interrupted { STOPPED } else { "no answer yet when the doctor was stopped" }));
            self.interrupted = true;
        }
    }

    /// Whether a link is broken that the next ones hang on.
    pub(super) fn is_broken(&self, besides: Option<&str>) -> bool {
        self.found.iter().any(|link| link.ok == Some(false) && Some(link.name.as_str()) != besides)
    }

    pub(super) fn into_all(self) -> Vec<Link> {
        self.found
    }
}
