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
    #[error("the practice target cannot listen on {address}: choose another port (0 takes a free one), or end what listens there")]
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
