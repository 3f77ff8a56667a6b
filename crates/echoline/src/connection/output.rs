//! The output stream of a connection.

use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use echoline_diagnosis::{Diagnosis as Error, Operation, text};

use super::{Shared, shortest};

/// The output stream of a [`Connection`](super::Connection). Nothing is buffered here: each call hands its bytes to
/// the kernel.
#[derive(Debug)]
pub struct Output {
    pub(super) shared: Arc<Shared>,
}

impl Output {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// As [`Connection::send`](super::Connection::send).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        let mut sent = 0;
        while sent < bytes.len() {
            match self.write(&bytes[sent..]) {
                Ok(0) => return Err(self.failed(sent, bytes.len(), io::ErrorKind::WriteZero.into())),
                Ok(n) => sent += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.failed(sent, bytes.len(), error)),
            }
        }
        Ok(())
    }

    /// As [`Connection::send_line`](super::Connection::send_line).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn send_line(&mut self, line: &str) -> Result<(), Error> {
        let mut bytes = Vec::with_capacity(line.len() + 1);
        bytes.extend_from_slice(line.as_bytes());
        bytes.push(b'\n');
        self.send(&bytes)
    }

    /// As [`Connection::finish`](super::Connection::finish).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn finish(&mut self) -> Result<(), Error> {
        let result = self.shared.stream.shutdown(Shutdown::Write);
        result.map_err(|error| self.shared.failed(Operation::Finish, "before the output was finished", error))
    }

    /// As [`Connection::set_write_timeout`](super::Connection::set_write_timeout).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn set_timeout(&self, timeout: Option<Duration>) -> Result<(), Error> {
        self.shared.set(self.shared.stream.set_write_timeout(shortest(timeout)))
    }

    fn failed(&self, sent: usize, of: usize, error: io::Error) -> Error {
        self.shared.failed(Operation::Send, text!("after {} of {} bytes to send", sent, of), error)
    }
}

/// No `write_vectored`: the standard library's would use writev(2), which raises SIGPIPE.
impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (&self.shared.stream).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
