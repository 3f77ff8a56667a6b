//! `echoline check`: why can't these two programs talk?
//!
//! The crate `echoline-check` looks and judges. Here are the flags, and what is shown of its
//! report.
//!
//! | module | what it holds |
//! |---|---|
//! | `args`, `config` | the flags, and what they mean together |
//! | `run` | one check, or one after the other |
//! | `machine` | this machine, when no host is given |
//! | `render`, `quote` | the report as text; what the other side said stays on one line of it |
//! | `redact` | the report without names and addresses |

mod args;
mod config;
mod machine;
mod quote;
mod redact;
mod render;
mod run;

pub(crate) use args::Args;
pub(crate) use run::run;
