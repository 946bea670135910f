//! Every scenario of the repository, and every command of its README, does what it says: it is read, and means something.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin_cmd;
use tailtrace::scenario::{self, Overrides, Plan};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn scenarios() -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = fs::read_dir(root().join("scenarios")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|ext| ext == "toml"));
    found.sort();
    assert!(found.len() >= 8, "{found:?}");
    found
}

fn plan(path: &Path) -> Plan {
    scenario::read(path, &Overrides::default()).unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn every_scenario_is_right_and_begins_with_its_question() {
    for path in scenarios() {
        let text = fs::read_to_string(&path).unwrap();
        let question = text.lines().next().unwrap_or_default();
        assert!(question.starts_with("# Question: ") && question.ends_with('?'), "{}: {question}", path.display());
        let plan = plan(&path);
        let again: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
        assert_eq!(again, plan, "{}", path.display());
    }
}

#[test]
fn scenarios_on_a_milvus_do_not_share_a_collection() {
    let mut names = BTreeSet::new();
    for path in scenarios() {
        let plan = plan(&path);
        if plan.practice.is_none() {
            assert!(names.insert(plan.collection.name.clone()), "{}: {} is taken", path.display(), plan.collection.name);
        }
    }
}

#[test]
fn the_quickstart_needs_nothing_and_takes_under_twenty_seconds() {
    let plan = plan(&root().join("scenarios/quickstart.toml"));
    assert!(plan.practice.is_some(), "no server");
    assert_eq!(plan.trace.endpoint.map(|endpoint| endpoint.to_string()).as_deref(), Some("built-in"), "no collector");
    let phases = plan.load.warmup.0 + plan.load.duration.0 + plan.load.drain.0;
    assert!(phases <= 16_000_000_000, "four seconds are left to set-up and floor");
}

/// Lines in the README's code blocks that call tailtrace, with what `cargo run` needs taken off.
fn readme_commands() -> Vec<Vec<String>> {
    let Ok(readme) = fs::read_to_string(root().join("README.md")) else { return Vec::new() };
    let (mut commands, mut inside) = (Vec::new(), false);
    for line in readme.replace("\\\n", " ").lines() {
        let line = line.trim();
        if line.starts_with("```") {
            inside = !inside && ["```", "```sh", "```console", "```bash"].contains(&line);
            continue;
        }
        let line = line.trim_start_matches("$ ");
        let ours = line.strip_prefix("tailtrace ").or(line.strip_prefix("cargo run --release -- "));
        if let Some(ours) = ours.filter(|_| inside) {
            commands.push(words(ours));
        }
    }
    commands
}

/// Splits at blanks, but for those in quotes; ends at a comment, a pipe or a redirection.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), String::new(), None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => quote = Some(c),
            (None, '#' | '|' | '>' | '&' | ';') if word.is_empty() => break,
            (None, ' ') => words.extend((!word.is_empty()).then(|| std::mem::take(&mut word))),
            _ => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

#[test]
fn every_command_of_the_readme_is_offered_and_its_scenario_is_right() {
    for command in readme_commands() {
        let line = command.join(" ");
        let Some(name) = command.first().filter(|name| !name.starts_with('-')) else { continue };
        let help = cargo_bin_cmd!("tailtrace").args([name.as_str(), "--help"]).output().unwrap();
        let help = String::from_utf8(help.stdout).unwrap();
        assert!(help.contains(&format!("Usage: tailtrace {name}")), "`tailtrace {line}`: there is no such command");
        for flag in command.iter().filter(|word| word.starts_with("--")) {
            let flag = flag.split('=').next().unwrap();
            assert!(help.contains(flag), "`tailtrace {line}`: there is no {flag}");
        }
        for file in command.iter().filter(|word| word.starts_with("scenarios/")) {
            let set: Vec<String> = command.windows(2).filter(|pair| pair[0] == "--set").map(|pair| pair[1].clone()).collect();
            let read = scenario::read(&root().join(file), &Overrides { set, seed: None });
            assert!(read.is_ok(), "`tailtrace {line}`: {}", read.unwrap_err());
        }
    }
}

#[test]
fn words_are_split_as_a_shell_does() {
    assert_eq!(words(r#"run a.toml --set 'b=< 2' "c d" | head # x"#), ["run", "a.toml", "--set", "b=< 2", "c d"]);
}
