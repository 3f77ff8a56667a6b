//! The exit codes of all commands, in one table.

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
    /// Ended by SIGINT before its end (128 + 2, as shells count).
    Interrupted = 130,
    /// Ended by SIGTERM before its end (128 + 15).
    Terminated = 143,
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status as u8)
    }
}
