//! Ctrl-C and SIGTERM: end the conversation, keep its summary.

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use echoline_check::no_thread;
use echoline_diagnosis::{Diagnosis, ExitStatus};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::talk::Talk;

/// Ends a conversation from another thread.
#[derive(Debug, Clone)]
pub(super) struct Interrupt {
    flag: Arc<AtomicBool>,
    stream: Arc<TcpStream>,
}

impl Interrupt {
    /// How long the summary may take when standard output is blocked.
    const GRACE: Duration = Duration::from_secs(1);

    pub(super) fn new(stream: Arc<TcpStream>) -> Self {
        Self { flag: Arc::default(), stream }
    }

    /// One that SIGINT and SIGTERM set off. Where signals cannot be had, they end the process as they always do.
    pub(super) fn on_signals(stream: Arc<TcpStream>, talk: Talk) -> Result<Self, Diagnosis> {
        let interrupt = Self::new(stream);
        if let Ok(mut signals) = Signals::new([SIGINT, SIGTERM]) {
            let on_signal = interrupt.clone();
            let wait = move || {
                if signals.forever().next().is_some() {
                    on_signal.interrupt();
                    std::thread::sleep(Self::GRACE);
                    talk.say("Interrupted while nobody took what came back.");
                    std::process::exit(ExitStatus::Interrupted as i32);
                }
            };
            let spawned = std::thread::Builder::new().spawn(wait);
            spawned.map_err(|error| no_thread("wait for signals", &error))?;
        }
        Ok(interrupt)
    }

    pub(super) fn interrupt(&self) {
        self.flag.store(true, Ordering::SeqCst);
        // Wakes whoever is blocked on the socket; if it is gone, so is the conversation.
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    pub(super) fn is_interrupted(&self) -> bool {
        self.flag.load(Ordering::SeqCst)
    }
}
