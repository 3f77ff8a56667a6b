//! Frames as they pass a link: written as pcap, or decoded to one line a segment.
//!
//! [`Tap`] listens at an interface; [`pcap`] keeps what it hears for Wireshark; [`Packet`] says what a frame is,
//! [`Narrator`] what it means after those before it, and [`StreamReport`] what it took until all had arrived.

mod dns;
mod half;
mod narrator;
mod packet;
pub mod pcap;
mod report;
mod tap;

pub use narrator::Narrator;
pub use packet::{Flags, Packet, Segment};
pub use report::StreamReport;
pub use tap::{Frame, Tap};
