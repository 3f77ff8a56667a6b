//! What the outer stages of a lab do while it lives: wait for their child, and pass on what is sent to them alone.
//!
//! Ctrl-C reaches everything of its terminal at once, and what runs inside decides what becomes of it. A signal that
//! somebody sends by `kill` reaches one process, which is not where the lab is.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use rustix::process::{Pid, WaitOptions};

use crate::error::LabError;

/// The signals of this process, held back from the moment when it is made.
pub(crate) struct Attendance(SignalFd);

impl Attendance {
    /// Call it before the child starts, which inherits that they are held back.
    pub(crate) fn begin() -> Result<Self, LabError> {
        held().thread_block().map_err(told)?;
        SignalFd::with_flags(&held(), SfdFlags::SFD_CLOEXEC).map(Self).map_err(told)
    }

    /// For the innermost stage, which takes signals as every program does, and its children too.
    pub(crate) fn end() -> Result<(), LabError> {
        held().thread_unblock().map_err(told)
    }

    /// Waits for the end of this child, and reaps all others.
    pub(crate) fn until_the_end_of(
        &self,
        child: u32,
        pass_on: impl Fn(Signal),
    ) -> Result<ExitStatus, LabError> {
        loop {
            let info = match self.0.read_signal() {
                Ok(Some(info)) => info,
                Ok(None) | Err(nix::Error::EINTR) => continue,
                Err(error) => return Err(LabError::io("wait for the lab", error)),
            };
            let from_terminal = info.ssi_code == libc::SI_KERNEL;
            match Signal::try_from(info.ssi_signo.cast_signed()) {
                Ok(signal @ (Signal::SIGINT | Signal::SIGTERM)) if !from_terminal => pass_on(signal),
                _ => {}
            }
            if let Some(status) = reap(child)? {
                return Ok(status);
            }
        }
    }
}

fn held() -> SigSet {
    SigSet::from_iter([Signal::SIGCHLD, Signal::SIGINT, Signal::SIGTERM])
}

fn told(error: nix::Error) -> LabError {
    LabError::io("wait for signals", error)
}

/// The status of this child, if it is among those that have ended.
fn reap(child: u32) -> Result<Option<ExitStatus>, LabError> {
    loop {
        match rustix::process::wait(WaitOptions::NOHANG) {
            Ok(Some((pid, status))) if is(pid, child) => {
                return Ok(Some(ExitStatus::from_raw(status.as_raw())));
            }
            Ok(Some(_)) | Err(rustix::io::Errno::INTR) => {}
            Ok(None) => return Ok(None),
            Err(error) => return Err(LabError::io("wait for the lab", error)),
        }
    }
}

fn is(pid: Pid, child: u32) -> bool {
    u32::try_from(pid.as_raw_nonzero().get()) == Ok(child)
}
