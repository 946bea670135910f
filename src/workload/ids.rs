//! Primary keys: of the filled rows, and of the rows that streams write.

/// How many rows a collection may be filled with: ids from here on belong to written rows. 1.7 × 10^13.
pub const MAX_ROWS: u64 = 1 << BITS_OF_A_STREAM;

/// Bits of an id that count within a stream. 44 leave 19 for the stream and keep the sign free.
const BITS_OF_A_STREAM: u32 = 44;

/// The ids of the rows that one stream writes: its own, beyond all filled rows, unique per (request, row in its batch) up
/// to 2^44 rows, after which they begin again.
///
/// A second run into a kept collection writes the same ids again, unless it is told where to begin ([`WrittenIds::after`]). Milvus
/// answers each id once, whatever copies it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WrittenIds {
    first: u64,
    batch: u64,
    before: u64,
}

impl WrittenIds {
    /// Of a stream that writes `batch` rows a request.
    #[must_use]
    pub const fn new(stream: u16, batch: u32) -> Self {
        Self { first: (stream as u64 + 1) << BITS_OF_A_STREAM, batch: batch as u64, before: 0 }
    }

    /// The same, beginning after the first `rows` rows of the stream: those that earlier runs wrote.
    #[must_use]
    pub const fn after(self, rows: u64) -> Self {
        Self { before: rows, ..self }
    }

    /// How many rows of the stream have an id once request `sequence` has, those of earlier runs included.
    #[must_use]
    #[inline]
    pub const fn given(self, sequence: u64) -> u64 {
        self.before.wrapping_add(sequence.wrapping_add(1).wrapping_mul(self.batch))
    }

    /// The id of row `index` of request `sequence`.
    #[must_use]
    #[inline]
    pub const fn id(self, sequence: u64, index: u32) -> i64 {
        let row = self.before.wrapping_add(sequence.wrapping_mul(self.batch)).wrapping_add(index as u64);
        (self.first | (row & (MAX_ROWS - 1))).cast_signed()
    }
}

/// Whether an id is a written row's rather than a filled one's.
#[must_use]
pub const fn is_written(id: i64) -> bool {
    id.cast_unsigned() >= MAX_ROWS && id >= 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn no_two_written_rows_share_an_id() {
        let mut seen = HashSet::new();
        for stream in [0, 1, 2, u16::MAX] {
            let ids = WrittenIds::new(stream, 7);
            for sequence in 0..1_000 {
                for index in 0..7 {
                    assert!(seen.insert(ids.id(sequence, index)), "{stream} {sequence} {index}");
                }
            }
        }
    }

    #[test]
    fn a_later_run_begins_after_the_ids_that_earlier_ones_gave_out() {
        let first = WrittenIds::new(3, 7);
        let given = first.given(9);
        assert_eq!(given, 70);
        // Another batch size changes nothing about where the rows lie.
        let second = WrittenIds::new(3, 5).after(given);
        assert_eq!(second.id(0, 0), first.id(9, 6) + 1);
        assert_eq!(second.given(0), 75);
    }

    #[test]
    fn written_ids_lie_beyond_the_filled_ones_and_are_positive() {
        for stream in [0, u16::MAX] {
            for sequence in [0, 1, u64::MAX / 100, u64::MAX] {
                let id = WrittenIds::new(stream, 100).id(sequence, 99);
                assert!(id >= MAX_ROWS.cast_signed() && is_written(id), "{id}");
            }
        }
        assert!(!is_written(0) && !is_written(MAX_ROWS.cast_signed() - 1) && !is_written(-1));
    }
}
