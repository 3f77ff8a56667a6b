//! What a test needs of the machine that it runs on.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::process::{Command, Stdio};

use rustix::process::{Resource, getrlimit};

use crate::skip;

/// Whether a program can be started here; it is asked for its version.
#[must_use]
pub fn have(program: impl AsRef<OsStr>) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Whether there is IPv6 on loopback; says so where the rest of a test is skipped for want of it.
#[must_use]
pub fn has_ipv6(test: &str) -> bool {
    let has = TcpListener::bind("[::1]:0").is_ok();
    if !has {
        skip(test, "IPv6 on loopback");
    }
    has
}

/// Whether a process here may have that many files open; says so where a test is skipped because it
/// may not.
#[must_use]
pub fn may_open(test: &str, files: u64) -> bool {
    let may = getrlimit(Resource::Nofile).maximum.is_none_or(|maximum| maximum >= files);
    if !may {
        skip(test, &format!("a limit of {files} open files (ulimit -Hn)"));
    }
    may
}
