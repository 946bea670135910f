//! The directory of a series of runs: their run directories, and what was made of them.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::directory::{check_place, file_name, new_id, replace};
use super::{ResultError, WallTime};

/// `<out>/<UTC>-<scenario>-<what>-<id>/`, in which the series' runs have their directories.
#[derive(Debug)]
pub struct SeriesDirectory {
    path: PathBuf,
}

impl SeriesDirectory {
    /// Makes it; whatever is wrong with the place shows here, before any load. `what` names the kind of series, such as `sweep`.
    pub fn create(out: &Path, scenario: &str, what: &str, started: WallTime) -> Result<Self, ResultError> {
        let refused = |source: io::Error| ResultError::Create { place: out.to_owned(), source };
        check_place(out)?;
        let id = new_id().map_err(refused)?;
        let path = out.join(format!("{}-{}-{what}-{id}", started.compact(), file_name(scenario)));
        fs::create_dir(&path).map_err(refused)?;
        Ok(Self { path })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Puts a document in the place of its former version, at once: a reader sees the old or the new one, whole.
    pub fn write(&self, name: &str, document: &impl serde::Serialize) -> Result<(), ResultError> {
        replace(&self.path.join(name), |file| {
            serde_json::to_writer_pretty(&mut *file, document)?;
            file.write_all(b"\n")
        })
    }

    /// Removes it where it holds nothing: a series that never began leaves none behind.
    pub fn remove_if_empty(&self) {
        // Where it is not empty, or cannot be removed, it stays: nothing is lost by that.
        let _ = fs::remove_dir(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_has_a_directory_of_its_own_and_its_document_is_replaced_whole() {
        let place = tempfile::tempdir().unwrap();
        let series = SeriesDirectory::create(place.path(), "my run", "sweep", WallTime::from_unix_ns(0)).unwrap();
        let name = series.path().file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("19700101T000000Z-my-run-sweep-"), "{name}");
        series.write("sweep.json", &[1]).unwrap();
        series.write("sweep.json", &[1, 2]).unwrap();
        assert_eq!(fs::read_to_string(series.path().join("sweep.json")).unwrap(), "[\n  1,\n  2\n]\n");
        series.remove_if_empty();
        assert!(series.path().exists(), "what was measured stays");
        let file = place.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(SeriesDirectory::create(&file, "x", "sweep", WallTime::from_unix_ns(0)).unwrap_err().to_string().contains("--out"));
    }
}
