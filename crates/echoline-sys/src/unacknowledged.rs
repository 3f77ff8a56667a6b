//! How much of what was sent the other side has not taken yet (tcp(7), `SIOCOUTQ`).

use std::io;
use std::os::fd::{AsFd, AsRawFd};

/// Bytes in the socket's send queue: sent and not acknowledged, or not sent yet.
///
/// # Errors
/// What ioctl(2) reports: the descriptor is no stream socket, or a listening one.
pub fn unacknowledged(socket: impl AsFd) -> io::Result<u32> {
    let mut queued: libc::c_int = 0;
    // SAFETY: the descriptor is open while `socket` is borrowed. `TIOCOUTQ`, which is the same number as `SIOCOUTQ`,
    // writes one int, and `queued` is one.
    let result = unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut queued) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    u32::try_from(queued).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;

    #[test]
    fn what_the_other_side_has_no_room_for_is_counted_until_it_reads() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut reader, _) = listener.accept().unwrap();
        assert_eq!(unacknowledged(&sender).unwrap(), 0);
        sender.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while let Ok(taken) = sender.write(&[0; 65536]) {
            sent += taken;
        }
        let queued = unacknowledged(&sender).unwrap();
        assert!(queued > 0 && queued as usize <= sent, "{queued} of {sent}");
        reader.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        reader.read_exact(&mut vec![0; sent]).unwrap();
        assert!(unacknowledged(&sender).unwrap() < queued);
    }

    #[test]
    fn a_file_has_no_send_queue() {
        assert!(unacknowledged(std::fs::File::open("/dev/null").unwrap()).is_err());
    }
}
