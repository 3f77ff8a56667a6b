//! What `xtask` and the programs of `testing/` share. Keep it small: both wait for it to compile.
#![forbid(unsafe_code)]

pub mod debian;
pub mod run;
