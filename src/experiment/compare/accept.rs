//! Which stored runs may be compared.

use std::path::PathBuf;

use crate::result::model::{Severity, Trust};
use crate::result::{self, StoredRun};

use super::{CompareError, differences};

/// Reads the runs of one side, and refuses what says nothing about its target.
pub(super) fn read(paths: &[PathBuf]) -> Result<Vec<StoredRun>, CompareError> {
    paths.iter().map(|path| accept(result::read(path)?)).collect()
}

/// A run that is whole and can be trusted.
pub(super) fn accept(run: StoredRun) -> Result<StoredRun, CompareError> {
    if run.document.partial {
        return Err(CompareError::Partial { path: run.path });
    }
    run.check_whole()?;
    match run.document.distrust() {
        Some(why) => Err(CompareError::Untrusted { path: run.path, why }),
        None => Ok(run),
    }
}

/// Refuses runs of plans that differ, and one run given twice, be it as a copy; `allowed` keys may differ.
pub(super) fn comparable(base: &[StoredRun], candidate: &[StoredRun], allowed: &[String]) -> Result<(), CompareError> {
    let all: Vec<&StoredRun> = base.iter().chain(candidate).collect();
    for (at, run) in all.iter().enumerate() {
        let twin = |other: &&&StoredRun| other.document.id == run.document.id;
        if let Some(first) = all[..at].iter().find(twin) {
            return Err(CompareError::Twice { path: run.path.clone(), first: first.path.clone() });
        }
    }
    let Some(first) = base.first() else { return Ok(()) };
    for run in &all[1..] {
        // What is meant to differ differs between the sides; within a side all runs are of one plan.
        let same_side = base.iter().any(|own| std::ptr::eq(own, *run));
        let allowed = if same_side { &[][..] } else { allowed };
        let keys = differences(&first.document.plan, &run.document.plan, allowed);
        if !keys.is_empty() {
            return Err(CompareError::Different { base: first.path.clone(), candidate: run.path.clone(), keys });
        }
    }
    if let Some((first, rest)) = candidate.split_first() {
        for run in rest {
            let keys = differences(&first.document.plan, &run.document.plan, &[]);
            if !keys.is_empty() {
                return Err(CompareError::Different { base: first.path.clone(), candidate: run.path.clone(), keys });
            }
        }
    }
    Ok(())
}

/// What is worth a word about runs that may be compared: different machines, versions, targets, doubts.
pub(super) fn notes(base: &[StoredRun], candidate: &[StoredRun]) -> Vec<String> {
    let mut notes = Vec::new();
    let all = || base.iter().chain(candidate);
    let mut differ = |what: &str, of: &dyn Fn(&StoredRun) -> Option<String>| {
        let mut found: Vec<String> = all().filter_map(of).collect();
        found.sort();
        found.dedup();
        if found.len() > 1 {
            notes.push(format!("the runs differ in {what}: {}", found.join(", ")));
        }
    };
    differ("processor", &|run| run.document.host.cpu_model.clone());
    differ("number of cores", &|run| run.document.host.cores.map(|cores| cores.to_string()));
    differ("kernel", &|run| run.document.host.kernel.clone());
    differ("version of tailtrace", &|run| Some(run.document.tool.version.clone()));
    differ("version of the target", &|run| run.document.target.version.clone());
    differ("target", &|run| Some(run.document.target.uri.clone()));
    for run in all().filter(|run| run.document.trust == Trust::Suspect) {
        let finding = run.document.findings.iter().find(|finding| finding.severity == Severity::Suspect);
        let why = finding.map(|finding| format!(": {}", finding.message)).unwrap_or_default();
        notes.push(format!("{} is suspect{why}", run.path.display()));
    }
    notes
}
