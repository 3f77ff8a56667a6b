//! What the test programs of this crate share.

use std::fs::File;
use std::io::Write;

/// Says that a test cannot run here, in the way that every crate's tests say it.
pub(crate) fn skip(test: &str, needs: &str) {
    let line = format!("SKIPPED {test}: needs {needs}");
    assert!(std::env::var_os("ECHOLINE_TEST_ALL").is_none_or(|all| all != "1"), "{line}");
    eprintln!("{line}");
    if let Some(list) = std::env::var_os("ECHOLINE_SKIPS") {
        let mut list = File::options().append(true).create(true).open(list).expect("the list of skips");
        writeln!(list, "{line}").expect("the list of skips");
    }
}
