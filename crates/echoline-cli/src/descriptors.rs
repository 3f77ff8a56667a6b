//! Open files: each connection needs one, so the limit decides how many there can be.

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::stdio;
use std::io;

/// Listeners, pollers, standard streams, libraries: what a server opens beside its connections.
const RESERVE: u64 = 64;

/// Raises this process's soft limit to what `connections` need, as far as the hard limit allows.
///
/// Returns how many connections fit if that is fewer.
pub(crate) fn make_room_for(connections: usize) -> Result<(), Short> {
    let limit = getrlimit(Resource::Nofile);
    let wanted = (connections as u64).saturating_add(RESERVE);
    if limit.current.is_none_or(|current| current >= wanted) {
        return Ok(());
    }
    let current = limit.maximum.map_or(wanted, |maximum| maximum.min(wanted));
    // Raising to at most the hard limit is always allowed; if it is refused all the same, the old limit stands.
    let raised =
        setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum: limit.maximum }).is_ok();
    let current = if raised { current } else { limit.current.unwrap_or(wanted) };
    if current < wanted {
        Err(Short { limit: current, connections: current.saturating_sub(RESERVE) })
    } else {
        Ok(())
    }
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
    /// Connections that fit.
    pub(crate) connections: u64,
}
