//! The system calls on connections and listeners, in one place, so that tests can have each of them fail.

use std::io::{self, Read as _};
use std::net::{Shutdown, SocketAddr};

use mio::net::{TcpListener, TcpStream};
use rustix::io::Errno;
use rustix::net::{SendAncillaryBuffer, SendFlags};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    Receive,
    Send,
    ShutOutput,
    Accept,
}

pub(super) fn receive(stream: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
    fail(Call::Receive)?;
    if floods() {
        buffer.fill(b'x');
        return Ok(buffer.len());
    }
    let mut stream = stream;
    stream.read(buffer)
}

/// Apple's systems have no such flag, and connections have `SO_NOSIGPIPE` from their listener.
#[cfg(target_vendor = "apple")]
const NO_SIGPIPE: SendFlags = SendFlags::empty();
#[cfg(not(target_vendor = "apple"))]
const NO_SIGPIPE: SendFlags = SendFlags::NOSIGNAL;

/// One write: both parts together, or what the kernel takes of them. A broken connection is an error, never SIGPIPE.
pub(super) fn send(stream: &TcpStream, held: &[u8], input: &[u8]) -> io::Result<usize> {
    let sent = rustix::io::retry_on_intr(|| {
        fail(Call::Send)?;
        if held.is_empty() {
            rustix::net::send(stream, input, NO_SIGPIPE)
        } else if input.is_empty() {
            rustix::net::send(stream, held, NO_SIGPIPE)
        } else {
            let parts = [io::IoSlice::new(held), io::IoSlice::new(input)];
            rustix::net::sendmsg(stream, &parts, &mut SendAncillaryBuffer::default(), NO_SIGPIPE)
        }
    })?;
    Ok(sent)
}

pub(super) fn shut_output(stream: &TcpStream) -> io::Result<()> {
    fail(Call::ShutOutput)?;
    stream.shutdown(Shutdown::Write)
}

pub(super) fn accept(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    fail(Call::Accept)?;
    listener.accept()
}

/// In tests, the error that the call is to fail with.
#[cfg(not(test))]
#[inline]
#[expect(clippy::unnecessary_wraps, reason = "tests have one that fails")]
fn fail(_call: Call) -> Result<(), Errno> {
    Ok(())
}

/// In tests, does the client pour faster than anybody can read?
#[cfg(not(test))]
#[inline]
const fn floods() -> bool {
    false
}

#[cfg(test)]
use failing::{fail, floods};

#[cfg(test)]
pub(super) mod failing {
    use std::cell::Cell;

    use super::{Call, Errno};

    /// One call of this thread fails, after so many that do not.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct Failure {
        pub(crate) call: Call,
        pub(crate) errno: Errno,
        pub(crate) after: u8,
    }

    thread_local! {
        static NEXT: Cell<Option<Failure>> = const { Cell::new(None) };
        static FLOODS: Cell<bool> = const { Cell::new(false) };
    }

    /// From now on every receive of this thread fills its buffer.
    pub(crate) fn flood() {
        FLOODS.set(true);
    }

    pub(super) fn floods() -> bool {
        FLOODS.get()
    }

    /// Returns the one that has not happened yet.
    pub(crate) fn set(failure: Option<Failure>) -> Option<Failure> {
        NEXT.replace(failure)
    }

    pub(super) fn fail(call: Call) -> Result<(), Errno> {
        let Some(failure) = NEXT.get().filter(|failure| failure.call == call) else { return Ok(()) };
        match failure.after.checked_sub(1) {
            Some(after) => NEXT.set(Some(Failure { after, ..failure })),
            None => {
                NEXT.set(None);
                return Err(failure.errno);
            }
        }
        Ok(())
    }
}
