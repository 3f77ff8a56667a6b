//! `echoline connect`: the client.
//!
//! | module | what it holds |
//! |---|---|
//! | `round_trip` | how long lines took |
//! | `window`, `difference` | what was sent, compared with what comes back; what differs, named |
//! | `crlf`, `trace`, `interrupt` | `-C`, `--trace` and Ctrl-C |
//! | `conversation` | how a conversation runs, and what comes of it |
//! | `args`, `config` | the flags, and what they mean together |
//! | `dial` | the connection, to a server elsewhere or in this process |
//! | `exchange` | from a pipe: everything out and everything back, both at once |
//! | `screen`, `inbox`, `terminal` | on a terminal: a line, its answer, and how both look |
//! | `report`, `render` | the outcome as a value, which is also the JSON document; as a sentence |
//! | `run` | all of it in order |
//!
//! No module uses one that stands below it.

mod args;
mod config;
mod conversation;
mod crlf;
mod dial;
mod difference;
mod exchange;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod inbox;
mod interrupt;
mod render;
mod report;
mod round_trip;
mod run;
mod screen;
mod terminal;
mod trace;
mod window;

pub(crate) use args::Args;
pub(crate) use run::run;
