//! What the system did not give: a thread, or an open file. That is this machine's limit, and no peer's fault.

use std::error::Error;
use std::io;

use echoline_check::{is_out_of_files, no_file};
use echoline_diagnosis::{Diagnosis, chain, code};
use echoline_server::ServerError;

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
