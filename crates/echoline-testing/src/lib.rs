//! How the tests of every crate say that they cannot run here.
#![forbid(unsafe_code)]

use std::ffi::OsStr;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, Stdio};

/// Says that a test did not run and what it needs, on standard error and in the list that `ECHOLINE_SKIPS` names, since
/// cargo hides what a passing test prints.
///
/// # Panics
///
/// With `ECHOLINE_TEST_ALL=1`, where every test has to run; and if the list cannot be written.
pub fn skip(test: &str, needs: &str) {
    let line = format!("SKIPPED {test}: needs {needs}");
    assert!(std::env::var_os("ECHOLINE_TEST_ALL").is_none_or(|all| all != "1"), "{line}");
    eprintln!("{line}");
    if let Some(list) = std::env::var_os("ECHOLINE_SKIPS") {
        let mut list = OpenOptions::new().append(true).create(true).open(list).expect("the list of skips");
        writeln!(list, "{line}").expect("the list of skips");
    }
}

/// Whether a program can be started here; it is asked for its version.
#[must_use]
pub fn have(program: impl AsRef<OsStr>) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}
