//! One line of the log for a burst of the same thing: whoever provokes it must not write the log.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::stats::Ending;

/// Between two lines about the same thing.
const PAUSE: Duration = Duration::from_secs(10);

/// What clients can provoke in a server, whichever worker sees it.
#[derive(Debug, Default)]
pub(crate) struct Bursts {
    pub(crate) full: Burst,
    pub(crate) source_full: Burst,
    pub(crate) pressure: Burst,
    pub(crate) shortage: Burst,
    pub(crate) long_line: Burst,
    pub(crate) slow_reader: Burst,
    pub(crate) unwatched: Burst,
    pub(crate) endings: [Burst; Ending::ALL.len()],
}

/// Decides which occurrences are told. No clock of its own.
#[derive(Debug, Default)]
pub(crate) struct Burst(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    told: Option<Instant>,
    untold: u64,
}

impl Burst {
    /// It happened again. `Some(n)` if it is to be told, with how often it happened untold since it last was.
    pub(crate) fn note(&self, now: Instant) -> Option<u64> {
        // Whole between statements, so a panic elsewhere does not spoil it.
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.told.is_some_and(|told| now.saturating_duration_since(told) < PAUSE) {
            state.untold += 1;
            return None;
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_told_once_and_the_next_says_how_many_there_were() {
        let start = Instant::now();
        let burst = Burst::default();
        assert_eq!(burst.note(start), Some(0));
        for ms in 1..10_000 {
            assert_eq!(burst.note(start + Duration::from_millis(ms)), None);
        }
        assert_eq!(burst.note(start + PAUSE), Some(9_999));
        assert_eq!(burst.note(start + PAUSE), None);
        assert_eq!(burst.note(start + 2 * PAUSE), Some(1));
    }
}
