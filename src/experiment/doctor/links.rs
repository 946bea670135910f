//! The links as they are found, each told at once.

use super::link::Link;

/// What has been found so far.
pub(super) struct Links<'a> {
    found: Vec<Link>,
    tell: &'a mut dyn FnMut(&Link),
}

impl<'a> Links<'a> {
    pub(super) fn new(tell: &'a mut dyn FnMut(&Link)) -> Self {
        Self { found: Vec::new(), tell }
    }

    pub(super) fn push(&mut self, link: Link) {
        (self.tell)(&link);
        self.found.push(link);
    }

    /// Of each of these nothing is known, for one reason.
    pub(super) fn unknown(&mut self, names: &[&str], why: &str) {
        for name in names {
            self.push(Link::unknown(name, why));
        }
    }

    pub(super) fn is_broken(&self) -> bool {
        self.found.iter().any(|link| link.ok == Some(false))
    }

    pub(super) fn into_all(self) -> Vec<Link> {
        self.found
    }
}
