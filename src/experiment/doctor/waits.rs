//! Waiting for others, which ends when the doctor is told to stop.

use crate::experiment::standing::unless_stopped;
use crate::load::Stop;

use super::RunError;

/// Where the doctor waits: for an answer, for a connection.
#[derive(Debug)]
pub(super) struct Waits<'a> {
    stop: &'a Stop,
    runtime: tokio::runtime::Runtime,
}

impl<'a> Waits<'a> {
    pub(super) fn new(stop: &'a Stop) -> Result<Self, RunError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Start)?;
        Ok(Self { stop, runtime })
    }

    pub(super) const fn stop(&self) -> &Stop {
        self.stop
    }

    /// What comes of it; `None` where the doctor was told to stop before.
    pub(super) fn of<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        self.runtime.block_on(unless_stopped(self.stop, work)).ok()
    }

    /// The same of work that blocks. Where it is not waited for any more it goes on, on a thread that nobody asks.
    pub(super) fn of_blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let running = self.runtime.spawn_blocking(work);
        self.of(running)?.ok()
    }

    /// Leaves behind what still blocks.
    pub(super) fn end(self) {
        self.runtime.shutdown_background();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    #[test]
    fn what_blocks_is_left_behind_when_it_is_told_to_stop() {
        let stop = Stop::default();
        let waits = Waits::new(&stop).unwrap();
        assert_eq!(waits.of_blocking(|| 7), Some(7));
        let (go_on, told) = sync_channel::<()>(0);
        let stopping = stop.clone();
        // Never told to go on before the doctor has given it up.
        let given_up = waits.of_blocking(move || {
            stopping.stop();
            told.recv()
        });
        assert!(given_up.is_none());
        assert_eq!(waits.of(async { 7 }), None, "nothing is begun any more");
        waits.end();
        drop(go_on);
    }
}
