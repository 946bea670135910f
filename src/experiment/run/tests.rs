use bytes::BytesMut;

use super::*;
use crate::experiment::Nobody;
use crate::experiment::standing::LOOPBACK;
use crate::load::Failure;
use crate::milvus::operation::OperationError;
use crate::practice;
use crate::result;
use crate::scenario::{self, Overrides, Stream};

/// A search that panics at the first answer of the measured phase that comes after so many requests.
struct Falls {
    inner: Box<dyn Operation>,
    after: u64,
}

impl Operation for Falls {
    fn path(&self) -> &str {
        self.inner.path()
    }

    fn longest(&self) -> usize {
        self.inner.longest()
    }

    fn encode(&mut self, sequence: u64, out: &mut BytesMut) {
        self.inner.encode(sequence, out);
    }

    fn judge(&mut self, sequence: u64, measured: bool, answer: &[u8]) -> Result<Option<u64>, Failure> {
        assert!(!measured || sequence < self.after, "a bug, on purpose");
        self.inner.judge(sequence, measured, answer)
    }
}

struct Falling {
    after: u64,
}

impl Sending for Falling {
    fn operation(&self, index: usize, stream: &Stream, work: &dyn Fn(usize) -> Work) -> Result<Box<dyn Operation>, OperationError> {
        Ok(Box::new(Falls { inner: stream.operation.make(&work(index))?, after: self.after }))
    }
}

#[test]
fn a_lane_that_dies_ends_the_run_and_leaves_what_was_measured_by_then() {
    let text = "[target]\nuri = \"practice\"\n[collection]\ndim = 4\nrows = 10\n[load]\nlanes = 1\nwarmup = \"100ms\"\nduration = \"5s\"\ndrain = \"1s\"\n\
                [[stream]]\nname = \"readers\"\noperation = \"search\"\nrate = \"200/s\"\narrivals = \"constant\"\n[practice]\nsearch = \"canned\"\n";
    let plan = scenario::parse(text, "s.toml", &Overrides { set: Vec::new(), seed: Some(1) }).unwrap();
    let place = tempfile::tempdir().unwrap();
    let options = RunOptions { out: place.path().to_owned(), command: Vec::new(), stop: Stop::default(), environment: &|_| None };
    // A second and a half in: one second has been handed over.
    let error = run_with(&plan, &Falling { after: 320 }, &options, None, &mut Nobody).unwrap_err();
    assert!(error.to_string().contains("lane 0 died while measuring"), "{error}");
    let kept: Vec<_> = std::fs::read_dir(place.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let [directory] = &kept[..] else { panic!("{kept:?}") };
    let stored = result::read(directory).unwrap();
    let counted = stored.times["readers"].response.count();
    assert!(stored.document.partial && (1..=300).contains(&counted), "{counted} of some 200 in the first second");
}

#[test]
fn a_collection_that_went_with_its_target_is_made_again_for_the_next_run_of_a_series() {
    let start = |address| practice::Server::start(practice::Settings::default(), address, None).unwrap();
    let server = start(LOOPBACK);
    let address = server.addr();
    let text = format!(
        "[target]\nuri = \"http://{address}\"\n[collection]\ndim = 4\nrows = 10\n[load]\nlanes = 1\nwarmup = \"0s\"\nduration = \"200ms\"\ndrain = \"5s\"\n\
         [[stream]]\nname = \"readers\"\noperation = \"search\"\nrate = \"50/s\"\narrivals = \"constant\"\n"
    );
    let plan = scenario::parse(&text, "s.toml", &Overrides { set: Vec::new(), seed: Some(1) }).unwrap();
    let place = tempfile::tempdir().unwrap();
    let options = RunOptions { out: place.path().to_owned(), command: Vec::new(), stop: Stop::default(), environment: &|_| None };
    let mut shared = Shared::new();
    let mut good = || {
        let outcome = run_sharing(&plan, &options, &mut shared, &mut Nobody).unwrap();
        let stream = &outcome.document.streams[0];
        (stream.scheduled, stream.ok)
    };
    assert_eq!(good(), (10, 10));
    server.stop();
    let server = start(address);
    assert_eq!(good(), (10, 10));
    assert_eq!(shared.end(), Vec::<String>::new(), "the new one is dropped, and nobody asks the old one");
    server.stop();
}
