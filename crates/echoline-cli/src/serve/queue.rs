//! What is written to standard error while serving waits here, so that a terminal or a pipe that takes nothing stops
//! neither a worker nor a signal. Bounded: what does not fit is dropped and counted.

use std::collections::VecDeque;
use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// A queue of records and the thread that writes them. Clones are the same queue.
#[derive(Debug, Clone)]
pub(super) struct Queue(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    limit: usize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Vec<u8>>,
    writing: bool,
    dropped: u64,
}

impl Queue {
    /// At most `limit` records wait. The thread ends with the process.
    pub(super) fn start(limit: usize, mut out: impl Write + Send + 'static) -> io::Result<Self> {
        let inner = Inner { limit, state: Mutex::default(), changed: Condvar::new() };
        let queue = Self(Arc::new(inner));
        let own = queue.clone();
        let body = move || {
            loop {
                let record = own.next();
                // Nobody is left to tell when standard error is gone.
                let _ = out.write_all(&record);
                own.lock().writing = false;
                own.0.changed.notify_all();
            }
        };
        thread::Builder::new().name("echoline-log".to_owned()).spawn(body)?;
        Ok(queue)
    }

    /// Adds a record, or counts it as dropped.
    fn push(&self, record: &[u8]) {
        let mut state = self.lock();
        if state.waiting.len() < self.0.limit {
            state.waiting.push_back(record.to_vec());
            self.0.changed.notify_all();
        } else {
            state.dropped += 1;
        }
    }

    /// Adds a record even when the queue is full. For what cannot be many.
    pub(super) fn insist(&self, record: &[u8]) {
        self.lock().waiting.push_back(record.to_vec());
        self.0.changed.notify_all();
    }

    /// Waits until all is written, at most so long.
    pub(super) fn settle(&self, patience: Duration) {
        let unwritten = |state: &mut State| state.writing || !state.waiting.is_empty();
        drop(self.0.changed.wait_timeout_while(self.lock(), patience, unwritten));
    }

    /// Records that did not fit.
    pub(super) fn dropped(&self) -> u64 {
        self.lock().dropped
    }

    fn next(&self) -> Vec<u8> {
        let is_empty = |state: &mut State| state.waiting.is_empty();
        let waited = self.0.changed.wait_while(self.lock(), is_empty);
        let mut state = waited.unwrap_or_else(PoisonError::into_inner);
        state.writing = true;
        state.waiting.pop_front().unwrap_or_default()
    }

    /// The state is whole between statements, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Each write is a record: `tracing_subscriber` writes one whole at a time.
impl Write for Queue {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        self.push(record);
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
    use std::time::Instant;

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
        (Queue::start(limit, Slow(out)).unwrap(), taken)
    }

    #[test]
    fn a_full_queue_drops_and_counts_and_keeps_the_order_of_the_rest() {
        let (queue, taken) = slow(3);
        for record in 0..10_u8 {
            queue.push(&[record]);
        }
        // The thread may have one record in hand beside the three that wait.
        let dropped = queue.dropped();
        assert!((6..=7).contains(&dropped), "{dropped}");
        queue.insist(b"last");
        let settled = thread::spawn(move || queue.settle(Duration::from_secs(20)));
        let records: Vec<_> = (0..10 - dropped).map(|_| taken.recv().unwrap()).collect();
        assert!(records.is_sorted() && records[0] == [0], "{records:?}");
        assert_eq!(taken.recv().unwrap(), b"last");
        settled.join().unwrap();
    }

    #[test]
    fn settling_waits_no_longer_than_it_may_for_a_writer_that_is_stuck() {
        let (queue, _taken) = slow(3);
        let start = Instant::now();
        queue.push(b"stuck");
        queue.settle(Duration::from_millis(20));
        assert!(start.elapsed() >= Duration::from_millis(20));
    }
}
