//! What the process and its threads have used.

use crate::units::Nanos;

/// User and system CPU time of the calling thread since it began.
#[must_use]
pub fn thread_cpu() -> Nanos {
    read(rustix::time::ClockId::ThreadCPUTime)
}

/// How long the calling thread has been ready to run while others had the processor, since it began; `None` where the
/// system does not tell (Linux does, by its scheduler statistics).
#[must_use]
pub fn thread_waited() -> Option<Nanos> {
    // Time on the processor, time waiting for it, and turns.
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    Some(Nanos(text.split_whitespace().nth(1)?.parse().ok()?))
}

/// User and system CPU time of the whole process since it began.
#[must_use]
pub fn process_cpu() -> Nanos {
    read(rustix::time::ClockId::ProcessCPUTime)
}

fn read(clock: rustix::time::ClockId) -> Nanos {
    let time = rustix::time::clock_gettime(clock);
    Nanos(time.tv_sec.unsigned_abs() * 1_000_000_000 + time.tv_nsec.unsigned_abs())
}

/// The most memory the process has held, in bytes; `None` where the system does not tell (it does on Linux).
#[must_use]
pub fn peak_rss_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_busy_thread_uses_cpu_time_of_its_own_and_of_the_process() {
        // The process first: what is used between the two readings counts for it alone.
        let process = process_cpu();
        let thread = thread_cpu();
        let mut sum = 0_u64;
        while thread_cpu().0 - thread.0 < 2_000_000 {
            sum = std::hint::black_box(sum.wrapping_add(1));
        }
        assert!(process_cpu().0 - process.0 >= 2_000_000);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn peak_memory_is_more_than_a_megabyte() {
        assert!(peak_rss_bytes().unwrap() > 1 << 20);
    }
}
