//! The command that runs before each run of a series, such as one that restarts the target with another setting.

use std::io;
use std::os::fd::AsFd as _;
use std::process::{Command, Stdio};

/// Runs it by the shell and waits for it. Its standard output goes to ours for errors, because standard output is for results.
///
/// # Errors
/// What became of it, where that is not success.
pub(super) fn run(command: &str, environment: &[(String, String)], round: usize) -> Result<(), String> {
    let said = io::stderr().as_fd().try_clone_to_owned().map_or_else(|_| Stdio::null(), Stdio::from);
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(command).stdin(Stdio::null()).stdout(said).env("TAILTRACE_ROUND", round.to_string());
    shell.envs(environment.iter().map(|(name, value)| (name, value)));
    match shell.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status})")),
        Err(error) => Err(format!("could not be started: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_sees_the_value_and_its_failure_is_told() {
        let environment = [("TAILTRACE_VALUE".to_owned(), "0.1".to_owned())];
        assert_eq!(run("test \"$TAILTRACE_VALUE\" = 0.1 && test $TAILTRACE_ROUND = 3", &environment, 3), Ok(()));
        assert_eq!(run("exit 7", &environment, 1), Err("failed (exit status: 7)".to_owned()));
        assert!(run("no-such-program-here 2> /dev/null", &environment, 1).unwrap_err().contains("127"));
    }
}
