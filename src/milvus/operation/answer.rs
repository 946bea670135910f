//! Whether an answer says success: only its status is read, however long it is.

use crate::load::Failure;
use crate::trace::Outcome;

use super::protobuf::{Fields, Malformed, Value};

/// gRPC's code for an answer that cannot be read.
const INTERNAL: u8 = 13;

/// An answer that cannot be read is no success.
fn unreadable(_: Malformed) -> Failure {
    Failure { outcome: Outcome::Grpc(INTERNAL), reason: "the answer is no protobuf message: is this a Milvus?".to_owned() }
}

/// Walks over an answer whose field 1 is a `common.Status`, as that of every answer is, and hands the other fields to
/// `other`. Fields may come in any order, and the status in parts.
///
/// # Errors
/// The status, where it is no success; and what is no message at all.
pub(crate) fn judge(answer: &[u8], mut other: impl FnMut(u32, Value<'_>)) -> Result<(), Failure> {
    let mut status = Status::default();
    for field in Fields::of(answer) {
        match field.map_err(unreadable)? {
            (1, Value::Bytes(inner)) => status.read(inner).map_err(unreadable)?,
            (number, value) => other(number, value),
        }
    }
    status.judge()
}

#[derive(Debug, Default)]
struct Status<'a> {
    error_code: i32,
    code: i32,
    reason: &'a [u8],
}

impl<'a> Status<'a> {
    fn read(&mut self, message: &'a [u8]) -> Result<(), Malformed> {
        for field in Fields::of(message) {
            match field? {
                (1, Value::Varint(value)) => self.error_code = value as i32,
                (2, Value::Bytes(reason)) => self.reason = reason,
                (3, Value::Varint(value)) => self.code = value as i32,
                _ => {}
            }
        }
        Ok(())
    }

    fn judge(&self) -> Result<(), Failure> {
        if self.error_code == 0 && self.code == 0 {
            return Ok(());
        }
        // The newer code where the server fills it.
        let code = if self.code != 0 { self.code } else { self.error_code };
        Err(Failure { outcome: Outcome::Milvus(code), reason: String::from_utf8_lossy(self.reason).into_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::{common, milvus, schema};
    use prost::Message;

    fn status(error_code: i32, code: i32, reason: &str) -> common::Status {
        common::Status { error_code, code, reason: reason.to_owned(), ..Default::default() }
    }

    #[test]
    fn it_judges_as_decoding_everything_would() {
        for (error_code, code) in [(0, 0), (1, 0), (0, 100), (4, 100), (-1, 0), (0, -7), (65_535, 65_535)] {
            let status = status(error_code, code, "why");
            let results = milvus::SearchResults {
                status: Some(status.clone()),
                results: Some(schema::SearchResultData { scores: vec![1.0; 100], ..Default::default() }),
                collection_name: "c".to_owned(),
                session_ts: 7,
            };
            let judged = judge(&results.encode_to_vec(), |_, _| {});
            if crate::wire::is_success(&status) {
                assert_eq!(judged, Ok(()));
            } else {
                let expected = Failure { outcome: Outcome::Milvus(crate::wire::failure_code(&status)), reason: "why".to_owned() };
                assert_eq!(judged, Err(expected));
            }
        }
    }

    #[test]
    fn no_status_is_success_as_an_empty_one_is() {
        assert_eq!(judge(&milvus::SearchResults::default().encode_to_vec(), |_, _| {}), Ok(()));
        assert_eq!(judge(&[], |_, _| {}), Ok(()));
    }

    #[test]
    fn a_status_behind_the_results_is_found() {
        let mut bytes = milvus::SearchResults { collection_name: "c".to_owned(), ..Default::default() }.encode_to_vec();
        bytes.extend(milvus::SearchResults { status: Some(status(0, 8, "slow down")), ..Default::default() }.encode_to_vec());
        assert_eq!(judge(&bytes, |_, _| {}).unwrap_err().reason, "slow down");
    }

    #[test]
    fn other_fields_are_handed_on() {
        let mut seen = Vec::new();
        let result = milvus::MutationResult { insert_cnt: 3, timestamp: 99, ..Default::default() };
        judge(&result.encode_to_vec(), |number, value| seen.push((number, matches!(value, Value::Varint(3 | 99))))).unwrap();
        assert_eq!(seen, [(6, true), (9, true)]);
    }

    #[test]
    fn what_is_no_message_is_no_success() {
        let failure = judge(b"<html>", |_, _| {}).unwrap_err();
        assert_eq!(failure.outcome, Outcome::Grpc(INTERNAL));
    }
}
