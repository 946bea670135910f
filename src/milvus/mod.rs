//! The target over gRPC: connection, collection set-up, operations, pre-encoding.
