//! The memory that all connections together may have buffered, and who gives some back when it is used up.
//!
//! There is one budget for all workers. Each tells it what its own sessions hold, to within a small step, so that workers do
//! not meet at one counter for every line that comes in two pieces. When it is used up, those workers relieve their
//! largest holders that have more than an even share.

use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use crate::slots::Key;

/// No more than this is made free at once, however large the budget: it has to be sent, and everybody waits for that.
const MOST_FREED: usize = 512 * 1024;

/// What all workers have together.
#[derive(Debug)]
pub(crate) struct Budget {
    used: AtomicUsize,
    most: usize,
    /// An even share: if more than the budget is used, somebody has more than this.
    share: usize,
    /// What one worker has may differ by so much from what was told.
    step: usize,
}

impl Budget {
    pub(crate) fn new(max_buffered: usize, workers: usize) -> Self {
        let share = max_buffered / workers;
        Self { used: AtomicUsize::new(0), most: max_buffered, share, step: (share / 16).min(64 * 1024) }
    }

    /// True if this used it up.
    fn tell(&self, before: usize, after: usize) -> bool {
        let Some(more) = after.checked_sub(before) else {
            self.used.fetch_sub(before - after, SeqCst);
            return false;
        };
        let used = self.used.fetch_add(more, SeqCst);
        used <= self.most && used + more > self.most
    }
}

/// One worker's part of it.
#[derive(Debug, Default)]
pub(crate) struct Pressure {
    buffered: usize,
    /// What the budget knows of that.
    told: usize,
}

impl Pressure {
    /// A session that had `before` buffered has `after` now. True if that used the budget up: other workers, who may be
    /// asleep, have to look whether they have more than their share.
    pub(crate) fn changed(&mut self, budget: &Budget, before: usize, after: usize) -> bool {
        self.buffered = self.buffered + after - before;
        if self.buffered.abs_diff(self.told) <= budget.step {
            return false;
        }
        budget.tell(std::mem::replace(&mut self.told, self.buffered), self.buffered)
    }

    pub(crate) fn buffered(&self) -> usize {
        self.buffered
    }

    /// Is the budget used up, and must this worker give some back?
    pub(crate) fn is_high(&self, budget: &Budget) -> bool {
        self.buffered > budget.share && self.used(budget) > budget.most
    }

    /// Whom to relieve: the largest holders, as many as it takes to have an eighth free, of the budget or of this
    /// worker's share of it, or [`MOST_FREED`]. So the look at all of them is paid for by what clients had to send first.
    pub(crate) fn largest(&self, budget: &Budget, holders: impl Iterator<Item = (Key, usize)>) -> Vec<Key> {
        // A heap, since few of many are needed.
        let holders = holders.filter(|(_, bytes)| *bytes > 0);
        let mut holders: BinaryHeap<_> = holders.map(|(key, bytes)| (bytes, key)).collect();
        let over = |used: usize, most: usize| used.saturating_sub(most - (most / 8).min(MOST_FREED));
        let mut excess = over(self.used(budget), budget.most).min(over(self.buffered, budget.share));
        let mut chosen = Vec::new();
        while excess > 0
            && let Some((bytes, key)) = holders.pop()
        {
            chosen.push(key);
            excess = excess.saturating_sub(bytes);
        }
        chosen
    }

    /// By all workers, with what this one has not told yet.
    fn used(&self, budget: &Budget) -> usize {
        (budget.used.load(SeqCst) + self.buffered).saturating_sub(self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(index: u32) -> Key {
        Key { index, generation: 0 }
    }

    #[test]
    fn the_largest_go_first_and_no_more_than_needed() {
        let budget = Budget::new(800, 1);
        let mut pressure = Pressure::default();
        let holders = [(key(0), 100), (key(1), 500), (key(2), 0), (key(3), 201)];
        for (_, bytes) in holders {
            pressure.changed(&budget, 0, bytes);
        }
        assert!(pressure.is_high(&budget));
        // 801 are held, and 700 would leave an eighth of 800 free.
        assert_eq!(pressure.largest(&budget, holders.into_iter()), [key(1)]);
        // Of 1,251 there must go 551.
        pressure.changed(&budget, 100, 550);
        assert_eq!(pressure.largest(&budget, holders.into_iter()), [key(1), key(3)]);
        pressure.changed(&budget, 0, 1000);
        assert_eq!(
            pressure.largest(&budget, holders.into_iter()),
            [key(1), key(3), key(0)],
            "who holds nothing gives nothing"
        );
        assert_eq!(pressure.buffered(), 2251);
        pressure.changed(&budget, 2251, 0);
        assert_eq!(pressure.buffered(), 0);
        assert!(pressure.largest(&budget, holders.into_iter()).is_empty());
    }

    #[test]
    fn a_large_budget_is_made_free_a_little_at_a_time() {
        const EACH: usize = 200 << 10;
        let budget = Budget::new(64 << 20, 1);
        let mut pressure = Pressure::default();
        pressure.changed(&budget, 0, budget.most + 1);
        assert!(pressure.is_high(&budget));
        let freed = pressure.largest(&budget, (0..500).map(|index| (key(index), EACH))).len() * EACH;
        assert_eq!(freed, 3 * EACH, "the fewest that make 512 KiB free");
    }

    #[test]
    fn exactly_the_budget_is_not_too_much() {
        let budget = Budget::new(1000, 1);
        let mut pressure = Pressure::default();
        assert!(!pressure.changed(&budget, 0, 1000));
        assert!(!pressure.is_high(&budget));
        pressure.changed(&budget, 0, 1);
        assert!(pressure.is_high(&budget));
    }

    #[test]
    fn neither_exactly_the_budget_nor_exactly_a_share_is_too_much() {
        let budget = Budget::new(1000, 2);
        let (mut one, mut other) = (Pressure::default(), Pressure::default());
        one.changed(&budget, 0, 900);
        assert!(!other.changed(&budget, 0, 100));
        assert!(!one.is_high(&budget));
        assert!(other.changed(&budget, 100, 500));
        assert_eq!((one.is_high(&budget), other.is_high(&budget)), (true, false));
    }

    #[test]
    fn a_worker_may_have_what_others_do_not_use() {
        let budget = Budget::new(1600, 2);
        let (mut much, mut little) = (Pressure::default(), Pressure::default());
        assert!(!much.changed(&budget, 0, 1500));
        assert!(!much.is_high(&budget), "nearly all of it");
        assert!(little.changed(&budget, 0, 101), "that used it up, and is told of once");
        assert!(!little.changed(&budget, 101, 301));
        assert_eq!((much.is_high(&budget), little.is_high(&budget)), (true, false));
        // 1,801 are held: 401 less would leave an eighth of the budget free.
        let holders = [(key(0), 700), (key(1), 400), (key(2), 400)];
        assert_eq!(much.largest(&budget, holders.into_iter()), [key(0)]);
        much.changed(&budget, 1500, 800);
        assert_eq!((much.is_high(&budget), little.is_high(&budget)), (false, false));
        assert!(little.changed(&budget, 301, 1000), "and again");
    }

    #[test]
    fn nobody_gives_more_than_what_is_over_an_even_share() {
        let budget = Budget::new(1600, 2);
        let (mut one, mut other) = (Pressure::default(), Pressure::default());
        one.changed(&budget, 0, 900);
        other.changed(&budget, 0, 5000);
        let holders = (0..9).map(|index| (key(index), 100));
        // To have an eighth of its share of 800 free.
        assert_eq!(one.largest(&budget, holders).len(), 2);
    }

    #[test]
    fn what_is_told_later_is_known_to_who_has_it() {
        let budget = Budget::new(1000 * 1000, 1);
        let mut pressure = Pressure::default();
        for _ in 0..1000 {
            pressure.changed(&budget, 0, 1000);
        }
        assert!(budget.used.load(SeqCst) < 1000 * 1000, "in steps");
        assert!(!pressure.is_high(&budget));
        pressure.changed(&budget, 0, 1);
        assert!(pressure.is_high(&budget));
        pressure.changed(&budget, 1000 * 1000, 0);
        assert!(!pressure.is_high(&budget));
        assert!(budget.used.load(SeqCst) <= budget.step);
    }
}
