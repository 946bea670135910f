//! Reading: text and overrides to a plan.

use std::fs;
use std::io::{self, Read as _};
use std::path::Path as FilePath;

use rand::TryRng as _;
use serde::Deserialize as _;

use crate::practice;

use super::decode::{Decoder, Fault, Path};
use super::error::{Diagnostic, ScenarioError};
use super::file::ScenarioFile;
use super::overrides::{apply, apply_number, table};
use super::plan::Plan;
use super::resolve::resolve;
use super::tree::{Node, Step, Value};

/// What takes the place of the file's values.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `key=value`, in the order typed; a later one wins.
    pub set: Vec<String>,
    /// The seed; wins over all.
    pub seed: Option<u64>,
}

impl Overrides {
    /// The same, with a seed where none is given in either way.
    #[must_use]
    pub fn or_seed(self, seed: Option<u64>) -> Self {
        let given = self.seed.is_some() || self.set.iter().any(|set| set.split_once('=').is_some_and(|(key, _)| key.trim() == "seed"));
        Self { seed: if given { self.seed } else { seed }, ..self }
    }

    /// Whether they set anything of the built-in target's.
    fn speak_of_practice(&self) -> bool {
        self.set.iter().any(|set| set.split(['=', '.']).next().is_some_and(|key| key.trim() == PRACTICE))
    }
}

/// The built-in target, and the table of its settings.
const PRACTICE: &str = "practice";

/// No scenario is longer: what is, is another file taken for one.
const LONGEST: u64 = 1 << 20;

/// The document of a run directory.
const RUN_FILE: &str = "run.json";
/// The schema that its plan is read of.
const SCHEMA: &str = "tailtrace.run/1";

/// Reads a scenario file; or, where `path` is a run directory or its `run.json`, the plan that was run, so that it is run again.
///
/// # Errors
/// Where the file cannot be read, or for the first thing in it that is wrong.
pub fn read(path: &FilePath, overrides: &Overrides) -> Result<Plan, ScenarioError> {
    let failed = |cause| ScenarioError::Read { path: path.to_owned(), cause };
    let inside = path.join(RUN_FILE);
    if inside.is_file() {
        return read_stored(&inside, overrides);
    }
    if path.extension().is_some_and(|extension| extension == "json") {
        return read_stored(path, overrides);
    }
    let file = fs::metadata(path).map_err(failed)?;
    if file.is_dir() {
        return Err(ScenarioError::NoPlan { path: path.to_owned() });
    }
    // A device or a pipe says that it is empty, and may never end.
    let mut bytes = Vec::new();
    if file.len() <= LONGEST {
        fs::File::open(path).and_then(|open| open.take(LONGEST + 1).read_to_end(&mut bytes)).map_err(failed)?;
    }
    let size = file.len().max(bytes.len() as u64);
    if size > LONGEST {
        return Err(ScenarioError::TooLong { path: path.to_owned(), size, most: LONGEST });
    }
    let text = String::from_utf8(bytes).map_err(|_| ScenarioError::NotText { path: path.to_owned() })?;
    parse(&text, &path.display().to_string(), overrides)
}

/// Whether a file was read that is not UTF-8.
fn is_no_text(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::InvalidData
}

/// Reads the plan that stands in a `run.json`: the scenario of that run with every default filled in, its seed included.
fn read_stored(path: &FilePath, overrides: &Overrides) -> Result<Plan, ScenarioError> {
    let failed = |cause| ScenarioError::Read { path: path.to_owned(), cause };
    let no_plan = || ScenarioError::NoPlan { path: path.to_owned() };
    let document = fs::read_to_string(path).map_err(|cause| if is_no_text(&cause) { no_plan() } else { failed(cause) })?;
    let mut document: serde_json::Value =
        serde_json::from_str(&document).map_err(|cause| ScenarioError::Cut { path: path.to_owned(), cause })?;
    match document.get("schema").and_then(serde_json::Value::as_str) {
        Some(SCHEMA) => {}
        Some(schema) => {
            return Err(ScenarioError::OtherSchema { path: path.to_owned(), schema: schema.to_owned(), expected: SCHEMA });
        }
        None => return Err(no_plan()),
    }
    let plan = document.get_mut("plan").and_then(serde_json::Value::as_object_mut).filter(|plan| !plan.is_empty()).ok_or_else(no_plan)?;
    // TOML's whole numbers end at 63 bits, seeds at 64.
    let seed = plan.remove("seed").and_then(|seed| seed.as_u64());
    let overrides = overrides.clone().or_seed(seed);
    // As TOML it goes the way of every scenario: overrides, checks, and errors that point.
    let text = toml::to_string(&plan).map_err(|_| no_plan())?;
    parse(&text, &of_plan(path), &overrides).map_err(ScenarioError::in_a_plan)
}

/// What messages call the plan in a run's document.
fn of_plan(document: &FilePath) -> String {
    format!("{} (its plan)", document.display())
}

/// Reads the text of a scenario that came from `origin`, the path of a file.
///
/// # Errors
/// For the first thing in it that is wrong.
pub fn parse(text: &str, origin: &str, overrides: &Overrides) -> Result<Plan, ScenarioError> {
    let mut typed: Vec<String> = overrides.set.iter().map(|set| format!("--set {set}")).collect();
    typed.extend(overrides.seed.map(|seed| format!("--seed {seed}")));
    let located = |fault| ScenarioError::from(Box::new(Diagnostic::new(fault, origin, text, &typed)));
    let mut root = Node::parse(text).map_err(located)?;
    let was_practice = targets_practice(&root);
    for (index, set) in overrides.set.iter().enumerate() {
        apply(&mut root, set, index).map_err(located)?;
    }
    if let Some(seed) = overrides.seed {
        apply_number(&mut root, "seed", seed, overrides.set.len());
    }
    if was_practice && !targets_practice(&root) && !overrides.speak_of_practice() {
        leave_practice(&mut root);
    }
    let point = root.place.clone();
    let mut file = ScenarioFile::deserialize(Decoder { node: &root, path: &Path::Root, point: &point }).map_err(located)?;
    if file.name.is_none() {
        file.name = FilePath::new(origin).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    }
    resolve(file).map_err(|problem| {
        let place = root.place_of(&problem.path, problem.of_key);
        located(Fault { help: problem.help, ..Fault::at(place, problem.message) })
    })
}

/// Whether the target is the built-in one.
fn targets_practice(root: &Node) -> bool {
    root.entry("target").and_then(|target| target.node.text("uri")) == Some(PRACTICE)
}

/// Takes the built-in target's settings out: they stand in the file or the plan, where no override can take them out.
fn leave_practice(root: &mut Node) {
    if let Value::Table(entries) = &mut root.value {
        entries.retain(|entry| entry.key != PRACTICE);
    }
}

/// A plan that was stored in this run directory, with overrides: read as if it had been typed, so that errors show what is wrong in it.
///
/// # Errors
/// For the first override that is wrong.
pub fn reread(plan: &Plan, directory: &FilePath, overrides: &Overrides) -> Result<Plan, ScenarioError> {
    // TOML's whole numbers end at 2^63, seeds do not: it goes beside the text.
    let file = ScenarioFile { seed: None, ..ScenarioFile::from(plan.clone()) };
    let text = toml::to_string(&file).unwrap_or_default();
    let overrides = overrides.clone().or_seed(Some(plan.seed));
    parse(&text, &of_plan(&directory.join(RUN_FILE)), &overrides).map_err(ScenarioError::in_a_plan)
}

/// Reads the keys of a `[practice]` table from flags: keys as the table has them, values as typed.
///
/// # Errors
/// For the first flag that is wrong.
pub fn practice_settings(flags: &[(&str, &str)]) -> Result<practice::Settings, ScenarioError> {
    let typed: Vec<String> = flags.iter().map(|(key, value)| format!("--{} {value}", key.replace('_', "-"))).collect();
    let located = |fault| ScenarioError::from(Box::new(Diagnostic::new(fault, "[practice]", "", &typed)));
    let root = table(flags).map_err(located)?;
    let point = root.place.clone();
    let path = Path::Key(&Path::Root, "practice");
    let settings = practice::Settings::deserialize(Decoder { node: &root, path: &path, point: &point }).map_err(located)?;
    settings.check().map_err(|error| {
        let path: Vec<Step> = error.key.split('.').map(|key| Step::Key(key.to_owned())).collect();
        located(Fault::at(root.place_of(&path, false), error.to_string()))
    })?;
    Ok(settings)
}

/// A seed nobody gave. 53 bits, so that every JSON reader keeps it whole.
pub(super) fn draw_seed() -> u64 {
    let drawn = rand::rngs::SysRng.try_next_u64();
    // Without the system's randomness any number will do: the seed is stored, and reproducible all the same.
    drawn.unwrap_or(0x7461_696c_7472_6163) >> 11
}
