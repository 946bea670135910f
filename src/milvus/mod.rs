//! The target over gRPC: connection, collection set-up, operations, pre-encoding.

mod address;
mod call;
mod gather;
pub mod settings;

pub use address::{Address, AddressError, DEFAULT_PORT};
pub use settings::{CollectionSettings, Consistency, IndexSettings, SettingsError, TargetSettings};
