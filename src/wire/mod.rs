//! What goes over the wire: the protobuf types generated from `proto/`, and a codec that passes encoded messages through.
//!
//! Owns shapes only: no connection, no server, no meaning beyond [`is_success`]. The types are an own subset of Milvus's,
//! equal in package names, field numbers and types; `tests/real-stack/check_wire.py` holds them against another client's.

mod codec;

pub use codec::BytesCodec;

macro_rules! generated {
    ($module:ident, $package:literal, $about:literal) => {
        #[doc = $about]
        #[allow(
            missing_docs,
            unreachable_pub,
            clippy::pedantic,
            clippy::all,
            clippy::allow_attributes_without_reason,
            reason = "written by prost and tonic from proto/, where the fields are explained"
        )]
        pub mod $module {
            tonic::include_proto!($package);
        }
    };
}

generated!(common, "milvus.proto.common", "Package `milvus.proto.common`: status, pairs, and what all requests share.");
generated!(schema, "milvus.proto.schema", "Package `milvus.proto.schema`: collections' schemas, and data by columns.");
generated!(milvus, "milvus.proto.milvus", "Package `milvus.proto.milvus`: the service, its requests and its answers.");

/// Whether the status inside an answer says success: both codes zero, since older servers fill only `error_code`. A gRPC
/// status of OK says nothing about this one.
#[must_use]
pub const fn is_success(status: &common::Status) -> bool {
    status.error_code == 0 && status.code == 0
}

/// The number a failed status is counted under: the newer code where the server fills it, else the older one.
#[must_use]
pub const fn failure_code(status: &common::Status) -> i32 {
    if status.code != 0 { status.code } else { status.error_code }
}

/// The full path of a method of Milvus's service, as HTTP/2 carries it.
///
/// ```
/// assert_eq!(tailtrace::wire::method_path("Search"), "/milvus.proto.milvus.MilvusService/Search");
/// ```
#[must_use]
pub fn method_path(method: &str) -> String {
    format!("/{}/{method}", milvus::milvus_service_server::SERVICE_NAME)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prost::Message;

    #[test]
    fn success_needs_both_codes_to_be_zero() {
        let status = |error_code, code| common::Status { error_code, code, ..Default::default() };
        assert!(is_success(&status(0, 0)));
        for (old, new, counted) in [(1, 0, 1), (0, 100, 100), (4, 100, 100)] {
            assert!(!is_success(&status(old, new)));
            assert_eq!(failure_code(&status(old, new)), counted);
        }
    }

    // Bytes written by hand from the encoding's rules (field << 3 | wire type), so that a field number that slipped in
    // `proto/` fails here without another client at hand.
    #[test]
    fn a_search_has_its_known_bytes() {
        let request = milvus::SearchRequest {
            collection_name: "c".into(),
            dsl: "id > 1".into(),
            placeholder_group: bytes::Bytes::from_static(&[1, 2]),
            dsl_type: common::DslType::BoolExprV1 as i32,
            guarantee_timestamp: 2,
            nq: 1,
            ..Default::default()
        };
        let expected =
            [&[3 << 3 | 2, 1, b'c'][..], &[5 << 3 | 2, 6], b"id > 1", &[6 << 3 | 2, 2, 1, 2], &[7 << 3, 1], &[11 << 3, 2], &[12 << 3, 1]]
                .concat();
        assert_eq!(request.encode_to_vec(), expected);
    }

    #[test]
    fn what_a_newer_server_adds_is_skipped() {
        let mut bytes = common::Status { code: 8, ..Default::default() }.encode_to_vec();
        bytes.extend([0xa2, 0x06, 1, b'x']); // field 100, which nobody knows
        assert_eq!(common::Status::decode(&bytes[..]).unwrap().code, 8);
    }
}
