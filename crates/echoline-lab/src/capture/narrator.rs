//! A capture as a story: one line a packet.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use super::half::{Half, Place};
use super::packet::{MULTICAST_LISTENER, Packet, Segment};
use super::{Frame, dns};

/// Directions of conversations told apart; the oldest is forgotten first.
const MAX_HALVES: usize = 4096;
/// Handshakes in which the other side of a NAT is sought, and for how long.
const MAX_HANDSHAKES: usize = 256;
const NAT_TIME: Duration = Duration::from_secs(5);
/// Payload bytes shown.
const PREVIEW: usize = 24;

/// Tells what passes on one link or on several, a line for each frame:
///
/// ```text
///      0.000 ms  laptop    192.168.1.10:40000 > 203.0.113.10:5151  SYN, at most 1460 bytes a segment
///      0.061 ms  wan       203.0.113.2:40000 > 203.0.113.10:5151  SYN, at most 1460 bytes a segment; NAT: from was 192.168.1.10:40000
/// ```
///
/// Sequence numbers count from the SYN, so the first byte is 1. `data 1..7` carries bytes 1 to 6.
#[derive(Debug, Default)]
pub struct Narrator {
    begun: Option<SystemTime>,
    halves: HashMap<HalfKey, Half>,
    order: VecDeque<HalfKey>,
    handshakes: VecDeque<Handshake>,
}

type HalfKey = (String, SocketAddr, SocketAddr);

#[derive(Debug)]
struct Handshake {
    link: String,
    at: SystemTime,
    seq: u32,
    is_answer: bool,
    src: SocketAddr,
    dst: SocketAddr,
}

impl Narrator {
    /// A story that begins with the first frame it is given.
    pub fn new() -> Self {
        Self::default()
    }

    /// The line for a frame that passed `link`; `None` for what is no ARP, IP, TCP, UDP or ICMP, and for the
    /// housekeeping of multicast listeners (RFC 3810), which hosts send unasked. The line holds no control bytes and no line end, whatever the frame holds.
    pub fn feed(&mut self, link: &str, frame: &Frame) -> Option<String> {
        let packet = Packet::parse(&frame.bytes)?;
        if matches!(packet, Packet::Icmp { says: MULTICAST_LISTENER, .. }) {
            return None;
        }
        let begun = *self.begun.get_or_insert(frame.at);
        // A frame of another link may be read late.
        let milliseconds = match frame.at.duration_since(begun) {
            Ok(after) => after.as_secs_f64() * 1e3,
            Err(before) => -before.duration().as_secs_f64() * 1e3,
        };
        let told = match packet {
            Packet::Tcp(segment) => {
                format!("{} > {}  {}", segment.src, segment.dst, self.tcp(link, frame.at, &segment))
            }
            Packet::Udp { src, dst, payload } => {
                let is_dns = src.port() == 53 || dst.port() == 53;
                let says = is_dns.then(|| dns::says(payload)).flatten();
                let says = says.unwrap_or_else(|| format!("UDP, {} bytes", payload.len()));
                format!("{src} > {dst}  {says}")
            }
            Packet::Icmp { src, dst, says, about } => {
                let about = about.map(|to| format!(", about a packet to {to}")).unwrap_or_default();
                format!("{src} > {dst}  ICMP {says}{about}")
            }
            Packet::Arp { request: true, sender, target } => format!("{sender}  ARP: who has {target}?"),
            Packet::Arp { sender, target, .. } => format!("{sender} > {target}  ARP: here I am"),
            Packet::Fragment { src, dst } => format!("{src} > {dst}  a piece of a packet that was cut up"),
        };
        Some(format!("{milliseconds:>10.3} ms  {link:<8}  {told}"))
    }

    fn tcp(&mut self, link: &str, at: SystemTime, segment: &Segment<'_>) -> String {
        let key = (link.to_owned(), segment.src, segment.dst);
        let is_new_conversation =
            segment.flags.syn && self.halves.get(&key).is_some_and(|half| half.relative(segment.seq) != 0);
        if is_new_conversation {
            self.halves.remove(&key);
            self.order.retain(|known| *known != key);
        }
        let acked = self.relative_ack(link, segment);
        if !self.halves.contains_key(&key) {
            self.remember(key.clone(), Half::new(segment));
        }
        let Some(half) = self.halves.get_mut(&key) else { return String::new() };
        let mut told = describe(segment, half, acked);
        match half.place(segment) {
            Place::Next | Place::Bare => {}
            Place::Copy => told.push_str("; a copy of the same frame"),
            Place::Again => told.push_str("; sent again"),
            Place::AfterGap { from, to } => {
                let _ = write!(told, "; {from}..{to} is missing");
            }
            Place::Fills { again: true } => told.push_str("; sent again, fills the gap"),
            Place::Fills { again: false } => told.push_str("; late, fills the gap"),
            Place::KeepAlive => told.push_str("; keep-alive"),
        }
        if segment.flags.syn {
            self.name_nat(link, at, segment, &mut told);
        }
        told
    }

    fn remember(&mut self, key: HalfKey, half: Half) {
        if self.order.len() >= MAX_HALVES
            && let Some(oldest) = self.order.pop_front()
        {
            self.halves.remove(&oldest);
        }
        self.order.push_back(key.clone());
        self.halves.insert(key, half);
    }

    /// What a segment acknowledges, counted from the other side's SYN.
    fn relative_ack(&self, link: &str, segment: &Segment<'_>) -> u32 {
        let other = self.halves.get(&(link.to_owned(), segment.dst, segment.src));
        other.map_or(segment.ack, |half| half.relative(segment.ack))
    }

    /// Finds the same handshake on another link under other addresses: something between has rewritten them.
    fn name_nat(&mut self, link: &str, at: SystemTime, segment: &Segment<'_>, told: &mut String) {
        let this = Handshake {
            link: link.to_owned(),
            at,
            seq: segment.seq,
            is_answer: segment.flags.ack,
            src: segment.src,
            dst: segment.dst,
        };
        let other = self.handshakes.iter().rev().find(|other| other.is_beyond_nat(&this));
        if let Some(other) = other {
            let verb = if other.at <= at { "was" } else { "becomes" };
            let pairs = [("from", other.src, this.src), ("to", other.dst, this.dst)];
            for (end, theirs, _) in pairs.iter().filter(|(_, theirs, ours)| theirs != ours) {
                let _ = write!(told, "; NAT: {end} {verb} {theirs}");
            }
        }
        if self.handshakes.len() >= MAX_HANDSHAKES {
            self.handshakes.pop_front();
        }
        self.handshakes.push_back(this);
    }
}

impl Handshake {
    fn is_beyond_nat(&self, other: &Self) -> bool {
        let apart = other.at.duration_since(self.at).unwrap_or_else(|before| before.duration());
        let same = self.seq == other.seq && self.is_answer == other.is_answer && apart < NAT_TIME;
        same && self.link != other.link && (self.src, self.dst) != (other.src, other.dst)
    }
}

/// What a segment is, without what it is to others.
fn describe(segment: &Segment<'_>, half: &mut Half, acked: u32) -> String {
    let flags = segment.flags;
    let acks_again = flags.ack && half.acks_again(segment);
    let mut parts = Vec::new();
    if flags.syn {
        parts.push(if flags.ack { "SYN ACK" } else { "SYN" }.to_owned());
        parts.extend(segment.mss.map(|mss| format!("at most {mss} bytes a segment")));
    }
    if !segment.payload.is_empty() {
        let from = half.relative(segment.seq) + u32::from(flags.syn);
        let shown = segment.payload.len().min(PREVIEW);
        let more = if shown < segment.payload.len() { "..." } else { "" };
        let to = from.wrapping_add(segment.payload.len() as u32);
        parts.push(format!("data {from}..{to} \"{}\"{more}", segment.payload[..shown].escape_ascii()));
    }
    if flags.fin {
        parts.push("FIN".into());
    }
    if flags.rst {
        parts.push("RST".into());
    }
    if parts.is_empty() {
        parts.push(format!("ACK {acked}{}", if acks_again { " again" } else { "" }));
    }
    if segment.window == 0 && !flags.rst {
        parts.push("takes no more for now (window 0)".into());
    }
    parts.join(", ")
}

#[cfg(test)]
#[path = "narrator_tests.rs"]
mod tests;
