//! When a connection's answers are with the kernel, held against when they were let go.

use std::cell::Cell;
use std::rc::Rc;

use crate::clock::{Moment, now};
use crate::practice::model::Lead;

/// What a connection's requests tell it of the answers that it is to write. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Leaving {
    lead: Rc<Lead>,
    /// When the first answer that is not yet written was to be let go.
    let_go: Rc<Cell<Option<Moment>>>,
}

impl Leaving {
    pub(super) fn new(lead: Rc<Lead>) -> Self {
        Self { lead, let_go: Rc::default() }
    }

    /// An answer that waited for its end, and was to be let go at this moment, will be written.
    pub(super) fn next(&self, let_go: Moment) {
        if self.let_go.get().is_none() {
            self.let_go.set(Some(let_go));
        }
    }

    /// The kernel has taken something of what was to be written: of the answers in it the first one is learned from. Where an answer
    /// is larger than a write, that is when it began to leave: its end is late by the rest.
    pub(super) fn written(&self) {
        if let Some(let_go) = self.let_go.take() {
            self.lead.learn(let_go, now());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_answers_in_one_write_the_first_teaches_one_step_and_of_none_nothing_is_learned() {
        let lead = Rc::new(Lead::default());
        let leaving = Leaving::new(lead.clone());
        let long_ago = now();
        let learned = || long_ago.since(lead.before(long_ago)).0;
        leaving.next(long_ago);
        // Not to be let go for a long time yet: taken for the first, it would have left before its time.
        leaving.next(long_ago.plus(crate::units::Nanos::from_secs(1_000)));
        leaving.written();
        assert_eq!(learned(), 500);
        leaving.written();
        assert_eq!(learned(), 500, "nothing that waited for its end was in it");
    }
}
