//! Names of network interfaces (netdevice(7), `SIOCGIFNAME`).

use std::num::NonZeroU32;

use rustix::io::Errno;
use rustix::net::netdevice::index_to_name;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};

use crate::Outcome;

/// The name of the network interface with this index, as in `eth0`.
///
/// A no is `ENODEV`: no interface of this network namespace has the index. The question fails if
/// no socket can be opened, or if the name is not UTF-8.
pub fn interface_name(index: NonZeroU32) -> Outcome<String> {
    // The ioctl works on any socket. This kind exists even where IP does not.
    let socket = match socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None) {
        Ok(socket) => socket,
        Err(errno) => return Outcome::Failed(errno.into()),
    };
    match index_to_name(socket, index.get()) {
        Ok(name) => Outcome::Answer(name),
        Err(Errno::NODEV) => Outcome::No(Errno::NODEV),
        Err(errno) => Outcome::Failed(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_has_its_name_in_every_namespace_and_index_1() {
        assert_eq!(interface_name(NonZeroU32::MIN).answer().as_deref(), Some("lo"));
    }

    #[test]
    fn an_index_that_no_interface_has_is_a_definite_no() {
        let none = NonZeroU32::new(i32::MAX.cast_unsigned()).unwrap();
        assert!(matches!(interface_name(none), Outcome::No(Errno::NODEV)));
    }
}
