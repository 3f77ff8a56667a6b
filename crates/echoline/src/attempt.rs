//! Happy Eyeballs as a schedule: which address to try next, when, and from where. No I/O, no clock of its own.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

pub use echoline_diagnosis::{Attempt, Outcome};

/// How long an attempt runs alone before the next one starts beside it: RFC 8305 section 5.
pub const STAGGER: Duration = Duration::from_millis(250);

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Start an attempt to the address with this index, then ask again.
    Start(usize),
    /// Nothing to start: wait for the running attempts, at most until then, and ask again.
    Wait(Instant),
    /// Every address has failed, or the deadline has passed.
    Over,
}

/// Decides which address to try when.
///
/// The addresses are interleaved by family (RFC 8305 section 4), starting with the family that the system prefers.
/// One attempt starts; the next one starts beside it after the stagger, or at once when none is left running
/// or the one started last has failed (section 5). The first to connect wins. A deadline bounds everything.
///
/// ```
/// use std::time::{Duration, Instant};
/// use echoline::attempt::{STAGGER, Schedule, Step};
///
/// let now = Instant::now();
/// let addresses = ["[2001:db8::1]:80".parse()?, "192.0.2.1:80".parse()?];
/// let mut schedule = Schedule::new(addresses, STAGGER, now + Duration::from_secs(5));
/// assert_eq!(schedule.next(now), Step::Start(0));
/// assert_eq!(schedule.next(now), Step::Wait(now + STAGGER));
/// assert_eq!(schedule.next(now + STAGGER), Step::Start(1));
/// schedule.failed(1);
/// assert_eq!(schedule.next(now + STAGGER), Step::Wait(now + Duration::from_secs(5)));
/// schedule.failed(0);
/// assert_eq!(schedule.next(now + STAGGER), Step::Over);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug)]
pub struct Schedule {
    addresses: Vec<SocketAddr>,
    stagger: Duration,
    deadline: Instant,
    started: usize,
    running: usize,
    /// When the next attempt may start beside the running ones; `None` means at once.
    next_start: Option<Instant>,
}

impl Schedule {
    /// A schedule over `addresses`, in the order in which the system prefers them.
    pub fn new(
        addresses: impl IntoIterator<Item = SocketAddr>,
        stagger: Duration,
        deadline: Instant,
    ) -> Self {
        let addresses = interleave(addresses.into_iter().collect());
        Self { addresses, stagger, deadline, started: 0, running: 0, next_start: None }
    }

    /// The addresses in the order in which they are tried; a [`Step::Start`] is an index into them.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// What to do at `now`.
    pub fn next(&mut self, now: Instant) -> Step {
        if now >= self.deadline {
            return Step::Over;
        }
        let more = self.started < self.addresses.len();
        match self.next_start {
            Some(at) if more && self.running > 0 && now < at => Step::Wait(at.min(self.deadline)),
            _ if more => {
                let index = self.started;
                self.started += 1;
                self.running += 1;
                self.next_start = Some(now + self.stagger);
                Step::Start(index)
            }
            _ if self.running > 0 => Step::Wait(self.deadline),
            _ => Step::Over,
        }
    }

    /// The attempt to the address with this index has failed. Each started attempt fails at most once.
    pub fn failed(&mut self, index: usize) {
        self.running -= 1;
        if index + 1 == self.started {
            self.next_start = None;
        }
    }
}

/// What to bind a socket to that shall leave from `source` for `target`: any port, and on a link-local source the link
/// of the target, since such an address means something on one link only (ipv6(7), `sin6_scope_id`).
///
/// ```
/// use echoline::attempt::source_for;
///
/// assert_eq!(source_for("[fe80::9%3]:80".parse()?, "fe80::7".parse()?), "[fe80::7%3]:0".parse()?);
/// assert_eq!(source_for("[fe80::9%3]:80".parse()?, "2001:db8::7".parse()?), "[2001:db8::7]:0".parse()?);
/// assert_eq!(source_for("192.0.2.9:80".parse()?, "192.0.2.7".parse()?), "192.0.2.7:0".parse()?);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
pub fn source_for(target: SocketAddr, source: IpAddr) -> SocketAddr {
    match (source, target) {
        (IpAddr::V6(ip), SocketAddr::V6(target)) if ip.is_unicast_link_local() => {
            SocketAddrV6::new(ip, 0, 0, target.scope_id()).into()
        }
        _ => SocketAddr::new(source, 0),
    }
}

/// Takes the families in turn, keeping the order within each: RFC 8305 section 4, First Address Family Count of 1.
fn interleave(addresses: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first_is_v6) = addresses.first().map(SocketAddr::is_ipv6) else { return addresses };
    let count = addresses.len();
    let (first, second): (Vec<_>, Vec<_>) = addresses.into_iter().partition(|a| a.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut order = Vec::with_capacity(count);
    while order.len() < count {
        order.extend(first.next());
        order.extend(second.next());
    }
    order
}

#[cfg(test)]
#[path = "attempt_tests.rs"]
mod tests;
