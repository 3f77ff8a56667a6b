//! The few system calls that no kept crate wraps safely. All `unsafe` of this crate stands here.

use std::mem;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use rustix::io;
use rustix::thread::UnshareFlags;

/// Gives the calling thread namespaces (and file system attributes) of its own.
pub(crate) fn unshare(flags: UnshareFlags) -> io::Result<()> {
    assert!(!flags.contains(UnshareFlags::FILES), "descriptors stay shared");
    // SAFETY: what makes `unshare` unsafe is a descriptor table of one's own (`FILES`), which is refused above.
    unsafe { rustix::thread::unshare_unsafe(flags) }
}

/// Takes over a descriptor that the outer stage of this program left open for this one.
pub(crate) fn own(fd: RawFd) -> OwnedFd {
    // SAFETY: the outer stage opened this pipe for its successor alone and passed the number; nothing else in
    // this process knows it, so nothing else closes it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

/// Binds a packet socket to one interface; it then receives that interface's frames, of every protocol.
pub(crate) fn bind_packet(socket: BorrowedFd<'_>, interface: u32) -> std::io::Result<()> {
    // SAFETY: `sockaddr_ll` is plain integers, for which all zeros is a value.
    let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    address.sll_ifindex = i32::try_from(interface).map_err(|_| std::io::ErrorKind::InvalidInput)?;
    let length = size_of_val(&address) as libc::socklen_t;
    // SAFETY: the pointer and length describe `address`, which lives through the call; the kernel only reads it.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) })
}

/// Frames that this socket itself or others send through the interface are not received (packet(7)).
pub(crate) fn ignore_outgoing(socket: BorrowedFd<'_>) -> std::io::Result<()> {
    let on: libc::c_int = 1;
    let length = size_of_val(&on) as libc::socklen_t;
    let value = (&raw const on).cast();
    let (level, option) = (libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING);
    // SAFETY: the pointer and length describe `on`, which lives through the call; the kernel only reads it.
    check(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, length) })
}

/// Frames that found the socket's receive buffer full since the last call (packet(7), PACKET_STATISTICS).
pub(crate) fn packets_missed(socket: BorrowedFd<'_>) -> std::io::Result<u32> {
    let mut stats = libc::tpacket_stats { tp_packets: 0, tp_drops: 0 };
    let mut length = size_of_val(&stats) as libc::socklen_t;
    let value = (&raw mut stats).cast();
    let (level, option) = (libc::SOL_PACKET, libc::PACKET_STATISTICS);
    // SAFETY: the pointer and length describe `stats`, which lives through the call; the kernel writes at most that.
    check(unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, value, &raw mut length) })?;
    Ok(stats.tp_drops)
}

/// `struct ethtool_value` of linux/ethtool.h.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// One legacy ethtool command (`ETHTOOL_S...`) with a value, on an interface of the calling thread's namespace.
pub(crate) fn ethtool(interface: &str, command: u32, data: u32) -> std::io::Result<()> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0")?; // any socket carries the request
    let mut value = EthtoolValue { command, data };
    // SAFETY: `ifreq` is plain integers, a pointer and bytes, for which all zeros is a value.
    let mut request: libc::ifreq = unsafe { mem::zeroed() };
    if interface.len() >= request.ifr_name.len() {
        return Err(std::io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *to = from as libc::c_char;
    }
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: `request` names an interface with a NUL behind it, and its data points to `value`, the structure that
    // these commands read and write; both live through the call.
    check(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) })
}

fn check(result: libc::c_int) -> std::io::Result<()> {
    if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}
