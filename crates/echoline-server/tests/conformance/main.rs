//! What every engine keeps, over real sockets. Each body runs once for each engine.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the report")]

#[macro_use]
mod support;

mod bytes;
mod closing;
mod computing;
mod connect_four;
#[cfg(target_os = "linux")]
mod denied;
mod ending;
mod limits;
mod memory;
mod slow;
mod sources;
