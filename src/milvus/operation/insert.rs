//! New rows, from clusters that no query is drawn from.

use bytes::BytesMut;

use crate::load::Failure;
use crate::wire::method_path;
use crate::workload::{Vectors, WrittenIds};

use super::super::collection::Scalar;
use super::answer::judge;
use super::kept::Kept;
use super::protobuf::{PREFIX, Value, begin_message, end_message};
use super::rows::RowWriter;
use super::{Kind, MAX_MESSAGE, Operation, OperationError, Work};

/// What a stream of inserts writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Rows in one request, 1 or more.
    pub batch: u32,
}

impl Kind for Settings {
    const NAME: &'static str = "insert";
    const METHOD: &'static str = "Insert";
    const WRITES: bool = true;

    fn make(&self, work: &Work) -> Result<Box<dyn Operation>, OperationError> {
        Ok(Box::new(Insert::new(*self, work)?))
    }
}

/// `MutationResult.timestamp`.
const TIMESTAMP: u32 = 9;

#[derive(Debug)]
pub(crate) struct Insert {
    path: String,
    rows: RowWriter,
    ids: WrittenIds,
    batch: u32,
    vectors: Vectors,
    stream: u16,
    /// Rows of the stream that have an id.
    given: u64,
}

impl Insert {
    pub(crate) fn new(settings: Settings, work: &Work) -> Result<Self, OperationError> {
        if settings.batch == 0 {
            return Err(OperationError::NoRows);
        }
        if let Some(field) = work.collection.scalars.iter().find(|field| !Scalar::can_fill(field.kind)) {
            let (collection, field, kind) = (work.collection.name.clone(), field.name.clone(), field.kind.as_str_name());
            return Err(OperationError::CannotFill { collection, field, kind });
        }
        let mut rows = RowWriter::new(&work.collection);
        let bytes = rows.longest(settings.batch as usize) + PREFIX;
        if bytes > MAX_MESSAGE {
            let fixed = rows.longest(0) + PREFIX;
            let fits = (MAX_MESSAGE - fixed) / (rows.longest(1) + PREFIX - fixed);
            return Err(OperationError::Batch { batch: settings.batch, dim: work.collection.dim, bytes, fits });
        }
        // Columns that are the same for every batch are made here rather than by the first request.
        rows.write(&mut BytesMut::new(), std::iter::repeat_n(0, settings.batch as usize), |_, _| {});
        Ok(Self {
            path: method_path(Settings::METHOD),
            rows,
            ids: WrittenIds::new(work.stream, settings.batch).after(work.written),
            batch: settings.batch,
            vectors: work.vectors.clone(),
            stream: work.stream,
            given: work.written,
        })
    }
}

impl Operation for Insert {
    fn path(&self) -> &str {
        &self.path
    }

    fn longest(&self) -> usize {
        self.rows.longest(self.batch as usize) + PREFIX
    }

    fn encode(&mut self, sequence: u64, out: &mut BytesMut) {
        self.given = self.given.max(self.ids.given(sequence));
        let start = begin_message(out);
        let ids = (0..self.batch as usize).map(|index| self.ids.id(sequence, index as u32));
        let (vectors, stream) = (&self.vectors, self.stream);
        self.rows.write(out, ids, |index, vector| vectors.written(stream, sequence, index as u32, vector));
        end_message(out, start);
    }

    fn judge(&mut self, _: u64, _: bool, answer: &[u8]) -> Result<Option<u64>, Failure> {
        let mut written = None;
        judge(answer, |field, value| {
            if let (TIMESTAMP, Value::Varint(timestamp)) = (field, value) {
                written = Some(timestamp);
            }
        })?;
        Ok(written)
    }

    fn leave(self: Box<Self>) -> Kept {
        Kept::of_writes(self.given)
    }
}

#[cfg(test)]
mod tests;
