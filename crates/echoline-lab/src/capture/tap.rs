//! Listening at an interface without being in the way.

use std::io::{self, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::socket::{self, ControlMessageOwned, LinkAddr, MsgFlags, sockopt};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

use crate::packet::{MAX_FRAME, PacketSocket, Receive};

/// A frame as it passed an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// When the kernel saw it.
    pub at: SystemTime,
    /// True if the interface sent it, false if it arrived there.
    pub outgoing: bool,
    /// The frame, from its Ethernet header on.
    pub bytes: Vec<u8>,
}

/// Sees each frame that arrives at an interface or leaves through it.
///
/// On a clean link one frame may be up to 64 KiB long with an unfinished checksum: the kernel cuts it up only
/// where a real wire would begin.
#[derive(Debug)]
pub struct Tap {
    socket: PacketSocket,
    buffer: Vec<u8>,
    control: Vec<u8>,
}

impl Tap {
    /// Listens at `interface` of the calling thread's network namespace; the caller may leave it afterwards.
    ///
    /// # Errors
    ///
    /// No such interface here, or no right to listen to it (CAP_NET_RAW in the namespace).
    pub fn open(interface: &str) -> io::Result<Self> {
        let socket = PacketSocket::open(interface, Receive::Both)?;
        socket::setsockopt(&socket.as_fd(), sockopt::ReceiveTimestampns, &true)?;
        let control = nix::cmsg_space!(nix::sys::time::TimeSpec);
        Ok(Self { socket, buffer: vec![0; MAX_FRAME], control })
    }

    /// The next frame, or `None` if none passes before `deadline`.
    ///
    /// # Errors
    ///
    /// The socket failed. An interface that goes down is none.
    pub fn next(&mut self, deadline: Instant) -> io::Result<Option<Frame>> {
        loop {
            match self.receive() {
                Err(nix::Error::EAGAIN) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(None);
                    }
                    self.wait(left)?;
                }
                // The interface went down: said once; frames come again when it is up.
                Err(nix::Error::EINTR | nix::Error::ENETDOWN) => {}
                other => return Ok(other.map(Some)?),
            }
        }
    }

    /// Frames that were missed, since they came faster than they were taken, since the last call.
    pub fn missed(&self) -> u64 {
        self.socket.missed()
    }

    fn receive(&mut self) -> nix::Result<Frame> {
        let (at, outgoing, length) = {
            let mut parts = [IoSliceMut::new(&mut self.buffer)];
            let fd = self.socket.as_fd().as_raw_fd();
            let message =
                socket::recvmsg::<LinkAddr>(fd, &mut parts, Some(&mut self.control), MsgFlags::empty())?;
            let stamp = message.cmsgs()?.find_map(|part| match part {
                ControlMessageOwned::ScmTimestampns(stamp) => Some(Duration::from(stamp)),
                _ => None,
            });
            let outgoing = message.address.is_some_and(|from| from.pkttype() == libc::PACKET_OUTGOING);
            (stamp.map_or_else(SystemTime::now, |stamp| UNIX_EPOCH + stamp), outgoing, message.bytes)
        };
        Ok(Frame { at, outgoing, bytes: self.buffer[..length].to_vec() })
    }

    fn wait(&self, left: Duration) -> io::Result<()> {
        let timeout = Timespec::try_from(left).ok();
        match poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }
}
