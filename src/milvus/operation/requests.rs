//! Requests are cut from one buffer, so that encoding one asks the allocator for nothing most of the time.

use bytes::BytesMut;

use super::Operation;

/// What is asked of the allocator at a time: some hundred searches, or one insert.
const CHUNK: usize = 64 * 1024;

/// Room that a request of a session is given for what is appended to it: a field's head and a timestamp.
const SESSION: usize = 11;

/// Encodes the requests of one lane. A chunk is used again once none of its requests is left, and given back otherwise.
#[derive(Debug, Default)]
pub struct Requests {
    chunk: BytesMut,
}

impl Requests {
    /// Nothing is allocated yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Request `sequence` of an operation: gRPC's prefix and the message, in bytes of its own that nothing else writes to.
    #[inline]
    pub fn encode(&mut self, operation: &mut dyn Operation, sequence: u64) -> BytesMut {
        let needed = operation.longest() + SESSION;
        if self.chunk.capacity() < needed {
            // Takes the old chunk again where nobody holds a part of it any more.
            self.chunk.reserve(CHUNK.max(needed));
        }
        operation.encode(sequence, &mut self.chunk);
        if !operation.of_session() {
            return self.chunk.split();
        }
        let length = self.chunk.len();
        self.chunk.resize(length + SESSION, 0);
        let mut request = self.chunk.split();
        request.truncate(length);
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::Failure;

    /// Writes its number so many times.
    struct Repeat(usize);

    impl Operation for Repeat {
        fn path(&self) -> &'static str {
            ""
        }
        fn longest(&self) -> usize {
            self.0
        }
        fn encode(&mut self, sequence: u64, out: &mut BytesMut) {
            out.resize(out.len() + self.0, sequence as u8);
        }
        fn judge(&mut self, _: u64, _: bool, _: &[u8]) -> Result<Option<u64>, Failure> {
            Ok(None)
        }
    }

    #[test]
    fn requests_do_not_share_bytes() {
        for length in [1, 700, 30_000, 200_000] {
            let mut requests = Requests::new();
            let all: Vec<_> = (0..50).map(|n| requests.encode(&mut Repeat(length), n)).collect();
            for (n, request) in (0_u8..).zip(&all) {
                assert!(request.len() == length && request.iter().all(|byte| *byte == n), "request {n} of {length} bytes");
            }
        }
    }

    #[test]
    fn a_chunk_whose_requests_are_gone_is_used_again() {
        let mut requests = Requests::new();
        let first = requests.encode(&mut Repeat(700), 0).as_ptr();
        let again = (1..10_000).filter(|n| requests.encode(&mut Repeat(700), *n).as_ptr() == first).count();
        // 92 requests fit into a chunk, so it begins anew 108 times.
        assert!((100..=110).contains(&again), "{again}");
    }
}
