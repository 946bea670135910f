//! The built-in Milvus-compatible target: exact search in memory, queue model, faults, server spans.
