//! What is written to standard error while serving waits here, so that a terminal or a pipe that takes nothing stops
//! neither a worker nor a signal. Bounded in bytes: what does not fit is dropped, counted and told of once there is room.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A queue of records and the thread that writes them. Clones are the same queue.
#[derive(Debug, Clone)]
pub(super) struct Queue(Arc<Inner>);

/// Tells, by adding a record, how many were dropped since it was told last.
pub(super) type Tell = fn(&Queue, u64);

#[derive(Debug)]
struct Inner {
    limit: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    /// Memory that `waiting` takes, in bytes.
    held: usize,
    writing: bool,
    dropped: u64,
    /// Of those, what was told.
    told: u64,
}

/// What a record takes beside its bytes: its place in the queue, twice while that grows, and the allocator's share.
const OVERHEAD: usize = 64;

/// Room beyond the limit, in bytes, for what must not be dropped before anything else.
const RESERVE: usize = 64 * 1024;

impl Queue {
    /// What waits takes at most `limit` bytes of memory, and 64 KiB more for what is insisted on. The thread ends with
    /// the process. Once it has caught up after records were dropped, it calls `tell`.
    pub(super) fn start(limit: usize, mut out: impl Write + Send + 'static, tell: Tell) -> io::Result<Self> {
        let inner = Inner { limit, state: Mutex::default(), changed: Condvar::new() };
        let queue = Self(Arc::new(inner));
        let own = queue.clone();
        let body = move || {
            give_way();
            loop {
                let record = own.next();
                let untold = own.wrote(out.write_all(&record).is_ok());
                if untold > 0 {
                    tell(&own, untold);
                }
                own.lock().writing = false;
                own.0.changed.notify_all();
            }
        };
        thread::Builder::new().name("echoline-log".to_owned()).spawn(body)?;
        Ok(queue)
    }

    /// Adds a record, or counts it as dropped.
    pub(super) fn push(&self, record: Vec<u8>) {
        self.add(record, self.0.limit);
    }

    /// Adds a record also when others would be dropped. For what is rarely said.
    pub(super) fn insist(&self, record: Vec<u8>) {
        self.add(record, self.0.limit + RESERVE);
    }

    fn add(&self, record: Vec<u8>, limit: usize) {
        let size = record.len() + OVERHEAD;
        let mut state = self.lock();
        if state.held + size > limit {
            state.dropped += 1;
            return;
        }
        // One that writes looks again by itself.
        let idle = state.waiting.is_empty() && !state.writing;
        state.held += size;
        state.waiting.push_back(record);
        drop(state);
        if idle {
            self.0.changed.notify_all();
        }
    }

    /// Waits until all is written, at most so long.
    pub(super) fn settle(&self, patience: Duration) {
        let unwritten = |state: &mut State| state.writing || !state.waiting.is_empty();
        drop(self.0.changed.wait_timeout_while(self.lock(), patience, unwritten));
    }

    /// Records that did not fit, or that standard error did not take.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn next(&self) -> Vec<u8> {
        let is_empty = |state: &mut State| state.waiting.is_empty();
        let waited = self.0.changed.wait_while(self.lock(), is_empty);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.writing = true;
        let record = state.waiting.pop_front().unwrap_or_default();
        state.held = state.held.saturating_sub(record.len() + OVERHEAD);
        record
    }

    /// Notes how a write ended. Returns how many drops are to be told: when something gets through and nothing waits.
    fn wrote(&self, taken: bool) -> u64 {
        let mut state = self.lock();
        if !taken {
            // Nobody is left to tell, or the disk is full: only the count stays.
            state.dropped += 1;
            return 0;
        }
        if !state.waiting.is_empty() {
            return 0;
        }
        let dropped = state.dropped;
        dropped - std::mem::replace(&mut state.told, dropped)
    }

    /// The state is whole between statements, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Workers go first: a log that is behind can wait, and clients cannot. On Linux a nice value is a thread's own, and any
/// thread may raise its own (sched(7)); elsewhere it would be the whole process's.
fn give_way() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::nice(10);
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::time::Instant;

    use super::*;

    /// Takes a record only when the test receives it.
    struct Slow(SyncSender<Vec<u8>>);

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.send(bytes.to_vec()).map_err(io::Error::other)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn slow(limit: usize) -> (Queue, Receiver<Vec<u8>>) {
        let (out, taken) = sync_channel(0);
        let tell: Tell = |queue, dropped| queue.insist(format!("{dropped} dropped").into_bytes());
        (Queue::start(limit, Slow(out), tell).unwrap(), taken)
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_keeps_the_order_of_the_rest() {
        let (queue, taken) = slow(3 * (1 + OVERHEAD));
        for record in 0..10_u8 {
            queue.push(vec![record]);
        }
        // The thread may have one record in hand beside the three that wait.
        let dropped = queue.dropped();
        assert!((6..=7).contains(&dropped), "{dropped}");
        queue.insist(b"last".to_vec());
        let settled = thread::spawn(move || queue.settle(Duration::from_secs(20)));
        let next = || taken.recv_timeout(Duration::from_secs(20)).unwrap();
        let records: Vec<_> = (0..10 - dropped).map(|_| next()).collect();
        assert!(records.is_sorted() && records[0] == [0], "{records:?}");
        assert_eq!(next(), b"last");
        assert_eq!(next(), format!("{dropped} dropped").as_bytes());
        settled.join().unwrap();
    }

    #[test]
    fn long_records_and_those_insisted_on_are_bounded_in_bytes_too() {
        let (queue, _taken) = slow(10_000);
        for _ in 0..100 {
            queue.push(vec![b'x'; 3_000]);
        }
        // Three wait and one may be in hand.
        assert!((96..=97).contains(&queue.dropped()), "{}", queue.dropped());
        for _ in 0..100 {
            queue.insist(vec![b'y'; 6_000]);
        }
        let held = queue.lock().held;
        assert!((60_000..=10_000 + RESERVE).contains(&held), "{held}");
        assert!(queue.dropped() > 180, "{}", queue.dropped());
        let (queue, _taken) = slow(10_000);
        queue.push(vec![b'x'; 10_000]);
        assert_eq!(queue.dropped(), 1, "one that never fits");
    }

    #[test]
    fn settling_waits_no_longer_than_it_may_for_a_writer_that_is_stuck() {
        let (queue, _taken) = slow(1_000);
        let start = Instant::now();
        queue.push(b"stuck".to_vec());
        queue.settle(Duration::from_millis(20));
        assert!(start.elapsed() >= Duration::from_millis(20));
    }

    #[test]
    fn records_that_the_system_does_not_take_are_counted_and_end_nothing() {
        let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
        let queue = Queue::start(10_000, full, |_, _| panic!("there is nobody to tell")).unwrap();
        for _ in 0..5 {
            queue.push(b"lost".to_vec());
        }
        queue.settle(Duration::from_secs(20));
        assert_eq!(queue.dropped(), 5);
    }
}
