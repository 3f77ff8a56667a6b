//! Is a client fast enough? One direction of one connection; it reads no clock.

use std::time::Instant;

use crate::config::MinProgress;

/// Judges stretches of time in which the client owes progress. Where it owes none, any silence is fine.
///
/// Every `moved` counts bytes since the connection began.
#[derive(Debug, Default)]
pub(crate) struct Pace(Option<Stretch>);

#[derive(Debug)]
struct Stretch {
    since: Instant,
    /// As the stretch began.
    moved: u64,
}

impl Pace {
    /// The client owes progress from now on, if it did not already.
    pub(crate) fn owe(&mut self, moved: u64, now: Instant) {
        self.0.get_or_insert(Stretch { since: now, moved });
    }

    /// A new stretch begins, whatever became of the one before.
    pub(crate) fn owe_anew(&mut self, moved: u64, now: Instant) {
        self.0 = Some(Stretch { since: now, moved });
    }

    /// The client could not go on: what it owes, it owes from now on.
    pub(crate) fn hold_off(&mut self, moved: u64, now: Instant) {
        if self.is_owing() {
            self.owe_anew(moved, now);
        }
    }

    /// The stretch began with less moved than was thought.
    pub(crate) fn began_with(&mut self, moved: u64) {
        if let Some(stretch) = &mut self.0 {
            stretch.moved = moved;
        }
    }

    pub(crate) fn owes_nothing(&mut self) {
        self.0 = None;
    }

    pub(crate) fn is_owing(&self) -> bool {
        self.0.is_some()
    }

    /// When the stretch is over. A time that the clock cannot express never comes.
    pub(crate) fn deadline(&self, least: Option<MinProgress>) -> Option<Instant> {
        self.0.as_ref()?.since.checked_add(least?.interval)
    }

    /// True if a stretch is over in which too little moved. After one that was good enough, the next begins.
    pub(crate) fn is_too_slow(&mut self, moved: u64, least: Option<MinProgress>, now: Instant) -> bool {
        let (Some(stretch), Some(least)) = (&self.0, least) else { return false };
        if self.deadline(Some(least)).is_none_or(|deadline| now < deadline) {
            return false;
        }
        let too_slow = moved.saturating_sub(stretch.moved) < least.bytes.get();
        self.owe_anew(moved, now);
        too_slow
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU64;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn ten_a_second() -> Option<MinProgress> {
        Some(MinProgress { bytes: NonZeroU64::new(10).unwrap(), interval: SECOND })
    }

    #[test]
    fn exactly_enough_in_each_stretch_is_enough() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.owe(5, start);
        for n in 1..5_u32 {
            assert_eq!(pace.deadline(ten_a_second()), Some(start + SECOND * n));
            assert!(!pace.is_too_slow(5 + 10 * u64::from(n), ten_a_second(), start + SECOND * n));
        }
    }

    #[test]
    fn one_byte_less_is_too_slow_and_not_a_moment_before_the_stretch_is_over() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.owe(0, start);
        pace.owe(9, start + SECOND / 2);
        let over = start + SECOND;
        assert!(!pace.is_too_slow(9, ten_a_second(), over.checked_sub(Duration::from_nanos(1)).unwrap()));
        assert!(pace.is_too_slow(9, ten_a_second(), over));
    }

    #[test]
    fn who_owes_nothing_has_no_deadline() {
        let start = Instant::now();
        let mut pace = Pace::default();
        assert!(!pace.is_owing());
        pace.owe(0, start);
        assert!(pace.is_owing());
        assert_eq!(pace.deadline(None), None);
        assert!(!pace.is_too_slow(0, None, start + SECOND));
        pace.owes_nothing();
        assert!(!pace.is_owing());
        assert_eq!(pace.deadline(ten_a_second()), None);
        assert!(!pace.is_too_slow(0, ten_a_second(), start + 2 * SECOND));
    }

    #[test]
    fn what_the_kernel_still_has_at_the_start_is_not_held_against_the_client() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.owe(100, start);
        // 60 of the 100 were in the kernel; of them 10 have gone since.
        pace.began_with(40);
        assert!(!pace.is_too_slow(50, ten_a_second(), start + SECOND));
    }
}
