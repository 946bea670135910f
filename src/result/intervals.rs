//! Takes each second's figures from the measuring core into the interval log.

use std::ops::Range;
use std::time::Duration;

use crate::load::{Interval, IntervalSink, StreamInterval};
use crate::stats::histogram::Histogram;

use super::{IntervalLog, RequestLog, ResultError, WallTime};

/// The run's side of [`IntervalSink`]. What the disk does not take is kept in memory and written with the next second that it
/// does take, so that the log's sum is right whenever there is room again.
#[derive(Debug)]
pub struct IntervalWriter {
    log: IntervalLog,
    streams: Vec<Stream>,
    requests: Option<RequestLog>,
    /// The first error, told at the end; the run goes on.
    first: Option<ResultError>,
}

#[derive(Debug)]
struct Stream {
    name: String,
    owed: Option<Owed>,
}

/// Figures that are not in the log yet.
#[derive(Debug)]
struct Owed {
    /// The first second in it, and the one after the last.
    since: u64,
    until: u64,
    response: Histogram,
    service: Histogram,
}

impl IntervalWriter {
    /// A writer for these streams, in the scenario's order. The kept requests are flushed with every second too.
    #[must_use]
    pub fn new(log: IntervalLog, streams: Vec<String>, requests: Option<RequestLog>) -> Self {
        let streams = streams.into_iter().map(|name| Stream { name, owed: None }).collect();
        Self { log, streams, requests, first: None }
    }

    /// Says when the measured phase begins, once that is known and before the first interval.
    pub fn begin(&mut self, zero: WallTime) {
        if let Err(error) = self.log.begin(zero) {
            self.first.get_or_insert(error);
        }
    }

    /// The first thing that went wrong, so that the run can say so while it runs.
    #[must_use]
    pub const fn trouble(&self) -> Option<&ResultError> {
        self.first.as_ref()
    }

    /// Tries once more what is owed, and makes the log durable. Returns how many histograms are in it; an error where
    /// anything is missing from it in the end.
    pub fn finish(mut self) -> Result<u64, ResultError> {
        for stream in &mut self.streams {
            if let Some(owed) = stream.owed.take() {
                append(&mut self.log, &stream.name, owed.since..owed.until, &owed.response, &owed.service)?;
            }
        }
        self.log.finish()
    }
}

impl IntervalSink for IntervalWriter {
    fn interval(&mut self, interval: &Interval) {
        for (stream, figures) in self.streams.iter_mut().zip(&interval.streams) {
            if let Err(error) = stream.write(&mut self.log, interval.index, figures) {
                self.first.get_or_insert(error);
            }
        }
        if let Some(requests) = &self.requests {
            requests.flush();
        }
    }
}

impl Stream {
    fn write(&mut self, log: &mut IntervalLog, second: u64, figures: &StreamInterval) -> Result<(), ResultError> {
        let Some(owed) = &mut self.owed else {
            return append(log, &self.name, second..second + 1, &figures.response, &figures.service).inspect_err(|_| {
                self.owed =
                    Some(Owed { since: second, until: second + 1, response: figures.response.clone(), service: figures.service.clone() });
            });
        };
        owed.until = second + 1;
        owed.response.add(&figures.response);
        owed.service.add(&figures.service);
        append(log, &self.name, owed.since..owed.until, &owed.response, &owed.service)?;
        self.owed = None;
        Ok(())
    }
}

fn append(log: &mut IntervalLog, stream: &str, seconds: Range<u64>, response: &Histogram, service: &Histogram) -> Result<(), ResultError> {
    log.append(
        Duration::from_secs(seconds.start),
        Duration::from_secs(seconds.end.saturating_sub(seconds.start)),
        stream,
        response,
        service,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::hlog;

    fn second(index: u64) -> Interval {
        let mut interval = Interval::empty(2);
        interval.index = index;
        interval.streams[0].response.record(100 + index);
        interval.streams[0].service.record(50 + index);
        interval.streams[1].response.record(7);
        interval
    }

    fn writer(path: &std::path::Path) -> IntervalWriter {
        let log = IntervalLog::create(path, WallTime::default()).unwrap();
        IntervalWriter::new(log, vec!["readers".to_owned(), "writers".to_owned()], None)
    }

    #[test]
    fn every_second_of_every_stream_is_in_the_log_as_soon_as_it_is_over() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("latency.hlog");
        let mut writer = writer(&path);
        for index in 0..3 {
            writer.interval(&second(index));
            let (streams, _) = hlog::totals(&path).unwrap();
            assert_eq!(streams["readers"].response.count(), index + 1);
            assert_eq!((streams["readers"].service.max_ns(), streams["writers"].response.max_ns()), (50 + index, 7));
        }
        assert_eq!(writer.finish().unwrap(), 12);
    }

    #[test]
    fn seconds_that_a_full_disk_refused_are_in_the_log_once_there_is_room_again() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("latency.hlog");
        let mut writer = writer(&path);
        writer.interval(&second(0));
        let whole = writer.log.break_off();
        writer.interval(&second(1));
        writer.interval(&second(2));
        assert!(writer.trouble().unwrap().to_string().contains("cannot write"));
        writer.log.mend(whole);
        writer.interval(&second(3));
        let mut lines = Vec::new();
        hlog::read(&path, |interval| {
            if interval.stream == "readers" && interval.kind == hlog::Kind::Response {
                lines.push((interval.start.as_secs(), interval.length.as_secs(), interval.histogram.count()));
            }
        })
        .unwrap();
        assert_eq!(lines, [(0, 1, 1), (1, 3, 3)]);
    }

    #[test]
    fn seconds_that_were_refused_to_the_end_are_an_error_at_the_end() {
        let place = tempfile::tempdir().unwrap();
        let mut writer = writer(&place.path().join("latency.hlog"));
        let _closed = writer.log.break_off();
        writer.interval(&second(0));
        assert!(writer.finish().unwrap_err().to_string().contains("latency.hlog"));
    }
}
