//! SIGINT and SIGTERM as values.

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::io;
use std::sync::mpsc::Sender;

/// Sends a message for each signal, from a thread of its own, for as long as the process lives.
pub(super) fn send_each<M: Send + 'static>(to: Sender<M>, message: fn(&'static str) -> M) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let body = move || {
        for signal in signals.forever() {
            let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
            if to.send(message(name)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("echoline-signals".to_owned()).spawn(body)?;
    Ok(())
}
