//! Everything from an input to the server and everything back, both at once, with many lines in flight.
//!
//! One thread reads the input and sends; the caller's thread receives, compares and passes on. Each blocks only
//! on its own side, so a server that stops reading until its answers are taken cannot lock the two up.

mod receiver;
mod sender;
mod shared;

use std::io::Read;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use echoline_check::no_thread;

use self::receiver::Receiver;
use self::sender::Sender;
use self::shared::Shared;
use super::conversation::{Ending, Exchanged, Options};
use super::interrupt::Interrupt;
use super::trace::Call;
use crate::failure::Stop;

/// Sends all of `input`, hands what comes back to `output`, and returns when both ended or something went wrong.
///
/// # Errors
/// What `output` answers.
pub(super) fn exchange(
    input: impl Read + Send + 'static,
    stream: &Arc<TcpStream>,
    mut output: impl FnMut(&[u8]) -> Result<(), Stop>,
    interrupt: &Interrupt,
    options: Options,
) -> Result<Exchanged, Stop> {
    let shared = Arc::new(Shared::new(options.window));
    let sender = Sender { shared: Arc::clone(&shared), stream: Arc::clone(stream), options };
    let spawned = std::thread::Builder::new().spawn(move || sender.run(input));
    spawned.map_err(|error| no_thread("send", &error))?;
    let mut receiver = Receiver::new(&shared, stream, options);
    let ending = receiver.run(&mut output);
    // Frees the sender, unless it waits for input; then it ends with the process.
    let _ = stream.shutdown(Shutdown::Both);
    shared.lock().stopped = true;
    shared.room.notify_all();
    options.trace.call(Call::Close);
    // What broke behind an interrupt broke because of it: Ctrl-C ends the reader of our output too.
    let ending = if interrupt.is_interrupted() { Ending::Interrupted } else { ending? };
    let (received, round_trips) = (receiver.received, receiver.round_trips);
    Ok(Exchanged { sent: shared.lock().sent, received, round_trips, ending })
}

#[cfg(test)]
mod tests;
