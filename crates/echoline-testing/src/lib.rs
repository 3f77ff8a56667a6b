//! What the tests of several crates share: how they say that they cannot run here, what they look
//! for on this machine, random bytes, and a harness for a test that is a process by itself.
#![forbid(unsafe_code)]

mod machine;
mod random;
mod suite;

use std::fs::OpenOptions;
use std::io::Write;

pub use self::machine::{has_ipv6, have, may_open};
pub use self::random::Random;
pub use self::suite::{Outcome, run_suite};

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
