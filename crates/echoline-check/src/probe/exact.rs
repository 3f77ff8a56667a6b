//! So many bytes, or none of them: with one deadline for all.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::cancel::Cancel;

/// As `Read::read_exact`, and in time: a read timeout begins anew with every byte that comes.
pub(super) fn read_exact_until(
    mut stream: &TcpStream,
    mut room: &mut [u8],
    until: Instant,
    cancel: &Cancel,
) -> io::Result<()> {
    while !room.is_empty() {
        let Some(step) = cancel.step(until) else { return Err(ErrorKind::TimedOut.into()) };
        // The kernel's clock counts in microseconds, and zero is for ever.
        stream.set_read_timeout(Some(step.max(Duration::from_micros(1))))?;
        match stream.read(room) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(length) => room = &mut room[length..],
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
