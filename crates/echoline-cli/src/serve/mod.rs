//! `echoline serve`: the server as a program.

mod args;
mod config;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
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
