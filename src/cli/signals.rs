//! Ctrl-C, SIGTERM, and the hang-up of a terminal that is closed.

use std::io;
use std::sync::mpsc::sync_channel;
use std::task::Poll;
use std::thread;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::clock::now;
use crate::load::Stop;
use crate::units::Nanos;

use super::exit::CliError;

/// Signals closer to each other than this count as one: nobody presses Ctrl-C twice so fast.
const ONE_WISH: Nanos = Nanos::from_millis(100);

/// Calls `react` with 1, 2, … at each Ctrl-C and SIGTERM, on a thread of its own, until the process ends; a hang-up counts as the
/// first of them, unless it is ignored, as `nohup` has it.
pub(super) fn on_signal(mut react: impl FnMut(u32) + Send + 'static) -> io::Result<()> {
    let (ready, registered) = sync_channel(1);
    thread::Builder::new().name("tailtrace-signals".to_owned()).spawn(move || {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_io().build() else {
            return;
        };
        runtime.block_on(async {
            let (report, mut signals) = match listen() {
                Ok(signals) => (Ok(()), signals),
                Err(error) => (Err(error), Vec::new()),
            };
            // The one that asked waits for it.
            let _ = ready.send(report);
            if signals.is_empty() {
                return;
            }
            let mut times = 0;
            let mut last = None;
            loop {
                let wish = std::future::poll_fn(|context| {
                    // All are asked, so that each wakes this task.
                    let mut wish = None;
                    for (signal, means) in &mut signals {
                        if signal.poll_recv(context).is_ready() {
                            wish = wish.max(Some(*means));
                        }
                    }
                    wish.map_or(Poll::Pending, Poll::Ready)
                })
                .await;
                // A terminal that is closed hangs up once itself and once by its shell: nobody's second wish.
                if wish == Wish::HangUp && times > 0 {
                    continue;
                }
                // `timeout` and others signal the process and its group, one right after the other: that is one wish.
                let present = now();
                if last.is_none_or(|last| present.since(last) >= ONE_WISH) {
                    times += 1;
                    react(times);
                }
                last = Some(present);
            }
        });
    })?;
    registered.recv().unwrap_or_else(|_| Err(io::Error::other("the operating system has no descriptor left to listen for signals")))
}

/// What a signal means; of two at once the greater counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wish {
    /// Nobody looks any more.
    HangUp,
    /// End.
    End,
}

/// The signals that mean: end now. Ctrl-C's is one also where a script's shell has it ignored: who sends it means it.
fn listen() -> io::Result<Vec<(Signal, Wish)>> {
    let mut kinds = vec![(SignalKind::interrupt(), Wish::End), (SignalKind::terminate(), Wish::End)];
    // To listen would undo what `nohup` did.
    if !ignores_hangup() {
        kinds.push((SignalKind::hangup(), Wish::HangUp));
    }
    kinds.into_iter().map(|(kind, wish)| Ok((signal(kind)?, wish))).collect()
}

/// Whether whoever started this process wants it to outlast its terminal; where the system does not tell, it is taken to.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // Bit n − 1 stands for signal n, and SIGHUP is 1.
    ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|mask| mask & 1 == 1)
}

/// Told to stop by Ctrl-C, SIGTERM or a hang-up; the second one ends the process.
pub(super) fn stop_on_signal() -> Result<Stop, CliError> {
    let stop = Stop::default();
    let on_stop = stop.clone();
    on_signal(move |times| {
        on_stop.stop();
        if times > 1 {
            end_at_once();
        }
    })
    .map_err(CliError::Signals)?;
    Ok(stop)
}

/// A second Ctrl-C: somebody does not want to wait. No file is written any more; what was written stays readable, as partial.
fn end_at_once() {
    // Past the lock of standard error, and only where somebody reads it: a word must not keep the process from ending.
    let stderr = io::stderr();
    let mut writable = [PollFd::new(&stderr, PollFlags::OUT)];
    if poll(&mut writable, Some(&Timespec::default())).is_ok_and(|ready| ready > 0) {
        let _ = rustix::io::write(&stderr, b"\nended at once, at the second signal; what was written until now stays\n");
    }
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
}
