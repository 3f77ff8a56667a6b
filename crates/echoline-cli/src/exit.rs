//! The exit codes, in one place.

use std::process::ExitCode;

/// How a command ended, as the shell sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum ExitStatus {
    /// It worked. A server that drained cleanly worked.
    Success = 0,
    /// The network, or the program at the other end, said no.
    Refused = 1,
    /// Wrong usage, or a fault of this machine or of Echoline itself.
    Usage = 2,
    /// A threshold that the user set was missed.
    Missed = 3,
    /// Interrupted by a signal before the end (128 + SIGINT, as shells count).
    Interrupted = 130,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}
