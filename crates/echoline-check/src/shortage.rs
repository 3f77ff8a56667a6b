//! What the system did not give: a thread, or an open file. That is this machine's limit, and no peer's fault.

use std::error::Error;
use std::io;

use echoline_diagnosis::{Diagnosis, chain, code, text};

/// What was to be done, and why there was no thread (or no file that one needs) to do it.
pub fn no_thread(what: &'static str, error: &io::Error) -> Diagnosis {
    if is_out_of_files(error) {
        return no_file(what, error);
    }
    Diagnosis::new(code::SYSTEM, text!("cannot {}: the system gave no thread: {}", what, chain(error)))
        .next("look at the limit of processes and threads: ulimit -u")
}

/// What was to be done, and that there was no open file left for it.
pub fn no_file(what: &'static str, error: &(dyn Error + 'static)) -> Diagnosis {
    Diagnosis::new(code::TOO_MANY_OPEN_FILES, text!("cannot {}: {}", what, chain(error)))
        .next("raise the limit of open files, which ulimit -n shows")
}

/// Whether this process, or the machine, has no open file left.
pub fn is_out_of_files(error: &io::Error) -> bool {
    echoline::code::of_connect(error) == code::TOO_MANY_OPEN_FILES
}
