//! System calls that no kept crate offers, each safe to use. Linux only; elsewhere they do not exist.
#![deny(unsafe_code)]

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[allow(unsafe_code)]
mod allocator;

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod tcp_info;

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod unacknowledged;

#[cfg(all(target_os = "linux", target_env = "gnu"))]
pub use allocator::keep_freed_memory;
#[cfg(target_os = "linux")]
pub use tcp_info::{TcpInfo, backlog, tcp_info};
#[cfg(target_os = "linux")]
pub use unacknowledged::unacknowledged;
