//! `echoline serve`: the server as a program.

mod args;
mod config;
mod listen;
mod log;
mod memory;
mod progress;
mod queue;
mod render;
mod report;
mod run;
mod signals;
mod target;

pub(crate) use args::Args;
pub(crate) use run::run;

/// Is this something to serve somewhere?
#[cfg(feature = "fuzzing")]
pub(crate) fn is_target(text: &str) -> bool {
    target::Target::parse(text).is_ok()
}
