//! Notices when the wall clock is set while a run goes on: times of other machines' logs then do not match.

use std::time::{Duration, Instant, SystemTime};

/// Compares the wall clock's pace with the monotonic one's.
#[derive(Debug)]
pub(super) struct ClockWatch {
    last: (Instant, SystemTime),
    largest: Duration,
}

/// A clock that is slewed moves at most 0.05 % (adjtimex(2)); between two looks that is far less than this.
const STEP: Duration = Duration::from_millis(20);

impl ClockWatch {
    pub(super) fn new() -> Self {
        Self { last: (Instant::now(), SystemTime::now()), largest: Duration::ZERO }
    }

    pub(super) fn look(&mut self) {
        let (before, wall, after) = (Instant::now(), SystemTime::now(), Instant::now());
        // This thread was put aside between the two clocks: the next look will do.
        if after - before < STEP / 4 {
            self.compare(before, wall);
        }
    }

    fn compare(&mut self, monotonic: Instant, wall: SystemTime) {
        let expected = self.last.1 + monotonic.saturating_duration_since(self.last.0);
        let off = wall.duration_since(expected).unwrap_or_else(|behind| behind.duration());
        self.largest = self.largest.max(off);
        self.last = (monotonic, wall);
    }

    /// The largest step, if there was one.
    pub(super) fn step(&self) -> Option<Duration> {
        (self.largest >= STEP).then_some(self.largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_set_is_noticed_and_one_that_drifts_is_not() {
        let mut watch = ClockWatch::new();
        let (mut now, mut wall) = watch.last;
        for _ in 0..50 {
            now += Duration::from_secs(1);
            wall += Duration::from_micros(1_000_500);
            watch.compare(now, wall);
        }
        assert_eq!(watch.step(), None);
        watch.compare(now, wall - Duration::from_secs(3));
        watch.compare(now, wall - Duration::from_secs(3));
        assert_eq!(watch.step(), Some(Duration::from_secs(3)));
    }
}
