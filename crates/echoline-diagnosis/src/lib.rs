//! What went wrong between two programs, as one typed value.
//!
//! A [`Diagnosis`] has a stable [`Code`], a sentence, evidence, next steps and how sure it is. Each
//! code has a [`Page`] that says more; [`alias`] finds it by the names that systems and languages
//! use. Text, JSON and redaction are renderings of these values. This crate does no I/O and knows no
//! command line.
#![forbid(unsafe_code)]

pub mod alias;
mod attempt;
pub mod code;
mod diagnosis;
pub mod escape;
mod exit;
mod newer;
mod page;
mod text;
pub mod units;

pub use attempt::{Attempt, Outcome};
pub use code::{Code, UnknownCode};
pub use diagnosis::{Certainty, Diagnosis, Evidence, Operation, Target, chain};
pub use exit::ExitStatus;
pub use page::Page;
pub use text::{Part, Text, foreign, host, plain};
