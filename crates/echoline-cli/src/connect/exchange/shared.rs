//! What the sending and the receiving side of an exchange know of each other.

use std::io;
use std::num::NonZeroUsize;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::connect::conversation::Tally;
use crate::connect::window::Window;

/// What both sides know.
pub(super) struct Shared {
    state: Mutex<State>,
    /// There is more room in the window, or the exchange has stopped.
    pub(super) room: Condvar,
}

pub(super) struct State {
    pub(super) window: Window,
    pub(super) sent: Tally,
    pub(super) sending: Sending,
    pub(super) stopped: bool,
}

/// What the sender does, and since when without progress.
pub(super) enum Sending {
    Reading,
    WaitingForRoom(Instant),
    Writing(Instant),
    Ended(Instant),
    InputFailed(Option<io::Error>),
    /// The connection broke, and the sender is who was told: the system tells it once, and then shows an end of input.
    Broken(Option<io::Error>),
}

impl Shared {
    pub(super) fn new(window: NonZeroUsize) -> Self {
        let state = State {
            window: Window::new(window),
            sent: Tally::default(),
            sending: Sending::Reading,
            stopped: false,
        };
        Self { state: Mutex::new(state), room: Condvar::new() }
    }

    /// A thread that panicked already said so; its state is still whole enough to report.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
