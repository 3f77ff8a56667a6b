//! SIGINT, SIGTERM and SIGUSR1 as values.

use std::io;
use std::sync::mpsc::Sender;

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::iterator::Signals;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    /// To end; the name of the signal.
    End(&'static str),
    /// To write the counters as they stand.
    Counters,
}

/// Sends a message for each signal, from a thread of its own, for as long as the process lives.
pub(super) fn send_each<M: Send + 'static>(to: Sender<M>, message: fn(Asked) -> M) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1])?;
    let body = move || {
        for signal in signals.forever() {
            let asked = match signal {
                SIGINT => Asked::End("SIGINT"),
                SIGTERM => Asked::End("SIGTERM"),
                _ => Asked::Counters,
            };
            if to.send(message(asked)).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new().name("echoline-signals".to_owned()).spawn(body)?;
    Ok(())
}
