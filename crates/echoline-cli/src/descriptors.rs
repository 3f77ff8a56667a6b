//! Open files: each connection needs one, so the limit decides how many there can be.

use std::io;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::stdio;

/// What a command has open beside what it counts: standard streams, pollers, libraries.
const RESERVE: usize = 64;

/// As [`raise_to`], for so many files beside those that every command has open.
pub(crate) fn make_room_for(files: usize) -> Result<(), Short> {
    raise_to(files.saturating_add(RESERVE))
}

/// Raises this process's soft limit of open files to so many, as far as the hard limit allows.
pub(crate) fn raise_to(files: usize) -> Result<(), Short> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = files as u64;
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    // Raising to at most the hard limit is always allowed; if it is refused all the same, the old limit stands.
    let raised =
        setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum }).is_ok();
    let current = if raised { current } else { limit.current.unwrap_or(wanted) };
    if current < wanted { Err(Short { limit: current, missing: wanted - current }) } else { Ok(()) }
}

/// Fails unless so many more files can be opened now. Both ends of a connection in this process need one, and a server that
/// has none to accept with lets its client wait.
pub(crate) fn room_for(files: usize) -> io::Result<()> {
    let one = |_| fcntl_dupfd_cloexec(stdio::stdin(), 0);
    Ok((0..files).map(one).collect::<rustix::io::Result<Vec<_>>>().map(drop)?)
}

/// The limit of open files is too low.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Short {
    /// Files that this process may open.
    pub(crate) limit: u64,
    /// And so many more would be needed.
    pub(crate) missing: u64,
}
