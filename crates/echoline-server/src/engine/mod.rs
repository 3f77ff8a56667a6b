//! Engines move bytes between the kernel and sessions. They differ in how, never in what is said.

#[cfg(all(test, target_os = "linux"))]
mod errors;
mod portable;
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod uring;
#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
#[path = "uring_elsewhere.rs"]
mod uring;

pub(crate) use portable::Portable;
pub(crate) use uring::Uring;

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::shared::Wake;
use crate::worker::Worker;

/// One engine serves the sessions of one worker, on the worker's thread.
pub(crate) trait Engine: Sized {
    const NAME: &'static str;

    /// Takes from the kernel what the engine needs.
    fn new() -> Result<Self, Unavailable>;

    fn waker(&self) -> Arc<dyn Wake>;

    /// Serves until the server is over or stopped.
    fn run(self, worker: Worker) -> io::Result<()>;
}

/// Why an engine does not work here.
#[derive(Debug)]
pub struct Unavailable {
    what: &'static str,
    source: io::Error,
}

impl Unavailable {
    pub(crate) fn new(what: &'static str, source: io::Error) -> Self {
        Self { what, source }
    }

    /// What the system said.
    pub(crate) fn system(&self) -> &io::Error {
        &self.source
    }
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl std::error::Error for Unavailable {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}
