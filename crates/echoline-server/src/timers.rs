//! Deadlines of many sessions, at no cost while bytes move.
//!
//! A session's deadline moves with every byte. Instead of moving an entry each time, the queue keeps one that is
//! due no later; when it comes up, the session says its true deadline and a new entry is made. The entry belongs
//! to the slot: a session that takes over a slot takes over an entry that is early enough for it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

use crate::slots::Key;

/// So many outdated entries are kept at least: fewer are not worth a look at all of them.
const SLACK: usize = 64;

/// Bounded by the slots: one entry a slot stands, and when more than as many again are outdated, those are dropped.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    queue: BinaryHeap<Reverse<(Instant, u32)>>,
    slots: Vec<Standing>,
}

/// The entry of a slot that stands, and who has the slot. Every other entry of the slot is outdated.
#[derive(Debug, Clone, Copy)]
struct Standing {
    due: Option<Instant>,
    key: Key,
}

impl Timers {
    /// Sees to it that `key` comes up no later than its deadline.
    pub(crate) fn watch(&mut self, key: Key, deadline: Option<Instant>) {
        let index = key.index as usize;
        if index >= self.slots.len() {
            self.slots.resize(index + 1, Standing { due: None, key });
        }
        let slot = &mut self.slots[index];
        slot.key = key;
        if let Some(deadline) = deadline
            && slot.due.is_none_or(|due| deadline < due)
        {
            slot.due = Some(deadline);
            self.queue.push(Reverse((deadline, key.index)));
            self.drop_outdated();
        }
    }

    /// When the next entry is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.queue.peek().map(|Reverse((due, _))| *due)
    }

    /// Takes at most so many entries that are due; the rest stays due. A session may be gone, or its deadline moved.
    pub(crate) fn take_due(&mut self, most: usize, now: Instant) -> Vec<Key> {
        std::iter::from_fn(|| self.pop_due(now)).take(most).collect()
    }

    fn pop_due(&mut self, now: Instant) -> Option<Key> {
        while self.next()? <= now {
            let Reverse((due, index)) = self.queue.pop()?;
            let slot = &mut self.slots[index as usize];
            if slot.due == Some(due) {
                slot.due = None;
                return Some(slot.key);
            }
        }
        None
    }

    fn drop_outdated(&mut self) {
        if self.queue.len() > 2 * self.slots.len() + SLACK {
            self.queue.retain(|Reverse((due, index))| self.slots[*index as usize].due == Some(*due));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const SLOTS: usize = 8;

    #[derive(Debug, Clone)]
    enum Op {
        /// The session of this slot has a deadline, so many milliseconds from now.
        Watch(usize, Option<u64>),
        /// The session ends and another takes its slot.
        Replace(usize),
        /// So many milliseconds pass, and what is due is taken.
        Pass(u64),
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => (0..SLOTS, prop::option::of(0..200_u64)).prop_map(|(slot, ms)| Op::Watch(slot, ms)),
            1 => (0..SLOTS).prop_map(Op::Replace),
            2 => (0..50_u64).prop_map(Op::Pass),
        ]
    }

    proptest! {
        #[test]
        fn every_session_comes_up_by_its_deadline(ops in prop::collection::vec(op(), 0..400)) {
            let mut timers = Timers::default();
            let mut now = Instant::now();
            let mut generations = [0_u32; SLOTS];
            let mut deadlines = [None::<Instant>; SLOTS];
            let key = |index: usize, generation| Key { index: index as u32, generation };
            for op in ops {
                match op {
                    Op::Watch(slot, ms) => {
                        deadlines[slot] = ms.map(|ms| now + Duration::from_millis(ms));
                        timers.watch(key(slot, generations[slot]), deadlines[slot]);
                    }
                    Op::Replace(slot) => {
                        generations[slot] += 1;
                        deadlines[slot] = None;
                        timers.watch(key(slot, generations[slot]), None);
                    }
                    Op::Pass(ms) => {
                        now += Duration::from_millis(ms);
                        for due in timers.take_due(usize::MAX, now) {
                            let slot = due.index as usize;
                            prop_assert_eq!(due.generation, generations[slot]);
                            if deadlines[slot].is_some_and(|deadline| deadline <= now) {
                                deadlines[slot] = None;
                            }
                            timers.watch(due, deadlines[slot]);
                        }
                        for deadline in deadlines.into_iter().flatten() {
                            prop_assert!(deadline > now, "missed");
                            prop_assert!(timers.next().is_some_and(|next| next <= deadline), "would oversleep");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn of_a_crowd_that_is_due_at_once_some_are_taken_and_the_rest_is_still_due() {
        let mut timers = Timers::default();
        let now = Instant::now();
        for index in 0..10 {
            timers.watch(Key { index, generation: 0 }, Some(now));
        }
        let mut taken = Vec::new();
        for left in [6, 2, 0] {
            let some = timers.take_due(4, now);
            assert_eq!(timers.next().is_some_and(|next| next <= now), left > 0, "the engine would sleep");
            taken.extend(some.into_iter().map(|key| key.index));
            assert_eq!(taken.len(), 10 - left);
        }
        taken.sort_unstable();
        assert_eq!(taken, (0..10).collect::<Vec<_>>());
    }

    #[test]
    fn a_deadline_that_comes_ever_nearer_leaves_no_more_entries_behind_than_are_worth_a_look() {
        let mut timers = Timers::default();
        let start = Instant::now();
        let keys = [0, 1, 2].map(|index| Key { index, generation: 0 });
        for key in keys {
            timers.watch(key, Some(start + Duration::from_mins(1)));
        }
        let mut most = 0;
        for ms in (0..10_000).rev() {
            timers.watch(keys[1], Some(start + Duration::from_millis(ms)));
            most = most.max(timers.queue.len());
        }
        assert_eq!(most, 2 * keys.len() + SLACK);
        let entries = timers.queue.len();
        timers.watch(keys[1], Some(start));
        assert_eq!(timers.queue.len(), entries, "the same deadline is the same entry");
        assert_eq!((timers.pop_due(start), timers.pop_due(start)), (Some(keys[1]), None));
        assert_eq!(timers.pop_due(start + Duration::from_mins(1)), Some(keys[0]));
    }

    #[test]
    fn conversations_that_come_and_go_leave_no_entries_behind() {
        let mut timers = Timers::default();
        let start = Instant::now();
        let mut slots = crate::slots::Slots::new();
        for n in 0..10_000 {
            let now = start + Duration::from_millis(n);
            let key = slots.insert(());
            timers.watch(key, Some(now + Duration::from_mins(15)));
            // The server ends it: the deadline comes nearer, and then the client leaves.
            timers.watch(key, Some(now + Duration::from_secs(5)));
            slots.remove(key);
            while timers.pop_due(now).is_some() {}
        }
        assert!(timers.queue.len() <= 2 + SLACK, "{} entries for one slot", timers.queue.len());
    }
}
