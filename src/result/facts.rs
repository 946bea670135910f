//! Who measured, and on what machine.

use std::fs;

use super::model::{Host, Tool};

/// This program, as it was called.
#[must_use]
pub fn this_tool(command: Vec<String>) -> Tool {
    Tool {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: option_env!("TAILTRACE_COMMIT").map(str::to_owned),
        rustc: option_env!("TAILTRACE_RUSTC").map(str::to_owned),
        command,
    }
}

/// This machine, without its name: results are shown around. What the system does not tell stays out.
#[must_use]
pub fn this_host() -> Host {
    let system = rustix::system::uname();
    let text = |text: &std::ffi::CStr| Some(text.to_string_lossy().into_owned()).filter(|text| !text.is_empty());
    Host {
        cpu_model: fs::read_to_string("/proc/cpuinfo").ok().as_deref().and_then(cpu_model),
        cores: std::thread::available_parallelism().ok().map(|cores| cores.get() as u64),
        memory_bytes: fs::read_to_string("/proc/meminfo").ok().as_deref().and_then(memory_bytes),
        kernel: text(system.release()),
        os: fs::read_to_string("/etc/os-release").ok().as_deref().and_then(os_name).or_else(|| text(system.sysname())),
        arch: text(system.machine()),
    }
}

fn cpu_model(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"))?;
    line.split_once(':').map(|(_, model)| model.trim().to_owned())
}

fn memory_bytes(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

fn os_name(release: &str) -> Option<String> {
    let line = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="))?;
    Some(line.trim_matches('"').to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_files_are_read_as_they_are_written() {
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 2.1GHz\n").as_deref(), Some("Some CPU @ 2.1GHz"));
        assert_eq!(memory_bytes("MemTotal:        2048 kB\nMemFree: 1 kB\n"), Some(2 << 20));
        assert_eq!(os_name("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n").as_deref(), Some("Debian GNU/Linux 12"));
        assert_eq!((cpu_model(""), memory_bytes("MemTotal: x"), os_name("")), (None, None, None));
    }

    #[test]
    fn every_machine_has_cores_and_a_kernel_and_the_tool_its_version() {
        let host = this_host();
        assert!(host.cores > Some(0) && host.kernel.is_some() && host.os.is_some());
        assert_eq!(this_tool(vec![]).version, env!("CARGO_PKG_VERSION"));
    }
}
