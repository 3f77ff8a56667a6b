//! One worker's part of the memory that all connections together may have buffered.
//!
//! Each worker guards its own part, so that no two of them wait for each other: connections are dealt evenly, and so is
//! the memory.

use crate::slots::Key;

#[derive(Debug)]
pub(crate) struct Pressure {
    buffered: usize,
    most: usize,
}

impl Pressure {
    /// For one of so many workers.
    pub(crate) fn new(max_buffered: usize, workers: usize) -> Self {
        Self { buffered: 0, most: max_buffered / workers }
    }

    /// A session that had `before` buffered has `after` now.
    pub(crate) fn changed(&mut self, before: usize, after: usize) {
        self.buffered = self.buffered + after - before;
    }

    pub(crate) fn buffered(&self) -> usize {
        self.buffered
    }

    /// Is the part used up?
    pub(crate) fn is_high(&self) -> bool {
        self.buffered > self.most
    }

    /// Whom to relieve: the largest holders, as many as it takes to have an eighth free. So the look at all of them
    /// is paid for by an eighth of the memory that clients had to send first.
    pub(crate) fn largest(&self, holders: impl Iterator<Item = (Key, usize)>) -> Vec<Key> {
        let mut holders: Vec<_> = holders.filter(|(_, bytes)| *bytes > 0).collect();
        holders.sort_unstable_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
        let mut excess = self.buffered.saturating_sub(self.most - self.most / 8);
        let mut chosen = Vec::new();
        for (key, bytes) in holders {
            if excess == 0 {
                break;
            }
            chosen.push(key);
            excess = excess.saturating_sub(bytes);
        }
        chosen
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
        let mut pressure = Pressure::new(1600, 2);
        let holders = [(key(0), 100), (key(1), 500), (key(2), 0), (key(3), 201)];
        for (_, bytes) in holders {
            pressure.changed(0, bytes);
        }
        assert!(pressure.is_high());
        // 801 are held, and 700 would leave an eighth of 800 free.
        assert_eq!(pressure.largest(holders.into_iter()), [key(1)]);
        // Of 1,251 there must go 551.
        pressure.changed(100, 550);
        assert_eq!(pressure.largest(holders.into_iter()), [key(1), key(3)]);
        pressure.changed(0, 1000);
        assert_eq!(
            pressure.largest(holders.into_iter()),
            [key(1), key(3), key(0)],
            "who holds nothing gives nothing"
        );
        assert_eq!(pressure.buffered(), 2251);
        pressure.changed(2251, 0);
        assert_eq!(pressure.buffered(), 0);
        assert!(pressure.largest(holders.into_iter()).is_empty());
    }

    #[test]
    fn exactly_the_part_is_not_too_much() {
        let mut pressure = Pressure::new(1000, 1);
        pressure.changed(0, 1000);
        assert!(!pressure.is_high());
        pressure.changed(0, 1);
        assert!(pressure.is_high());
    }
}
