//! `echoline play`: Connect Four against a server, for a person.
//!
//! | module | what it holds |
//! |---|---|
//! | `args`, `config` | the flags, and what they mean together |
//! | `dial` | the server: elsewhere, or in this process |
//! | `wire` | the protocol from the client's side, and whether the server keeps to it |
//! | `input` | what is typed, on a terminal or from a pipe |
//! | `render` | how a board looks |
//! | `run` | the game |

mod args;
mod config;
mod dial;
mod input;
mod render;
mod run;
mod wire;

pub(crate) use args::Args;
pub(crate) use run::run;
