//! What the system did not give: a thread, or an open file. That is this machine's limit, and no peer's fault.

use echoline_diagnosis::{Diagnosis, chain, code};
use echoline_server::ServerError;
use std::error::Error;
use std::io;

/// What was to be done, and why there was no thread (or no file that one needs) to do it.
pub(crate) fn no_thread(what: &str, error: &io::Error) -> Diagnosis {
    if is_out_of_files(error) {
        return no_file(what, error);
    }
    Diagnosis::new(code::SYSTEM, format!("cannot {what}: the system gave no thread: {}", chain(error)))
        .next("look at the limit of processes and threads: ulimit -u")
}

/// What was to be done, and that there was no open file left for it.
pub(crate) fn no_file(what: &str, error: &(dyn Error + 'static)) -> Diagnosis {
    Diagnosis::new(code::TOO_MANY_OPEN_FILES, format!("cannot {what}: {}", chain(error)))
        .next("raise the limit of open files, which ulimit -n shows")
}

/// A server in this process that did not start.
pub(crate) fn no_server(error: &(dyn Error + 'static)) -> Diagnosis {
    let what = "start a server in this process";
    let of_server = error.downcast_ref().map(lacks_files);
    if of_server.or(error.downcast_ref().map(is_out_of_files)) == Some(true) {
        return no_file(what, error);
    }
    Diagnosis::new(code::SYSTEM, format!("cannot {what}: {}", chain(error)))
}

/// Whether a server has not enough open files. Then no engine works, and another one is no way out.
pub(crate) fn lacks_files(error: &ServerError) -> bool {
    let said = match error {
        ServerError::EngineUnavailable { reason, .. } => {
            reason.source().and_then(|source| source.downcast_ref::<io::Error>())
        }
        ServerError::Listener(error) | ServerError::NoThread(error) | ServerError::Worker(error) => {
            Some(error)
        }
        _ => None,
    };
    said.is_some_and(is_out_of_files)
}

/// Whether this process, or the machine, has no open file left.
pub(crate) fn is_out_of_files(error: &io::Error) -> bool {
    echoline::code::of_connect(error) == code::TOO_MANY_OPEN_FILES
}
