//! Waiting for others, which ends when the doctor is told to stop.

use std::cell::RefCell;

use crate::experiment::standing::unless_stopped;
use crate::load::Stop;

use super::RunError;

/// Where the doctor waits: for an answer, for a connection.
#[derive(Debug)]
pub(super) struct Waits<'a> {
    stop: &'a Stop,
    runtime: tokio::runtime::Runtime,
    failed: RefCell<Option<RunError>>,
}

impl<'a> Waits<'a> {
    pub(super) fn new(stop: &'a Stop) -> Result<Self, RunError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(RunError::Start)?;
        Ok(Self { stop, runtime, failed: RefCell::default() })
    }

    pub(super) const fn stop(&self) -> &Stop {
        self.stop
    }

    /// What comes of it; `None` where the doctor was told to stop before, or cannot wait at all, which [`Self::end`] says.
    pub(super) fn of<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        match self.runtime.block_on(unless_stopped(self.stop, work)) {
            Ok(done) => Some(done),
            Err(RunError::Interrupted) => None,
            Err(error) => {
                self.failed.replace(Some(error));
                None
            }
        }
    }

    /// The same of work that blocks. Where it is not waited for any more it goes on, on a thread that nobody asks.
    pub(super) fn of_blocking<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        if self.stop.is_stopped() {
            return None;
        }
        let running = self.runtime.spawn_blocking(work);
        match self.of(running)? {
            Ok(done) => Some(done),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }

    /// Leaves behind what still blocks.
    ///
    /// # Errors
    /// Where it could not wait.
    pub(super) fn end(self) -> Result<(), RunError> {
        self.runtime.shutdown_background();
        self.failed.into_inner().map_or(Ok(()), Err)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;
    use std::time::Duration;

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
            told.recv_timeout(Duration::from_secs(60))
        });
        assert!(given_up.is_none());
        assert_eq!((waits.of(async { 7 }), waits.of_blocking(|| 7)), (None, None), "nothing is begun any more");
        waits.end().unwrap();
        drop(go_on);
    }
}
