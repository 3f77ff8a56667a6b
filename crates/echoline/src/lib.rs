//! Exact, bounded, well-explained sockets and line protocols.
#![forbid(unsafe_code)]

pub mod line;
