//! One line of the log for a burst of the same thing: whoever provokes it must not write the log.

use std::time::{Duration, Instant};

/// Between two lines about the same thing.
const PAUSE: Duration = Duration::from_secs(10);

/// Decides which occurrences are told. No clock of its own.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Burst {
    told: Option<Instant>,
    untold: u64,
}

impl Burst {
    /// It happened again. `Some(n)` if it is to be told, with how often it happened untold since it last was.
    pub(crate) fn note(&mut self, now: Instant) -> Option<u64> {
        if self.told.is_some_and(|told| now.saturating_duration_since(told) < PAUSE) {
            self.untold += 1;
            return None;
        }
        self.told = Some(now);
        Some(std::mem::take(&mut self.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_told_once_and_the_next_says_how_many_there_were() {
        let start = Instant::now();
        let mut burst = Burst::default();
        assert_eq!(burst.note(start), Some(0));
        for ms in 1..10_000 {
            assert_eq!(burst.note(start + Duration::from_millis(ms)), None);
        }
        assert_eq!(burst.note(start + PAUSE), Some(9_999));
        assert_eq!(burst.note(start + PAUSE), None);
        assert_eq!(burst.note(start + 2 * PAUSE), Some(1));
    }
}
