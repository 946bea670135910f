//! `tailtrace` as it is typed: in a folder with a scenario, and what it says.

#![allow(dead_code, reason = "no test needs all of it")]

use std::fs;
use std::path::Path;
use std::process::Command;

use assert_cmd::cargo::cargo_bin;
use tempfile::TempDir;

/// A folder of its own with this scenario in it, that goes with the test.
pub(crate) fn folder(name: &str, scenario: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(name), scenario).unwrap();
    folder
}

/// `tailtrace` with these arguments, to be run in this folder. What the machine's owner or a CI system exports is not passed on: it
/// would take the spans elsewhere, or the report.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin!("tailtrace"));
    let foreign = |name: &str| name.starts_with("OTEL_") || name.starts_with("GITHUB_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(foreign)) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(arguments);
    command
}

/// What it printed.
pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
