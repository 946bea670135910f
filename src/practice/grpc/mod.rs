//! From HTTP/2 to Milvus's methods and back.

pub(super) mod answering;
mod arrivals;
mod asking;
mod body;
mod caller;
mod canned;
mod collections;
mod connections;
mod leaving;
mod rows;
mod service;
mod tracing;

pub(super) use connections::serve;
pub(super) use service::Service;
