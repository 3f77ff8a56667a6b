//! The kernel's entry for a machine on the same network (rtnetlink(7), `RTM_GETNEIGH`; arp(7); RFC
//! 4861 section 7.3.2).

use std::net::IpAddr;
use std::num::NonZeroU32;

use rustix::io::Errno;

use super::REQUEST;
use super::exchange::ask_one;
use super::message::{Malformed, Request, family_of, octets};
use crate::Outcome;

/// The state of a neighbour's entry (`NUD_*` of linux/neighbour.h; ip-neighbour(8)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeighbourState {
    /// The kernel is asking for its hardware address and has no answer yet.
    Incomplete,
    /// It answered a moment ago, or its packets show that it is up.
    Reachable,
    /// It answered in the past. The entry has aged and is not in use.
    Stale,
    /// It answered in the past, and the entry is in use again. The kernel will ask again after
    /// `delay_first_probe_time`, 5 s by default.
    Delay,
    /// It answered in the past, and the kernel is asking again.
    Probe,
    /// It did not answer, and the kernel has stopped asking.
    Failed,
    /// The kernel does not ask: the interface has no hardware addresses, or the address needs none.
    NoArp,
    /// An administrator set it. The kernel does not ask.
    Permanent,
    /// The kernel's number of a state that is not in this list; 0 is no state yet (`NUD_NONE`).
    Other(u16),
}

/// The state of the neighbour `address` on the network of the interface with this index.
///
/// A no is `ENOENT`: the kernel has no entry, so it has not asked this neighbour, or has removed
/// the entry since; or `ENODEV`: no interface has the index. Any other error is a failed question,
/// for example `EOPNOTSUPP` on Linux before 5.0.
pub fn neighbour(address: IpAddr, interface: NonZeroU32) -> Outcome<NeighbourState> {
    match ask_one(None, &request(address, interface), libc::RTM_NEWNEIGH, read) {
        Ok(state) => Outcome::Answer(state),
        Err(none) => none.outcome(&[Errno::NOENT, Errno::NODEV]),
    }
}

/// The bytes of `ndmsg`: family, padding, interface, state, flags, type.
const NDMSG: usize = 12;

fn request(address: IpAddr, interface: NonZeroU32) -> Request {
    let mut fixed = [0; NDMSG];
    fixed[0] = family_of(address);
    fixed[4..8].copy_from_slice(&interface.get().to_ne_bytes());
    Request::new(libc::RTM_GETNEIGH, REQUEST, &fixed).with_attribute(libc::NDA_DST, &octets(address))
}

fn read(body: &[u8]) -> Result<NeighbourState, Malformed> {
    let (fixed, _) = body.split_first_chunk::<NDMSG>().ok_or(Malformed("a neighbour that is too short"))?;
    Ok(state(u16::from_ne_bytes([fixed[8], fixed[9]])))
}

fn state(number: u16) -> NeighbourState {
    match number {
        libc::NUD_INCOMPLETE => NeighbourState::Incomplete,
        libc::NUD_REACHABLE => NeighbourState::Reachable,
        libc::NUD_STALE => NeighbourState::Stale,
        libc::NUD_DELAY => NeighbourState::Delay,
        libc::NUD_PROBE => NeighbourState::Probe,
        libc::NUD_FAILED => NeighbourState::Failed,
        libc::NUD_NOARP => NeighbourState::NoArp,
        libc::NUD_PERMANENT => NeighbourState::Permanent,
        other => NeighbourState::Other(other),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message::{attributes, messages};
    use super::*;

    #[test]
    fn an_address_that_was_never_asked_for_is_a_definite_no() {
        let outcome = neighbour([192, 0, 2, 77].into(), NonZeroU32::MIN);
        assert!(matches!(outcome, Outcome::No(Errno::NOENT)), "{outcome:?}");
    }

    #[test]
    fn an_interface_that_does_not_exist_is_a_definite_no() {
        let none = NonZeroU32::new(i32::MAX.cast_unsigned()).unwrap();
        let outcome = neighbour([192, 0, 2, 77].into(), none);
        assert!(matches!(outcome, Outcome::No(Errno::NODEV)), "{outcome:?}");
    }

    #[test]
    fn a_request_names_the_neighbour_and_the_interface() {
        let bytes = request([192, 0, 2, 7].into(), NonZeroU32::new(3).unwrap()).bytes(1);
        let message = messages(&bytes).next().unwrap().unwrap();
        assert_eq!((message.kind, message.flags), (30, 1));
        let three = 3_u32.to_ne_bytes();
        assert_eq!(message.body[..NDMSG], [&[2, 0, 0, 0][..], &three, &[0; 4]].concat());
        let all: Vec<_> = attributes(&message.body[NDMSG..]).collect();
        assert_eq!(all, [Ok((1, &[192, 0, 2, 7][..]))]);
    }

    #[test]
    fn each_number_of_the_kernel_is_a_state() {
        use NeighbourState::{Delay, Failed, Incomplete, NoArp, Other, Permanent, Probe, Reachable, Stale};
        let of = |number: u16| {
            let mut body = [7; NDMSG];
            body[8..10].copy_from_slice(&number.to_ne_bytes());
            read(&body).unwrap()
        };
        assert_eq!([0x01, 0x02, 0x04, 0x08].map(of), [Incomplete, Reachable, Stale, Delay]);
        assert_eq!([0x10, 0x20, 0x40, 0x80].map(of), [Probe, Failed, NoArp, Permanent]);
        assert_eq!([0x00, 0x03, 0x100].map(of), [Other(0), Other(3), Other(0x100)]);
    }

    #[test]
    fn a_cut_entry_is_malformed() {
        for length in 0..NDMSG {
            assert!(read(&vec![0; length]).is_err(), "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_body_is_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(read(&body).is_ok(), body.len() >= NDMSG);
        }
    }
}
