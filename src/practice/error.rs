//! What can go wrong with the practice target.

use std::io;
use std::net::SocketAddr;

use super::SettingsError;

/// Why the practice target does not start.
#[derive(Debug, thiserror::Error)]
pub enum PracticeError {
    /// The settings contradict themselves.
    #[error("practice: {0}")]
    Settings(#[from] SettingsError),
    /// The address is taken, or not of this machine.
    #[error("the practice target cannot listen on {address}: {}", listen_instead(.source))]
    Listen {
        /// Where it should listen.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The system has no thread or descriptor left.
    #[error("the practice target cannot start: the system has no thread or descriptor left for it")]
    Start {
        /// What the system says.
        source: io::Error,
    },
}

/// What helps, by the kind of the cause.
fn listen_instead(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::AddrNotAvailable => "this machine has no such address; 127.0.0.1 is reached from here only, 0.0.0.0 from everywhere",
        io::ErrorKind::PermissionDenied => "the port needs rights that this user lacks; choose one from 1024 on, or 0 for a free one",
        _ => "choose another port (0 takes a free one), or end what listens there",
    }
}
