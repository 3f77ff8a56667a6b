//! So many bytes, or none of them: with one deadline for all.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// As `Read::read_exact`, and in time: a read timeout begins anew with every byte that comes.
pub(super) fn read_exact_until(
    mut stream: &TcpStream,
    mut room: &mut [u8],
    until: Instant,
) -> io::Result<()> {
    while !room.is_empty() {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        // The kernel's clock counts in microseconds, and zero is for ever.
        stream.set_read_timeout(Some(left.max(Duration::from_micros(1))))?;
        match stream.read(room) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => room = &mut room[length..],
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
