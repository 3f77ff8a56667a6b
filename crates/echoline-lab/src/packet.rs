//! Packet sockets (packet(7)): whole Ethernet frames of one interface.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, sockopt};

use crate::sys;

/// What the socket may hold for us while we do not run.
const RECEIVE_BUFFER: usize = 4 << 20;
/// The longest frame: a 64 KiB packet that nobody has cut yet, and its headers.
pub(crate) const MAX_FRAME: usize = 66_000;

/// A non-blocking packet socket on one interface.
#[derive(Debug)]
pub(crate) struct PacketSocket {
    socket: OwnedFd,
}

/// Whose frames a socket receives.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Receive {
    /// Those that arrive at the interface.
    Arriving,
    /// Those that leave through it too.
    Both,
}

impl PacketSocket {
    /// Opens `interface` of the calling thread's network namespace.
    pub(crate) fn open(interface: &str, receive: Receive) -> io::Result<Self> {
        Self::try_open(interface, receive).map_err(|e| {
            io::Error::new(
                e.kind(),
                format!("cannot open a packet socket on '{}': {e}", interface.escape_debug()),
            )
        })
    }

    fn try_open(interface: &str, receive: Receive) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        // No protocol yet: until it is bound to the interface it must receive nothing.
        let socket = rustix::net::socket_with(AddressFamily::PACKET, SocketType::RAW, flags, None)?;
        // Beyond rmem_max only root of the machine may go; anybody else gets what rmem_max allows.
        if sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER).is_err() {
            sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
        }
        if receive == Receive::Arriving {
            sys::ignore_outgoing(socket.as_fd())?;
        }
        let index = rustix::net::netdevice::name_to_index(&socket, interface)?;
        sys::bind_packet(socket.as_fd(), index)?;
        Ok(Self { socket })
    }

    /// The next frame, if one is there: its length in `buffer`. A frame longer than `buffer` is cut.
    pub(crate) fn receive(&self, buffer: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match rustix::net::recv(&self.socket, &mut *buffer, RecvFlags::empty()) {
                Ok((length, _)) => return Ok(Some(length)),
                Err(Errno::AGAIN) => return Ok(None),
                // The interface went down: said once; frames come again when it is up.
                Err(Errno::INTR | Errno::NETDOWN) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// Sends one frame, or says that the interface refused it (down, smaller MTU, queue full).
    pub(crate) fn send(&self, frame: &[u8]) -> bool {
        loop {
            match rustix::net::send(&self.socket, frame, SendFlags::empty()) {
                Ok(_) => return true,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
    }

    /// Frames that found the buffer full since the last call.
    pub(crate) fn missed(&self) -> u64 {
        sys::packets_missed(self.socket.as_fd()).map_or(0, u64::from)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
