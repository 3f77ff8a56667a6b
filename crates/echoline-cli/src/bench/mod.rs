//! `echoline bench`: how fast and how many, with every echoed byte compared.
//!
//! Flags (`args`) become a `plan`; `run` opens the first connection and lets `master` start `generator` threads, each with
//! `link`s that send from one `tape` and `verify` what comes back; a `meter` counts; the `report` is a value that
//! `text`, `html` and JSON render.

mod alarm;
mod args;
mod capacity;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod generator;
mod html;
mod lifecycle;
mod link;
mod load;
mod master;
mod merge;
mod meter;
mod observe;
mod plan;
mod report;
mod require;
mod run;
mod samples;
mod schedule;
mod svg;
mod tape;
mod text;
mod verify;
mod warnings;
mod watch;

pub(crate) use args::Args;
pub(crate) use run::run;
