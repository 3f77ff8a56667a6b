//! A small internet on one Linux machine, without root.
//!
//! Hosts, routers, NAT, firewalls and names are the real kernel's, in namespaces; links that delay, lose and
//! reorder are ours. Nothing outlives the process that built the lab.

#![deny(unsafe_code)]

pub mod capture;
pub mod link;
#[allow(unsafe_code)]
mod sys;
