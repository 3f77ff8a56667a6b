//! Frames as they pass a link: written as pcap, or decoded to one line a segment.
//!
//! [`Tap`] listens at an interface; [`pcap`] keeps what it hears for Wireshark; [`Packet`] says what a frame is,
//! and [`Narrator`] what it means after those before it.

mod dns;
mod half;
mod narrator;
mod packet;
pub mod pcap;
mod tap;

pub use narrator::Narrator;
pub use packet::{Flags, Packet, Segment};
pub use tap::{Frame, Tap};
