//! The few system calls that no kept crate wraps safely. All `unsafe` of this crate stands here.

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::io;
use rustix::thread::UnshareFlags;

/// Gives the calling thread namespaces (and file system attributes) of its own.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    assert!(!flags.contains(UnshareFlags::FILES), "descriptors stay shared");
    // SAFETY: what makes `unshare` unsafe is a descriptor table of one's own (`FILES`), which is refused above.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Takes over a descriptor that the outer stage of this program left open for this one.
pub(crate) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the outer stage opened this pipe for its successor alone and passed the number; nothing else in
    // this process knows it, so nothing else closes it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}
