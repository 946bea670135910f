//! `spans.jsonl`: what the built-in collector received, in the format of OpenTelemetry's file exporter: one export a line, as
//! OTLP/JSON `TracesData`.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use prost::Message as _;

use crate::trace::collector::{AttributeValue, SpanSink, TracesData};
use crate::units::ByteSize;

use super::ResultError;

/// The file grows to this size at most (about two million spans). Exports beyond it are refused, which the client counts as
/// failed spans.
pub const LIMIT: ByteSize = ByteSize(1 << 30);

/// The collector's sink of a run. Each export is one write of one whole line.
#[derive(Debug)]
pub struct SpanLog {
    file: File,
    path: PathBuf,
    /// Where the last whole line ends.
    end: u64,
    /// There may be something behind it.
    half_written: bool,
    limit: ByteSize,
    line: Vec<u8>,
}

impl SpanLog {
    pub(super) fn create(path: &Path, limit: ByteSize) -> Result<Self, ResultError> {
        let file = File::create(path).map_err(ResultError::write(path))?;
        Ok(Self { file, path: path.to_owned(), end: 0, half_written: false, limit, line: Vec::new() })
    }

    /// What the last write left half done would damage the middle of the file: cuts it off before the next one.
    fn take_back(&mut self) -> io::Result<()> {
        if self.half_written {
            self.file.set_len(self.end)?;
            self.file.seek(SeekFrom::Start(self.end))?;
        }
        Ok(())
    }
}

impl SpanSink for SpanLog {
    fn write(&mut self, data: &TracesData) -> io::Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, data)?;
        self.line.push(b'\n');
        if self.end + self.line.len() as u64 > self.limit.0 {
            return Err(io::Error::new(
                io::ErrorKind::FileTooLarge,
                format!(
                    "`{}` has reached its {}; take a smaller `trace.sample_fraction` or a shorter run",
                    self.path.display(),
                    self.limit
                ),
            ));
        }
        let written = self.take_back().and_then(|()| self.file.write_all(&self.line));
        self.half_written = written.is_err();
        written.map_err(|cause| io::Error::new(cause.kind(), ResultError::write(&self.path)(cause)))?;
        self.end += self.line.len() as u64;
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.take_back()?;
        self.file.sync_all()
    }
}

/// How much the built-in collector received from others than the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SpanAccount {
    /// How many.
    pub spans: u64,
    /// Their bytes as protobuf, with what names their service: what was sent, but for the frames around it.
    pub bytes: u64,
}

/// Adds up the spans in a file that are not of `service`. A last line that is not whole is passed over.
pub fn account_of_others(path: &Path, service: &str) -> Result<SpanAccount, ResultError> {
    let file = File::open(path).map_err(ResultError::read(path))?;
    let mut account = SpanAccount::default();
    for line in BufReader::new(file).lines() {
        let line = line.map_err(ResultError::read(path))?;
        let Ok(data) = serde_json::from_str::<TracesData>(&line) else { continue };
        for resource in &data.resource_spans {
            let attributes = resource.resource.iter().flat_map(|resource| &resource.attributes);
            let name = attributes.filter(|pair| pair.key == "service.name").find_map(|pair| pair.value.as_ref()?.value.as_ref());
            if matches!(name, Some(AttributeValue::StringValue(name)) if name == service) {
                continue;
            }
            account.spans += resource.scope_spans.iter().map(|scope| scope.spans.len() as u64).sum::<u64>();
            account.bytes += resource.encoded_len() as u64;
        }
    }
    Ok(account)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One span as the specification's own example writes it: ids in hex, times as strings, enums as numbers.
    const EXAMPLE: &str = r#"{"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"standalone"}}]},
        "scopeSpans":[{"scope":{"name":"milvus"},"spans":[{"traceId":"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174",
        "parentSpanId":"eee19b7ec3c1b173","name":"Proxy-Search","kind":2,"startTimeUnixNano":"1544712660000000000",
        "endTimeUnixNano":"1544712661000000000","attributes":[{"key":"nq","value":{"intValue":"1"}}],"status":{}}]}]}]}"#;

    fn export() -> TracesData {
        serde_json::from_str(EXAMPLE).unwrap()
    }

    fn log(limit: u64) -> (tempfile::TempDir, PathBuf, SpanLog) {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("spans.jsonl");
        let log = SpanLog::create(&path, ByteSize(limit)).unwrap();
        (place, path, log)
    }

    #[test]
    fn each_export_is_one_line_of_otlp_json_as_the_file_exporter_writes_it() {
        let (_place, path, mut log) = log(LIMIT.0);
        log.write(&export()).unwrap();
        log.write(&export()).unwrap();
        log.close().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        assert_eq!(text.lines().count(), 2);
        for line in text.lines() {
            assert_eq!(serde_json::from_str::<TracesData>(line).unwrap(), export());
            let span = &serde_json::from_str::<serde_json::Value>(line).unwrap()["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
            assert_eq!((&span["traceId"], &span["kind"]), (&"5b8efff798038103d269b633813fc60c".into(), &2.into()));
            assert_eq!(
                (&span["startTimeUnixNano"], &span["attributes"][0]["value"]["intValue"]),
                (&"1544712660000000000".into(), &"1".into())
            );
        }
    }

    #[test]
    fn beyond_its_bound_the_file_takes_nothing_and_says_why() {
        let (_place, path, mut log) = log(1_000);
        let taken = (0..10).filter(|_| log.write(&export()).is_ok()).count();
        assert!((1..10).contains(&taken));
        assert!(std::fs::metadata(&path).unwrap().len() <= 1_000);
        assert!(log.write(&export()).unwrap_err().to_string().contains("has reached its 1000B"));
    }

    #[test]
    fn a_write_that_failed_leaves_no_half_line_behind() {
        let (_place, path, mut log) = log(LIMIT.0);
        log.write(&export()).unwrap();
        let before = std::fs::read(&path).unwrap();
        // A descriptor that cannot be written to stands for a disk that is full.
        let writable = std::mem::replace(&mut log.file, File::open(&path).unwrap());
        let error = log.write(&export()).unwrap_err().to_string();
        assert!(error.contains("cannot write") && error.contains("spans.jsonl"), "{error}");
        // The disk took half a line before it was full.
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"resourceSp").unwrap();
        log.file = writable;
        log.write(&export()).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), [before.as_slice(), before.as_slice()].concat());
    }
}
