//! `echoline bench`: how fast and how many, with every echoed byte compared.
//!
//! | module | what it holds |
//! |---|---|
//! | `tape`, `verify` | what is sent, and the comparison of what comes back |
//! | `samples`, `figures` | times in a histogram; how a figure looks |
//! | `load`, `generator` | what a thread is told, and the thread |
//! | `watch`, `master` | whether the clock was set; the threads, started and added up |
//! | `report`, `warnings`, `require` | what was measured, what to distrust in it, what it must keep |
//! | `args`, `config` | the flags, and what is going to run |
//! | `render`, `observe` | the report as text and as a page; what is shown meanwhile |
//! | `capacity`, `merge`, `run` | a search over several runs, a sum of several reports, one run |
//!
//! No module uses one that stands below it.

mod args;
mod capacity;
mod config;
mod figures;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod generator;
mod load;
mod master;
mod merge;
mod observe;
mod render;
mod report;
mod require;
mod run;
mod samples;
mod tape;
mod verify;
mod warnings;
mod watch;

pub(crate) use args::Args;
pub(crate) use run::run;
