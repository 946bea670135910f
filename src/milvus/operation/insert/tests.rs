use super::*;
use crate::milvus::collection::{Collection, Primary, PrimaryKind};
use crate::milvus::operation::golden::pymilvus;
use crate::milvus::operation::{Requests, Settings as AnySettings};
use crate::trace::Outcome;
use crate::wire::milvus::{InsertRequest, MutationResult};
use crate::wire::{common, schema};
use crate::workload::{Metric, Seed};
use prost::Message;
use std::collections::HashSet;
use std::sync::Arc;

fn work(dim: usize, kind: PrimaryKind) -> Work {
    let collection = Collection {
        name: "things".to_owned(),
        primary: Primary { name: "id".to_owned(), kind, auto: false },
        vector_field: "vector".to_owned(),
        dim,
        metric: Metric::L2,
        scalars: Vec::new(),
        consistency: None,
        filled: None,
    };
    Work { collection: Arc::new(collection), vectors: Vectors::new(Seed(1), dim), stream: 0, written: 0 }
}

#[test]
fn the_columns_are_pymilvus_s_byte_for_byte() {
    let rows = [[0.5, -1.0, 2.0, 0.25], [1.0, 2.0, 3.0, 4.0]];
    for (name, kind, ids) in
        [("insert-int64", PrimaryKind::Int64, &[1 << 44, (1 << 44) + 1][..]), ("insert-varchar", PrimaryKind::VarChar, &[0])]
    {
        let mut out = BytesMut::new();
        RowWriter::new(&work(4, kind).collection).write(&mut out, ids.iter().copied(), |row, vector| vector.copy_from_slice(&rows[row]));
        assert!(out == pymilvus(name), "{name}");
    }
}

#[test]
fn a_request_holds_the_rows_of_its_number() {
    let work = work(16, PrimaryKind::Int64);
    let mut insert = Insert::new(Settings { batch: 100 }, &work).unwrap();
    let mut requests = Requests::new();
    let mut ids = HashSet::new();
    for sequence in 0..5 {
        let encoded = requests.encode(&mut insert, sequence);
        let request = InsertRequest::decode(&encoded[PREFIX..]).unwrap();
        assert_eq!(request.num_rows, 100);
        let Some(schema::field_data::Field::Scalars(column)) = &request.fields_data[0].field else { panic!("no ids") };
        let Some(schema::scalar_field::Data::LongData(column)) = &column.data else { panic!("no numbers") };
        assert!(column.data.iter().all(|id| crate::workload::is_written(*id)));
        ids.extend(column.data.iter().copied());
        let Some(schema::field_data::Field::Vectors(vectors)) = &request.fields_data[1].field else { panic!("no vectors") };
        let Some(schema::vector_field::Data::FloatVector(floats)) = &vectors.data else { panic!("no floats") };
        for (index, row) in floats.data.chunks_exact(16).enumerate() {
            let mut expected = [0.0; 16];
            work.vectors.written(0, sequence, index as u32, &mut expected);
            assert_eq!(row, expected);
        }
    }
    assert_eq!(ids.len(), 500);
}

#[test]
fn ids_go_on_after_those_of_earlier_runs_whatever_was_sent_of_them() {
    let first = work(2, PrimaryKind::Int64);
    let mut insert = Insert::new(Settings { batch: 10 }, &first).unwrap();
    // One of two lanes: request 3 is not its own.
    for sequence in [0, 2, 4] {
        insert.encode(sequence, &mut BytesMut::new());
    }
    let mut all = Kept::default();
    all.join((Box::new(insert) as Box<dyn Operation>).leave());
    all.join(Kept::of_writes(40));
    assert_eq!(all.written(), 50);
    let second = Insert::new(Settings { batch: 7 }, &Work { written: all.written(), ..first }).unwrap();
    assert_eq!(second.ids.id(0, 0), (1 << 44) + 50);
    assert_eq!((Box::new(second) as Box<dyn Operation>).leave().written(), 50, "a run that sends nothing gives out nothing");
}

#[test]
fn the_answer_s_timestamp_is_handed_on_and_its_status_judged() {
    let mut insert = Insert::new(Settings { batch: 1 }, &work(2, PrimaryKind::Int64)).unwrap();
    let good = MutationResult { insert_cnt: 1, timestamp: 453_000_000_000_000_000, ..Default::default() };
    assert_eq!(insert.judge(0, true, &good.encode_to_vec()), Ok(Some(453_000_000_000_000_000)));
    assert_eq!(insert.judge(0, true, &[]), Ok(None));
    let status = common::Status { error_code: 1, code: 8, reason: "rate limited".to_owned(), ..Default::default() };
    let bad = MutationResult { status: Some(status), timestamp: 5, ..Default::default() };
    assert_eq!(insert.judge(0, true, &bad.encode_to_vec()).unwrap_err().outcome, Outcome::Milvus(8));
}

#[test]
fn batches_that_fit_into_no_message_are_refused_with_what_would_fit() {
    let work = work(1_536, PrimaryKind::Int64);
    let error = AnySettings::Insert(Settings { batch: 20_000 }).make(&work).err().unwrap();
    let OperationError::Batch { fits, .. } = error else { panic!("{error:?}") };
    assert!(error.to_string().contains("64 MiB"), "{error}");
    let mut fitting = Insert::new(Settings { batch: fits as u32 }, &work).unwrap();
    assert!(Insert::new(Settings { batch: fits as u32 + 1 }, &work).is_err());
    let length = Requests::new().encode(&mut fitting, 0).len();
    assert!(length <= MAX_MESSAGE && length > MAX_MESSAGE * 9 / 10, "{length}");
    assert_eq!(AnySettings::Insert(Settings { batch: 0 }).make(&work).err(), Some(OperationError::NoRows));
}
