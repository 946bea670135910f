//! One directory a run: made and tried out before the first request, its document replaced as a whole or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use rand::TryRng;
use rand::rngs::SysRng;

use crate::clock::Moment;
use crate::units::ByteSize;

use super::model::RunDocument;
use super::{IntervalLog, LATENCY_FILE, REQUESTS_FILE, RUN_FILE, RequestLog, ResultError, SPANS_FILE, SpanLog, WallTime, spans};

/// A run that begins needs so much free: an hour of intervals of two streams, and the kept requests.
const ROOM_TO_BEGIN: ByteSize = ByteSize(32 << 20);

/// Held back from the beginning and given up when the last document is written: what was measured is not lost on a disk
/// that filled up meanwhile. A document with ten streams over an hour is well under it.
const RESERVE_BYTES: usize = 4 << 20;
const RESERVE_FILE: &str = ".reserve.tmp";

/// A scenario's name may be a path's; longer ones are cut in the directory's name, which file systems limit to 255 bytes.
const LONGEST_NAME: usize = 64;

/// The directory of a run that is going on.
#[derive(Debug)]
pub struct RunDirectory {
    path: PathBuf,
    id: String,
}

impl RunDirectory {
    /// Makes `<out>/<UTC>-<scenario>-<id>/` and proves that it can be written to: whatever is wrong with the place shows
    /// here, before any load.
    pub fn create(out: &Path, scenario: &str, started: WallTime) -> Result<Self, ResultError> {
        let refused = |source| ResultError::Create { place: out.to_owned(), source };
        check_place(out)?;
        let id = new_id().map_err(refused)?;
        let path = out.join(format!("{}-{}-{id}", started.compact(), file_name(scenario)));
        fs::create_dir(&path).map_err(refused)?;
        let directory = Self { path, id };
        let reserved = directory.reserve();
        if let Err(source) = reserved {
            // Nothing has been measured: leave no empty directory behind. That this fails too would add nothing.
            let _ = fs::remove_dir_all(&directory.path);
            return Err(refused(source));
        }
        Ok(directory)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's id: eight hex digits from the operating system, unique among the runs of a place.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Puts `run.json` in the place of the former one, at once: a reader sees the old or the new one, whole.
    pub fn write_document(&self, document: &RunDocument) -> Result<(), ResultError> {
        self.replace(RUN_FILE, document.to_json().as_bytes())
    }

    /// Writes the last document, into the room that was held back for it.
    pub fn finish(&self, document: &RunDocument) -> Result<(), ResultError> {
        // Where it is gone already there is nothing to give up.
        let _ = fs::remove_file(self.path.join(RESERVE_FILE));
        self.write_document(document)
    }

    /// Puts a file in the place of the former one, at once.
    pub fn replace(&self, name: &str, content: &[u8]) -> Result<(), ResultError> {
        replace(&self.path.join(name), |file| file.write_all(content))
    }

    /// Begins `latency.hlog`, whose time begins at `zero`.
    pub fn interval_log(&self, zero: WallTime) -> Result<IntervalLog, ResultError> {
        IntervalLog::create(&self.path.join(LATENCY_FILE), zero)
    }

    /// Begins `requests.jsonl` for these streams; times in it are counted from `origin`, the run's start.
    pub fn request_log(&self, streams: Vec<String>, seed: u64, origin: Moment) -> Result<RequestLog, ResultError> {
        RequestLog::create(&self.path.join(REQUESTS_FILE), streams, seed, origin)
    }

    /// Begins `spans.jsonl`.
    pub fn span_log(&self) -> Result<SpanLog, ResultError> {
        SpanLog::create(&self.path.join(SPANS_FILE), spans::LIMIT)
    }

    fn reserve(&self) -> io::Result<()> {
        let mut file = File::create_new(self.path.join(RESERVE_FILE))?;
        // Written, not only allocated: file systems that compress or copy on write would promise more than they hold.
        let noise: Vec<u8> = (0..RESERVE_BYTES as u64).map(|n| (n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 56) as u8).collect();
        file.write_all(&noise)
    }
}

/// Has a temporary file beside `path` written, makes it durable, and renames it over.
pub(crate) fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), ResultError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".tmp");
    let beside = PathBuf::from(beside);
    let written = (|| {
        let mut file = BufWriter::new(File::create(&beside)?);
        write(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&beside, path)?;
        // The rename itself is durable only when the directory is. Not every file system lets a directory be opened.
        if let Some(Ok(directory)) = path.parent().map(File::open) {
            let _ = directory.sync_all();
        }
        Ok(())
    })();
    written.map_err(|source| {
        // A half-written file holds room that a full disk needs.
        let _ = fs::remove_file(&beside);
        ResultError::Write { path: path.to_owned(), source }
    })
}

/// A place that can take directories and has room for a run.
pub(super) fn check_place(out: &Path) -> Result<(), ResultError> {
    let refused = |source| ResultError::Create { place: out.to_owned(), source };
    fs::create_dir_all(out).map_err(refused)?;
    if !out.is_dir() {
        return Err(refused(io::ErrorKind::NotADirectory.into()));
    }
    check_room(out, free_bytes(out))
}

fn check_room(place: &Path, free: Option<u64>) -> Result<(), ResultError> {
    match free {
        Some(free) if free < ROOM_TO_BEGIN.0 => {
            Err(ResultError::NoRoom { place: place.to_owned(), free: ByteSize(free).human(), needed: ROOM_TO_BEGIN.human() })
        }
        _ => Ok(()),
    }
}

/// What this user may still write there; `None` where the system does not say.
fn free_bytes(place: &Path) -> Option<u64> {
    let system = rustix::fs::statvfs(place).ok()?;
    // Network file systems that do not know say 0 of 0.
    (system.f_blocks > 0).then(|| system.f_bavail.saturating_mul(system.f_frsize))
}

pub(super) fn new_id() -> io::Result<String> {
    let random = SysRng.try_next_u32().map_err(io::Error::other)?;
    Ok(format!("{random:08x}"))
}

/// What is left of a scenario's name in a directory's: letters, digits, dots, dashes and underscores.
pub(super) fn file_name(scenario: &str) -> String {
    let name: String = scenario
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '-' })
        .take(LONGEST_NAME)
        .collect();
    if name.is_empty() { "run".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(run: &RunDirectory) -> RunDocument {
        RunDocument::begun(run.id(), "quickstart", WallTime::from_unix_ns(1_772_357_400_000_000_000))
    }

    fn create(place: &Path, scenario: &str) -> Result<RunDirectory, ResultError> {
        RunDirectory::create(place, scenario, WallTime::from_unix_ns(1_772_357_400_000_000_000))
    }

    #[test]
    fn a_run_has_a_directory_named_after_its_time_scenario_and_id() {
        let place = tempfile::tempdir().unwrap();
        let run = create(&place.path().join("deep/er"), "quick start/ü").unwrap();
        let name = run.path().file_name().unwrap().to_str().unwrap();
        assert_eq!(name, format!("20260301T093000Z-quick-start---{}", run.id()));
        assert_eq!(run.id().len(), 8);
        assert_ne!(create(place.path(), "x").unwrap().id(), create(place.path(), "x").unwrap().id());
    }

    #[test]
    fn the_document_is_replaced_as_a_whole_and_nothing_temporary_stays() {
        let place = tempfile::tempdir().unwrap();
        let run = create(place.path(), "x").unwrap();
        let mut last = document(&run);
        run.write_document(&last).unwrap();
        last.partial = false;
        run.finish(&last).unwrap();
        let names: Vec<_> = fs::read_dir(run.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [RUN_FILE]);
        assert_eq!(RunDocument::from_json(&fs::read_to_string(run.path().join(RUN_FILE)).unwrap()).unwrap(), last);
    }

    #[test]
    fn a_document_that_cannot_be_written_leaves_the_former_one() {
        let place = tempfile::tempdir().unwrap();
        let run = create(place.path(), "x").unwrap();
        run.write_document(&document(&run)).unwrap();
        // A directory where the temporary file should go: writing fails, whoever runs the test.
        fs::create_dir(run.path().join("run.json.tmp")).unwrap();
        let error = run.finish(&document(&run)).unwrap_err();
        assert!(error.to_string().contains("cannot write") && error.to_string().contains(RUN_FILE), "{error}");
        assert!(RunDocument::from_json(&fs::read_to_string(run.path().join(RUN_FILE)).unwrap()).is_ok());
    }

    #[test]
    fn a_file_where_the_place_should_be_is_named_with_a_next_step() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("results");
        fs::write(&file, "").unwrap();
        for place in [file.clone(), file.join("below")] {
            let error = create(&place, "x").unwrap_err().to_string();
            assert!(
                error.contains("cannot make a run directory in") && error.contains("there is a file") && error.contains("--out"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_place_that_nobody_may_write_to_is_named_with_a_next_step() {
        // `/proc` takes no directories, not even root's; there a read-only place cannot be made otherwise.
        if cfg!(target_os = "linux") {
            let error = create(Path::new("/proc/self"), "x").unwrap_err().to_string();
            assert!(error.contains("cannot make a run directory in `/proc/self`") && error.contains("--out"), "{error}");
        }
    }

    #[test]
    fn a_disk_that_is_all_but_full_is_refused_before_load() {
        let place = Path::new("results");
        let error = check_room(place, Some(ROOM_TO_BEGIN.0 - 1)).unwrap_err().to_string();
        assert!(error.contains("`results` has only 32.0 MiB free") && error.contains("--out"), "{error}");
        assert!(check_room(place, Some(ROOM_TO_BEGIN.0)).is_ok() && check_room(place, None).is_ok());
        assert!(free_bytes(Path::new(".")).is_some());
    }

    #[test]
    fn the_cause_decides_on_the_advice() {
        for (kind, advice) in [
            (io::ErrorKind::StorageFull, "the disk is full"),
            (io::ErrorKind::PermissionDenied, "not writable"),
            (io::ErrorKind::ReadOnlyFilesystem, "read-only"),
        ] {
            let error = ResultError::write(Path::new("x/run.json"))(kind.into()).to_string();
            assert!(error.starts_with("cannot write `x/run.json`: ") && error.contains(advice), "{error}");
        }
    }
}
