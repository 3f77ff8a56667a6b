//! The process's table of descriptors, made large enough before anybody is served.

use std::os::fd::AsFd;

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Resource, getrlimit};

/// Has the kernel make room for so many open files now.
///
/// A table grows by doubling, and where threads share it, whoever opened one descriptor too many waits until every
/// processor has let go of the old one (`expand_fdtable` in Linux's `fs/file.c`: `synchronize_rcu`). That was measured
/// at 8 to 26 ms, for each doubling, and with the thread all its connections wait. The table never shrinks, so one
/// descriptor with a high number, open for a moment, sees to it once; it costs about 8 bytes a connection.
pub(crate) fn make_room(files: usize, any: impl AsFd) {
    let limit = getrlimit(Resource::Nofile).current.and_then(|limit| i32::try_from(limit).ok());
    let wanted = i32::try_from(files).unwrap_or(i32::MAX);
    let highest = wanted.min(limit.unwrap_or(i32::MAX).saturating_sub(1));
    if let Err(error) = fcntl_dupfd_cloexec(any, highest) {
        // No free number so high: then the table is large enough already. Anything else costs time later, and no more.
        if error != Errno::MFILE {
            tracing::debug!(%error, highest, "no room was made for descriptors ahead");
        }
    }
}
