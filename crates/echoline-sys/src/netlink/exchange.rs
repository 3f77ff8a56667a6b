//! Sends one request to the kernel and receives its replies (netlink(7)).
//!
//! Each exchange has its own socket, so no reply to another request waits there. It receives at
//! most [`MAX_DATAGRAMS`] of at most [`MAX_BYTES`] each, and stops when its time is up.

use std::io;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, recvfrom, sendto, socket_with,
};

use super::message::{Malformed, Request};
use super::replies::{Expected, NoAnswer, Replies};

/// The maximum number of datagrams, including those of other senders.
const MAX_DATAGRAMS: usize = 1_000;
/// The kernel sends no larger datagram to a receiver with this much room.
const MAX_BYTES: usize = 32 * 1024;
/// The kernel replies before sendto(2) returns, so this time should never pass.
const TIME_FOR_ONE: Duration = Duration::from_secs(1);
/// The kernel produces a list while it is received.
const TIME_FOR_LIST: Duration = Duration::from_secs(5);
/// Any number works: each socket sends one request.
const SEQUENCE: u32 = 1;
/// The kernel's port. Programs have others.
const KERNEL: u32 = 0;

/// Asks for one entry: a message of this kind, whose body `read` parses.
pub(crate) fn ask_one<T>(
    protocol: Option<Protocol>,
    request: &Request,
    kind: u16,
    read: fn(&[u8]) -> Result<T, Malformed>,
) -> Result<T, NoAnswer> {
    let expected = Expected { kind, read, is_list: false };
    let mut found = ask(protocol, request, expected, TIME_FOR_ONE)?;
    found.pop().ok_or(NoAnswer::Failed(io::ErrorKind::UnexpectedEof.into()))
}

/// Asks for a list of such entries. The request needs the flag [`super::ALL`].
pub(crate) fn ask_list<T>(
    protocol: Option<Protocol>,
    request: &Request,
    kind: u16,
    read: fn(&[u8]) -> Result<T, Malformed>,
) -> Result<Vec<T>, NoAnswer> {
    ask(protocol, request, Expected { kind, read, is_list: true }, TIME_FOR_LIST)
}

fn ask<T>(
    protocol: Option<Protocol>,
    request: &Request,
    expected: Expected<T>,
    time: Duration,
) -> Result<Vec<T>, NoAnswer> {
    let socket = open(protocol).map_err(of_call)?;
    let kernel = SocketAddrNetlink::new(KERNEL, 0);
    sendto(&socket, &request.bytes(SEQUENCE), SendFlags::empty(), &kernel).map_err(of_call)?;
    let mut buffer = vec![0; MAX_BYTES];
    receive(&socket, &mut buffer, Replies::to(SEQUENCE, expected), Instant::now() + time)
}

fn open(protocol: Option<Protocol>) -> Result<OwnedFd, Errno> {
    socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, protocol)
}

/// Receives until the replies are complete.
fn receive<T>(
    socket: &OwnedFd,
    buffer: &mut [u8],
    mut replies: Replies<T>,
    until: Instant,
) -> Result<Vec<T>, NoAnswer> {
    for number in 0..MAX_DATAGRAMS {
        // The first look always happens, however late this thread is scheduled.
        if (number > 0 && Instant::now() >= until) || !is_readable(socket, until).map_err(of_call)? {
            let reason = io::Error::new(io::ErrorKind::TimedOut, "the kernel did not reply in time");
            return Err(NoAnswer::Failed(reason));
        }
        // With TRUNC, `length` is the datagram's own, even if it is larger than the buffer.
        let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
        let (filled, length, sender) = match recvfrom(socket, &mut *buffer, flags) {
            Ok(received) => received,
            Err(Errno::INTR | Errno::AGAIN) => continue,
            // For example ENOBUFS: the kernel had to drop a part of the reply.
            Err(errno) => return Err(of_call(errno)),
        };
        let sender = sender.and_then(|sender| SocketAddrNetlink::try_from(sender).ok());
        if sender.is_none_or(|sender| sender.pid() != KERNEL) {
            continue;
        }
        if length > filled {
            return Err(Malformed("a datagram that is too large").into());
        }
        if replies.take(&buffer[..filled])? {
            return Ok(replies.into_found());
        }
    }
    Err(NoAnswer::Failed(io::Error::other("the kernel's reply has no end")))
}

/// Waits for a datagram or an error; false if the time is up.
fn is_readable(socket: &OwnedFd, until: Instant) -> Result<bool, Errno> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).map_err(|_| Errno::INVAL)?;
        match poll(&mut [PollFd::new(socket, PollFlags::IN)], Some(&timeout)) {
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
            Ok(ready) => return Ok(ready > 0),
        }
    }
}

/// A failed system call proves nothing about what was asked, whatever its number.
fn of_call(errno: Errno) -> NoAnswer {
    NoAnswer::Failed(errno.into())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use rustix::net::{bind, getsockname, netlink};

    use super::*;

    const KIND: u16 = 20;

    /// Why no answer came until then.
    fn failure(socket: &OwnedFd, until: Instant) -> io::Error {
        let expected = Expected { kind: KIND, read: |body| Ok(body.len()), is_list: false };
        let replies = Replies::to(SEQUENCE, expected);
        match receive(socket, &mut [0; 64], replies, until).unwrap_err() {
            NoAnswer::Failed(reason) => reason,
            NoAnswer::Refused(errno) => panic!("{errno}"),
        }
    }

    /// A socket that other programs may send to, and its address.
    fn reachable() -> (OwnedFd, SocketAddrNetlink) {
        let socket = open(Some(netlink::USERSOCK)).unwrap();
        bind(&socket, &SocketAddrNetlink::new(0, 0)).unwrap();
        let address = getsockname(&socket).unwrap().try_into().unwrap();
        (socket, address)
    }

    #[test]
    fn an_answer_from_another_program_is_ignored() {
        let (socket, address) = reachable();
        let (other, _) = reachable();
        let forged = Request::new(KIND, 0, &[7; 4]).bytes(SEQUENCE);
        sendto(&other, &forged, SendFlags::empty(), &address).unwrap();
        assert!(is_readable(&socket, Instant::now()).unwrap());
        assert_eq!(failure(&socket, Instant::now()).kind(), io::ErrorKind::TimedOut);
        // It was received and ignored.
        assert!(!is_readable(&socket, Instant::now()).unwrap());
    }

    #[test]
    fn the_wait_for_a_silent_kernel_is_bounded() {
        let (socket, _) = reachable();
        let (begin, time) = (Instant::now(), Duration::from_millis(30));
        assert_eq!(failure(&socket, begin + time).kind(), io::ErrorKind::TimedOut);
        assert!(begin.elapsed() >= time);
    }

    #[test]
    fn other_senders_cannot_keep_it_receiving() {
        let (socket, address) = reachable();
        let (other, _) = reachable();
        let stop = AtomicBool::new(false);
        let reason = thread::scope(|scope| {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    if sendto(&other, &[0; 16], SendFlags::DONTWAIT, &address).is_err() {
                        thread::yield_now();
                    }
                }
            });
            let reason = failure(&socket, Instant::now() + Duration::from_secs(60));
            stop.store(true, Ordering::Relaxed);
            reason
        });
        assert!(reason.to_string().contains("no end"), "{reason}");
    }

    #[test]
    fn a_datagram_that_does_not_fit_is_no_answer() {
        let socket = open(None).unwrap();
        // The list of interfaces (NLM_F_REQUEST, NLM_F_DUMP): more than 64 bytes each.
        let request = Request::new(libc::RTM_GETLINK, 0x301, &[0; 16]).bytes(SEQUENCE);
        sendto(&socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(KERNEL, 0)).unwrap();
        let reason = failure(&socket, Instant::now() + Duration::from_secs(20));
        assert!(reason.to_string().contains("too large"), "{reason}");
    }

    #[test]
    fn the_kernel_refuses_a_question_that_it_does_not_know() {
        // RTM_GETROUTE of a family that does not exist.
        let request = Request::new(libc::RTM_GETROUTE, 1, &[255; 12]);
        let result = ask_one(None, &request, libc::RTM_NEWROUTE, |body| Ok(body.len()));
        assert!(matches!(result, Err(NoAnswer::Refused(Errno::OPNOTSUPP))), "{result:?}");
    }
}
