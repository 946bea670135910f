//! `latency.hlog`: one histogram a second for each stream's response and service time, as an `HdrHistogram` interval log (V2,
//! compressed), so that any tool of that family reads it.
//!
//! Each interval is one write of whole lines: what was appended is there when the process is killed in the next moment, and
//! what a write that failed left behind is cut off before the next, so that only the very last line of a log can ever be half.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use hdrhistogram::serialization::interval_log::{IntervalLogIterator, IntervalLogWriterBuilder, IntervalLogWriterError, LogEntry, Tag};
use hdrhistogram::serialization::{Deserializer, V2DeflateSerializer};

use crate::stats::histogram::Histogram;

use super::{ResultError, WallTime};

/// Which time of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Done − intended start.
    Response,
    /// Done − sent.
    Service,
}

impl Kind {
    /// The end of its tag.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Response => "response",
            Self::Service => "service",
        }
    }
}

/// The log of a run that is going on.
pub struct IntervalLog {
    file: File,
    path: PathBuf,
    /// Where the last good line ends.
    end: u64,
    /// There may be something behind it.
    half_written: bool,
    intervals: u64,
    serializer: V2DeflateSerializer,
    lines: Vec<u8>,
}

impl IntervalLog {
    /// Begins a log; `zero` is when its time begins.
    pub(super) fn create(path: &Path, zero: WallTime) -> Result<Self, ResultError> {
        let mut file = File::create(path).map_err(ResultError::write(path))?;
        let header = header(zero);
        file.write_all(header.as_bytes()).map_err(ResultError::write(path))?;
        Ok(Self {
            file,
            path: path.to_owned(),
            end: header.len() as u64,
            half_written: false,
            intervals: 0,
            serializer: V2DeflateSerializer::new(),
            lines: Vec::new(),
        })
    }

    /// Begins it anew with another zero. For a log without intervals.
    pub(super) fn begin(&mut self, zero: WallTime) -> Result<(), ResultError> {
        debug_assert_eq!(self.intervals, 0, "what is written counts from the old zero");
        // Headers are equally long but for trailing zeros of a second, so that the new one covers the old one.
        let header = header(zero);
        let written = self.file.rewind().and_then(|()| self.file.write_all(header.as_bytes()));
        self.end = header.len() as u64;
        let placed = self.file.set_len(self.end).and_then(|()| self.file.seek(SeekFrom::Start(self.end)).map(drop));
        written.and(placed).map_err(ResultError::write(&self.path))
    }

    /// Appends one interval of one stream: `start` after the log's zero, `length` long. Both times or none are in the log
    /// afterwards; the same interval may be appended again after an error, when there is room again.
    pub fn append(
        &mut self,
        start: Duration,
        length: Duration,
        stream: &str,
        response: &Histogram,
        service: &Histogram,
    ) -> Result<(), ResultError> {
        self.lines.clear();
        for (kind, histogram) in [(Kind::Response, response), (Kind::Service, service)] {
            self.encode(start, length, stream, kind, histogram)?;
        }
        let written = self.take_back().and_then(|()| self.file.write_all(&self.lines));
        self.half_written = written.is_err();
        written.map_err(ResultError::write(&self.path))?;
        self.end += self.lines.len() as u64;
        self.intervals += 2;
        Ok(())
    }

    /// Histograms written so far.
    #[must_use]
    pub const fn intervals(&self) -> u64 {
        self.intervals
    }

    /// Makes the log durable; returns how many histograms are in it.
    pub fn finish(mut self) -> Result<u64, ResultError> {
        self.take_back().and_then(|()| self.file.sync_all()).map_err(ResultError::write(&self.path))?;
        Ok(self.intervals)
    }

    /// What the last write left half done would damage the middle of the log: cuts it off before the next one.
    fn take_back(&mut self) -> io::Result<()> {
        if self.half_written {
            self.file.set_len(self.end)?;
            self.file.seek(SeekFrom::Start(self.end))?;
        }
        Ok(())
    }

    fn encode(&mut self, start: Duration, length: Duration, stream: &str, kind: Kind, histogram: &Histogram) -> Result<(), ResultError> {
        let name = format!("{stream}.{}", kind.as_str());
        let tag = Tag::new(&name).ok_or_else(|| ResultError::Tag { stream: stream.to_owned() })?;
        IntervalLogWriterBuilder::new()
            .begin_log_with(&mut self.lines, &mut self.serializer)
            .map_err(IntervalLogWriterError::from)
            .and_then(|mut writer| writer.write_histogram(histogram.as_hdr(), start, length, Some(tag)))
            .map_err(|cause| ResultError::Write {
                path: self.path.clone(),
                source: match cause {
                    IntervalLogWriterError::IoError(source) => source,
                    IntervalLogWriterError::SerializeError(cause) => io::Error::other(cause),
                },
            })
    }
}

impl std::fmt::Debug for IntervalLog {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IntervalLog").field("path", &self.path).field("intervals", &self.intervals).finish_non_exhaustive()
    }
}

/// With `StartTime` and `BaseTime` no reader has to guess whether the intervals' times are seconds of the run or of the epoch.
fn header(zero: WallTime) -> String {
    let seconds = format!("{}.{:03}", zero.unix_ns() / 1_000_000_000, zero.unix_ns() / 1_000_000 % 1_000);
    format!(
        "#[Logged with tailtrace {version}; all values are nanoseconds]\n\
         #[Histogram log format version 1.3]\n\
         #[StartTime: {seconds} (seconds since epoch), {zero}]\n\
         #[BaseTime: {seconds} (seconds since epoch)]\n\
         \"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"\n",
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// One interval as it was read.
#[derive(Debug)]
pub struct Interval<'a> {
    /// When it began, after the log's zero.
    pub start: Duration,
    /// How long it was.
    pub length: Duration,
    /// Whose it is.
    pub stream: &'a str,
    /// Which time.
    pub kind: Kind,
    /// The values.
    pub histogram: &'a Histogram,
}

/// How a log ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// With a whole line.
    Whole,
    /// In the middle of one, which was left out: the run was killed, or its disk was full.
    HalfLine,
}

/// Calls `visit` with each interval of the log, in its order. One histogram at a time is in memory (a decoded one takes 270 KB,
/// and a log of an hour holds thousands). Tags of other tools are passed over.
pub fn read(path: &Path, mut visit: impl FnMut(&Interval<'_>)) -> Result<Ending, ResultError> {
    let bytes = std::fs::read(path).map_err(ResultError::read(path))?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
    let damaged = |at: usize, what: &str| ResultError::Damaged {
        path: path.to_owned(),
        line: bytes[..at].split(|byte| *byte == b'\n').count(),
        what: what.to_owned(),
    };
    let mut deserializer = Deserializer::new();
    let mut histogram = Histogram::new();
    for entry in IntervalLogIterator::new(&bytes[..whole]) {
        let entry = entry.map_err(|hdrhistogram::serialization::interval_log::LogIteratorError::ParseError { offset }| {
            damaged(offset, "it is no line of an interval log")
        })?;
        let LogEntry::Interval(interval) = entry else { continue };
        let Some((stream, kind)) = interval.tag().and_then(|tag| split_tag(tag.as_str())) else { continue };
        let encoded = interval.encoded_histogram();
        let place = encoded.as_ptr().addr() - bytes.as_ptr().addr();
        let decoded = base64::engine::general_purpose::STANDARD
            .decode(encoded)
            .map_err(|cause| damaged(place, &format!("its histogram is no base64 ({cause})")))?;
        let decoded = deserializer
            .deserialize(&mut decoded.as_slice())
            .map_err(|cause| damaged(place, &format!("its histogram cannot be decoded ({cause})")))?;
        histogram.clear();
        histogram.add_hdr(&decoded, 0);
        visit(&Interval { start: interval.start_timestamp(), length: interval.duration(), stream, kind, histogram: &histogram });
    }
    Ok(if whole == bytes.len() { Ending::Whole } else { Ending::HalfLine })
}

fn split_tag(tag: &str) -> Option<(&str, Kind)> {
    let (stream, kind) = tag.rsplit_once('.')?;
    [Kind::Response, Kind::Service].into_iter().find(|known| known.as_str() == kind).map(|kind| (stream, kind))
}

/// All intervals of one stream together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Times {
    /// Response times.
    pub response: Histogram,
    /// Service times.
    pub service: Histogram,
}

/// Adds all intervals of the log up, by stream.
pub fn totals(path: &Path) -> Result<(BTreeMap<String, Times>, Ending), ResultError> {
    let mut streams: BTreeMap<String, Times> = BTreeMap::new();
    let ending = read(path, |interval| {
        if !streams.contains_key(interval.stream) {
            streams.insert(interval.stream.to_owned(), Times::default());
        }
        if let Some(times) = streams.get_mut(interval.stream) {
            match interval.kind {
                Kind::Response => times.response.add(interval.histogram),
                Kind::Service => times.service.add(interval.histogram),
            }
        }
    })?;
    Ok((streams, ending))
}

#[cfg(test)]
mod tests {
    use super::*;

    impl IntervalLog {
        /// Takes the writable file away: a descriptor that cannot be written to stands for a disk that is full.
        pub(in crate::result) fn break_off(&mut self) -> File {
            std::mem::replace(&mut self.file, File::open(&self.path).unwrap())
        }

        pub(in crate::result) fn mend(&mut self, file: File) {
            self.file = file;
        }
    }

    fn histogram(values: impl IntoIterator<Item = u64>) -> Histogram {
        let mut histogram = Histogram::new();
        values.into_iter().for_each(|ns| histogram.record(ns));
        histogram
    }

    fn second(n: u64) -> (Duration, Duration) {
        (Duration::from_secs(n), Duration::from_secs(1))
    }

    /// Two seconds of two streams, the second one idle at first.
    fn written(path: &Path) -> (Histogram, Histogram) {
        let (first, then) = (histogram((1..=1000).map(|n| n * 1_000)), histogram([5_000_000_000, 3_600_000_000_000]));
        let mut log = IntervalLog::create(path, WallTime::from_unix_ns(1_772_357_400_250_000_000)).unwrap();
        let (start, length) = second(0);
        log.append(start, length, "readers", &first, &histogram([7])).unwrap();
        log.append(start, length, "a.b", &Histogram::new(), &Histogram::new()).unwrap();
        let (start, length) = second(1);
        log.append(start, length, "readers", &then, &histogram([8])).unwrap();
        log.append(start, length, "a.b", &histogram([9]), &histogram([9])).unwrap();
        assert_eq!(log.finish().unwrap(), 8);
        (first, then)
    }

    #[test]
    fn what_is_written_is_read_back_to_the_last_bucket() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("latency.hlog");
        let (mut sum, then) = written(&path);
        sum.add(&then);
        let (streams, ending) = totals(&path).unwrap();
        assert_eq!(ending, Ending::Whole);
        assert_eq!(streams.keys().collect::<Vec<_>>(), ["a.b", "readers"]);
        assert_eq!(streams["readers"], Times { response: sum, service: histogram([7, 8]) });
        assert_eq!(streams["a.b"].response.count(), 1);
        let mut starts = Vec::new();
        read(&path, |interval| starts.push((interval.start, interval.length))).unwrap();
        assert_eq!(starts, [0, 0, 0, 0, 1, 1, 1, 1].map(second));
    }

    #[test]
    fn a_log_cut_anywhere_gives_all_its_whole_lines() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("latency.hlog");
        written(&path);
        let bytes = std::fs::read(&path).unwrap();
        for cut in 0..bytes.len() {
            std::fs::write(&path, &bytes[..cut]).unwrap();
            let mut intervals = 0;
            let ending = read(&path, |_| intervals += 1).unwrap();
            let lines = bytes[..cut].split(|byte| *byte == b'\n').count() - 1;
            assert_eq!(intervals, lines.saturating_sub(5), "cut at {cut}: five lines of header");
            assert_eq!(ending == Ending::Whole, cut == 0 || bytes[cut - 1] == b'\n', "cut at {cut}");
        }
    }

    #[test]
    fn damage_in_the_middle_is_an_error_that_names_the_line() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("latency.hlog");
        written(&path);
        let text = std::fs::read_to_string(&path).unwrap();
        let mut lines: Vec<_> = text.lines().map(str::to_owned).collect();
        for (damage, what) in [
            ("rubbish", "no line of an interval log"),
            ("Tag=readers.response,0.000,1.000,1.000,!!!", "no base64"),
            ("Tag=readers.response,0.000,1.000,1.000,AAAA", "cannot be decoded"),
        ] {
            lines[6] = damage.to_owned();
            std::fs::write(&path, lines.join("\n") + "\n").unwrap();
            let error = read(&path, |_| ()).unwrap_err().to_string();
            assert!(error.contains("line 7 is damaged") && error.contains(what), "{error}");
        }
    }

    #[test]
    fn a_write_that_failed_leaves_no_half_line_behind() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("latency.hlog");
        let mut log = IntervalLog::create(&path, WallTime::default()).unwrap();
        let (start, length) = second(0);
        log.append(start, length, "readers", &histogram([1]), &histogram([1])).unwrap();
        let whole = std::fs::metadata(&path).unwrap().len();
        let writable = log.break_off();
        let error = log.append(start, length, "readers", &histogram([2]), &histogram([2])).unwrap_err().to_string();
        assert!(error.contains("cannot write") && error.contains("latency.hlog"), "{error}");
        // The disk took half a line before it was full.
        std::fs::OpenOptions::new().append(true).open(&path).unwrap().write_all(b"Tag=readers.resp").unwrap();
        log.mend(writable);
        log.append(start, length, "readers", &histogram([2]), &histogram([2])).unwrap();
        assert_eq!(totals(&path).unwrap().0["readers"].response, histogram([1, 2]));
        assert_eq!(log.intervals(), 4);
        assert!(std::fs::metadata(&path).unwrap().len() > whole);
    }

    #[test]
    fn a_name_that_would_break_the_line_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let mut log = IntervalLog::create(&place.path().join("l"), WallTime::default()).unwrap();
        let empty = Histogram::new();
        let error = log.append(Duration::ZERO, Duration::ZERO, "a,b", &empty, &empty).unwrap_err().to_string();
        assert!(error.contains("`a,b` cannot be a tag"), "{error}");
    }
}
