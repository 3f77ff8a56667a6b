//! `echoline serve`: the server as a program.
//!
//! | module | what it holds |
//! |---|---|
//! | `target`, `progress`, `memory` | what one argument says; what memory this process may have |
//! | `queue`, `log` | all that goes to standard error while it serves, in one order |
//! | `args`, `config` | the flags, and what it will do |
//! | `listen`, `signals` | the listeners, or why there is none; signals as values |
//! | `report`, `render` | what it did, as a value and as text |
//! | `run` | from the first listener to the summary |
//!
//! No module uses one that stands below it.

mod args;
mod config;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod listen;
mod log;
mod memory;
mod progress;
mod queue;
mod reach;
mod render;
mod report;
mod run;
mod signals;
mod target;

pub(crate) use args::Args;
pub(crate) use run::run;
