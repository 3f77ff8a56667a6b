//! The sending side of an exchange: reads the input, waits for room, sends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::shared::{Sending, Shared, State};
use crate::connect::conversation::{Options, is_timeout};
use crate::connect::crlf::Crlf;
use crate::connect::trace::Call;

pub(super) struct Sender {
    pub(super) shared: Arc<Shared>,
    pub(super) stream: Arc<TcpStream>,
    pub(super) options: Options,
}

impl Sender {
    const READ_MAX: usize = 128 * 1024;
    /// Waiting for a little more room makes fewer, larger sends.
    const ROOM_WORTH_A_SEND: usize = 16 * 1024;

    /// Ends at the end of input, or when nothing more can or shall be sent.
    pub(super) fn run(&self, mut input: impl Read) {
        let mut buffer = vec![0; Self::READ_MAX];
        let mut crlf = self.options.crlf.then(Crlf::default);
        loop {
            let read = match input.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.set(Sending::InputFailed(Some(error)));
                    // Makes the server finish, so that the receiver comes to its end.
                    let _ = self.stream.shutdown(Shutdown::Write);
                    return;
                }
            };
            let piece = &buffer[..read];
            let piece = crlf.as_mut().map_or(piece, |crlf| crlf.convert(piece));
            if self.send(piece).is_none() {
                return;
            }
            self.set(Sending::Reading);
        }
        // First the note, then the deed: the answer to our FIN must find the note.
        self.set(Sending::Ended(Instant::now()));
        self.options.trace.call(Call::Finish);
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn set(&self, sending: Sending) {
        self.shared.lock().sending = sending;
    }

    /// `None` when nothing more can or shall be sent.
    fn send(&self, mut piece: &[u8]) -> Option<()> {
        while !piece.is_empty() {
            let (now, later) = piece.split_at(self.reserve(piece)?);
            self.options.trace.call(Call::Send(now.len()));
            self.write(now)?;
            piece = later;
        }
        Some(())
    }

    /// Waits for room and notes the start of `piece` as sent; returns how much of it.
    fn reserve(&self, piece: &[u8]) -> Option<usize> {
        let mut state = self.shared.lock();
        let mut length = piece.len();
        if self.options.verify {
            let worth = length.min(Self::ROOM_WORTH_A_SEND).min(self.options.window.get());
            if state.window.room() < worth {
                state.sending = Sending::WaitingForRoom(Instant::now());
            }
            let full = |state: &mut State| !state.stopped && state.window.room() < worth;
            state = self.shared.room.wait_while(state, full).unwrap_or_else(PoisonError::into_inner);
            length = length.min(state.window.room());
            state.window.push(&piece[..length], Instant::now());
        }
        if state.stopped {
            return None;
        }
        state.sent.add(&piece[..length]);
        state.sending = Sending::Writing(Instant::now());
        Some(length)
    }

    fn write(&self, mut bytes: &[u8]) -> Option<()> {
        while !bytes.is_empty() {
            match (&*self.stream).write(bytes) {
                Ok(written) => {
                    bytes = &bytes[written..];
                    self.set(Sending::Writing(Instant::now()));
                }
                // The write timeout: the receiver judges whether that is too long.
                Err(error) if is_timeout(&error) || error.kind() == ErrorKind::Interrupted => {
                    if self.shared.lock().stopped {
                        return None;
                    }
                }
                // After the end of the other side, which is what the receiver learns.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => return None,
                Err(error) => {
                    self.set(Sending::Broken(Some(error)));
                    self.shared.room.notify_all();
                    return None;
                }
            }
        }
        Some(())
    }
}
