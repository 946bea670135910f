//! The target over gRPC: connection, collection set-up, operations, pre-encoding.

mod address;
mod call;
pub mod collection;
pub mod connection;
mod gather;
mod knock;
pub mod operation;
pub mod settings;
mod target;

pub use address::{Address, AddressError, DEFAULT_PORT};
pub use call::Answer;
pub use connection::{Client, Connection, ConnectionError};
pub use knock::{KNOCK_METHOD, has_collection, version};
pub use settings::{CollectionSettings, Consistency, IndexSettings, SettingsError, TargetSettings};
pub use target::MilvusTarget;
