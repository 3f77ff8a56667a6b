//! The structure of the source: circles between modules, the order of imports, the length of files.
//!
//! The gates read tokens, so a path counts in the arguments of a macro, but not in a comment.
//! `proc-macro2` gives tokens with their lines and builds in a second. A parser such as `syn` takes
//! three seconds more and leaves the arguments of macros unread.

pub(crate) mod circles;
pub(crate) mod imports;
pub(crate) mod length;

mod graph;
mod modules;
mod names;
#[cfg(test)]
mod scratch;
mod source;
mod syntax;
mod uses;
