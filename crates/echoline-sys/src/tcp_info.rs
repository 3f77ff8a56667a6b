//! What the kernel knows about a TCP socket (tcp(7), `TCP_INFO`).

use std::io;
use std::mem::{MaybeUninit, size_of};
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// The kernel's figures of one TCP socket, of those that tell what became of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TcpInfo {
    /// How often in a row the retransmission timer ran out without an acknowledgement.
    pub timeouts: u32,
    /// Segments on the way: sent and not acknowledged. A connection request counts as one.
    pub unacknowledged: u32,
    /// Of these, how many were sent again and *left the IP layer*. Zero after a timeout means that this machine itself
    /// refused to send: `tcp_retransmit_skb` counts a segment only when handing it down worked.
    pub sent_again: u32,
    /// Segments sent again in the life of the connection, those included that this machine refused to send.
    pub total_sent_again: u32,
    /// How long ago the last acknowledgement came, to some milliseconds.
    pub since_acknowledgement: Duration,
    /// Smoothed round-trip time (RFC 6298). Zero before the first measurement.
    pub round_trip: Duration,
    /// Its variation (RFC 6298).
    pub round_trip_variation: Duration,
    /// The largest segment that is sent, in bytes.
    pub segment_bytes: u32,
    /// The largest packet that the path is known to take, in bytes.
    pub path_mtu: u32,
}

/// Asks for them.
///
/// # Errors
/// What getsockopt(2) reports: the descriptor is no TCP socket.
pub fn tcp_info(socket: impl AsFd) -> io::Result<TcpInfo> {
    let info = ask(socket)?;
    Ok(TcpInfo {
        timeouts: u32::from(info.tcpi_retransmits),
        unacknowledged: info.tcpi_unacked,
        sent_again: info.tcpi_retrans,
        total_sent_again: info.tcpi_total_retrans,
        since_acknowledgement: Duration::from_millis(u64::from(info.tcpi_last_ack_recv)),
        round_trip: Duration::from_micros(u64::from(info.tcpi_rtt)),
        round_trip_variation: Duration::from_micros(u64::from(info.tcpi_rttvar)),
        segment_bytes: info.tcpi_snd_mss,
        path_mtu: info.tcpi_pmtu,
    })
}

/// How many connections may wait in the queue of a listener: what was asked of listen(2), as far as
/// `net.core.somaxconn` allowed it.
///
/// # Errors
/// What getsockopt(2) reports: the descriptor is no TCP socket.
pub fn backlog(listener: impl AsFd) -> io::Result<u32> {
    // Of a socket that listens, this field is the queue's limit (`tcp_get_info`, `sk_max_ack_backlog`).
    Ok(ask(listener)?.tcpi_sacked)
}

fn ask(socket: impl AsFd) -> io::Result<libc::tcp_info> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = size_of::<libc::tcp_info>() as libc::socklen_t;
    // SAFETY: the descriptor is open while `socket` is borrowed; `info` has `length` bytes that may be written, and
    // `length` is a socklen_t of its own.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: all fields are integers, all zero before the call; the kernel wrote a part of them, so all have values.
    Ok(unsafe { info.assume_init() })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream, UdpSocket};

    use super::*;

    #[test]
    fn a_new_connection_has_a_round_trip_and_nothing_on_the_way() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let info = tcp_info(&stream).unwrap();
        assert!(info.round_trip > Duration::ZERO, "{info:?}");
        assert_eq!((info.timeouts, info.unacknowledged, info.total_sent_again), (0, 0, 0), "{info:?}");
        assert!(info.since_acknowledgement < Duration::from_secs(60), "{info:?}");
        assert!(info.segment_bytes > 500 && info.path_mtu > info.segment_bytes, "{info:?}");
    }

    #[test]
    fn a_listener_has_the_backlog_that_was_asked_for() {
        let listener = socket2::Socket::from(TcpListener::bind("127.0.0.1:0").unwrap());
        for asked in [7, 23] {
            // Listening again changes the limit alone (listen(2)).
            listener.listen(asked).unwrap();
            assert_eq!(backlog(&listener).unwrap(), u32::try_from(asked).unwrap());
        }
    }

    #[test]
    fn what_is_no_tcp_socket_is_an_error() {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        assert!(tcp_info(&socket).is_err() && backlog(&socket).is_err());
    }
}
