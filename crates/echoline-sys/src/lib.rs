//! Socket calls that no kept crate offers, each safe to use. Linux only; elsewhere they do not exist.
#![deny(unsafe_code)]

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod tcp_info;

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod unacknowledged;

#[cfg(target_os = "linux")]
pub use tcp_info::{TcpInfo, tcp_info};
#[cfg(target_os = "linux")]
pub use unacknowledged::unacknowledged;
