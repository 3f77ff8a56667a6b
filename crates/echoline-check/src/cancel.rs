//! Ends a check early.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How soon a wait learns that it was cancelled.
const STEP: Duration = Duration::from_millis(50);
/// How much later than its deadline a question ends at the latest.
#[cfg(target_os = "linux")]
const MARGIN: Duration = Duration::from_secs(60);

/// Ends a check before its time: every wait of it looks here, and what is known by then is
/// reported.
///
/// A clone is the same token. This crate installs no signal handlers; a program that has one hands
/// its flag over:
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// use echoline_check::Cancel;
///
/// let interrupted = Arc::new(AtomicBool::new(false));
/// let cancel = Cancel::from(Arc::clone(&interrupted));
/// interrupted.store(true, Ordering::Relaxed);
/// assert!(cancel.is_cancelled());
/// ```
#[derive(Debug, Clone, Default)]
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// A token that nobody has used yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends every check that was given this token, within a tenth of a second.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Was it used?
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl From<Arc<AtomicBool>> for Cancel {
    fn from(flag: Arc<AtomicBool>) -> Self {
        Self(flag)
    }
}

#[cfg(target_os = "linux")]
impl Cancel {
    /// How long to wait now, before looking here again; `None` if there is nothing left to wait
    /// for.
    pub(crate) fn step(&self, until: Instant) -> Option<Duration> {
        let left = until.saturating_duration_since(Instant::now());
        (!left.is_zero() && !self.is_cancelled()).then(|| left.min(STEP))
    }

    /// What comes until then.
    pub(crate) fn receive<T>(&self, receiver: &std::sync::mpsc::Receiver<T>, until: Instant) -> Received<T> {
        use std::sync::mpsc::RecvTimeoutError;

        // Also where no time is left: it may be there already.
        let mut step = Duration::ZERO;
        loop {
            match receiver.recv_timeout(step) {
                Ok(value) => return Received::Here(value),
                Err(RecvTimeoutError::Disconnected) => return Received::Never,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let Some(next) = self.step(until) else { return Received::NotYet };
            step = next;
        }
    }
}

#[cfg(target_os = "linux")]
impl Cancel {
    /// What `question` answers, which has deadlines of its own, all within `patience`; `None` if it
    /// was cancelled, or there is no thread to ask on. The thread then ends by itself.
    pub(crate) fn ask<T: Send + 'static>(
        &self,
        patience: Duration,
        question: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = std::sync::mpsc::channel();
        // Nobody listens any more where it was cancelled.
        let ask = move || drop(answer.send(question()));
        std::thread::Builder::new().spawn(ask).ok()?;
        match self.receive(&answered, Instant::now() + patience + MARGIN) {
            Received::Here(value) => Some(value),
            Received::NotYet | Received::Never => None,
        }
    }
}

/// What a wait came to.
#[cfg(target_os = "linux")]
pub(crate) enum Received<T> {
    Here(T),
    NotYet,
    /// The other side is gone.
    Never,
}
