//! Work that takes longer than a connection's turn may, on threads of its own.

use std::collections::BTreeMap;
use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Instant;

use crate::burst::Burst;

/// Work of a service: it runs once, on a thread where it delays nobody else's conversation.
pub type Job = Box<dyn FnOnce() -> Vec<u8> + Send>;

/// Where the result goes: `None` says that the job panicked.
pub(crate) type Deliver = Box<dyn FnOnce(Option<Vec<u8>>) + Send>;

/// Names a job that was queued. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Ticket(NonZeroU64);

/// A pool that starts its threads when they are first needed.
///
/// The queue is bounded by the connections: a session has at most one job under way, and takes it along when it ends.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    max_threads: usize,
    /// No thread could be started for a job.
    refused: Burst,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    queue: BTreeMap<Ticket, (Job, Deliver)>,
    next: Ticket,
    /// Threads that wait for a job, or were woken for one and have not taken it yet.
    idle: usize,
    threads: Vec<JoinHandle<()>>,
    stopped: bool,
}

impl Pool {
    pub(crate) fn new(max_threads: usize) -> Self {
        let (queue, next) = (BTreeMap::new(), Ticket(NonZeroU64::MIN));
        let state = Mutex::new(State { queue, next, idle: 0, threads: Vec::new(), stopped: false });
        Self(Arc::new(Inner { max_threads, refused: Burst::default(), state, changed: Condvar::new() }))
    }

    /// Queues a job. It is dropped, undelivered, if the pool stops before its turn.
    pub(crate) fn run(&self, job: Job, deliver: Deliver) -> Option<Ticket> {
        let mut state = self.0.lock();
        if state.stopped {
            return None;
        }
        let ticket = state.next;
        // At a job a nanosecond the numbers last for centuries.
        state.next = Ticket(ticket.0.saturating_add(1));
        state.queue.insert(ticket, (job, deliver));
        if state.queue.len() > state.idle && state.threads.len() < self.0.max_threads {
            let inner = Arc::clone(&self.0);
            let name = format!("echoline-job-{}", state.threads.len());
            match thread::Builder::new().name(name).spawn(move || inner.work()) {
                Ok(thread) => state.threads.push(thread),
                // With a thread or more the job only waits longer; without any it is reported as failed.
                Err(error) => {
                    if let Some(more) = self.0.refused.note(Instant::now()) {
                        tracing::error!(%error, more, "no thread for a job");
                    }
                    if state.threads.is_empty()
                        && let Some((_, deliver)) = state.queue.remove(&ticket)
                    {
                        drop(state);
                        deliver(None);
                        return None;
                    }
                }
            }
        }
        self.0.changed.notify_one();
        Some(ticket)
    }

    /// Takes a job back whose result nobody waits for any more. One that has begun runs to its end.
    pub(crate) fn forget(&self, ticket: Ticket) {
        let job = self.0.lock().queue.remove(&ticket);
        drop(job);
    }

    /// Drops what is queued and waits for the jobs that run.
    pub(crate) fn stop(&self) {
        let (queue, threads) = {
            let mut state = self.0.lock();
            state.stopped = true;
            (std::mem::take(&mut state.queue), std::mem::take(&mut state.threads))
        };
        drop(queue);
        self.0.changed.notify_all();
        for thread in threads {
            // A panic of a job was caught; another one would be ours, and is in the log already.
            let _ = thread.join();
        }
    }
}

impl Inner {
    fn work(&self) {
        while let Some((job, deliver)) = self.next() {
            // A job owns what it works on, so nothing half-changed is seen after a panic.
            deliver(catch_unwind(AssertUnwindSafe(job)).ok());
        }
    }

    fn next(&self) -> Option<(Job, Deliver)> {
        let nothing_to_do = |state: &mut State| !state.stopped && state.queue.is_empty();
        let mut state = self.lock();
        state.idle += 1;
        state = self.changed.wait_while(state, nothing_to_do).unwrap_or_else(PoisonError::into_inner);
        state.idle -= 1;
        // Whoever stops the pool takes the queue along.
        state.queue.pop_first().map(|(_, work)| work)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::{Duration, Instant};

    use super::*;

    /// Only a broken pool takes so long.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn wait_until_idle(pool: &Pool, threads: usize) {
        let until = Instant::now() + PATIENCE;
        while pool.0.lock().idle != threads {
            assert!(Instant::now() < until, "{} threads wait for a job", pool.0.lock().idle);
            thread::yield_now();
        }
    }

    #[test]
    fn a_job_that_a_waiting_thread_can_take_starts_no_other() {
        let pool = Pool::new(3);
        let (results, delivered) = mpsc::channel();
        for n in 0..3_u8 {
            let results = results.clone();
            pool.run(Box::new(move || vec![n]), Box::new(move |result| results.send(result).unwrap()));
            assert_eq!(delivered.recv_timeout(PATIENCE), Ok(Some(vec![n])));
            wait_until_idle(&pool, 1);
        }
        assert_eq!(pool.0.lock().threads.len(), 1);
        pool.stop();
    }

    #[test]
    fn a_job_does_not_wait_for_a_thread_that_waited_and_works_again() {
        let pool = Pool::new(2);
        let (results, delivered) = mpsc::channel();
        let deliver = |n| {
            let results = results.clone();
            Box::new(move |_| results.send(n).unwrap())
        };
        pool.run(Box::new(Vec::new), deliver(1));
        assert_eq!(delivered.recv_timeout(PATIENCE), Ok(1));
        wait_until_idle(&pool, 1);
        let (started, has_started) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let job = move || {
            started.send(()).unwrap();
            let _ = may_go.recv();
            Vec::new()
        };
        pool.run(Box::new(job), deliver(2));
        has_started.recv_timeout(PATIENCE).unwrap();
        pool.run(Box::new(Vec::new), deliver(3));
        assert_eq!(delivered.recv_timeout(PATIENCE), Ok(3));
        drop(go);
        assert_eq!(delivered.recv_timeout(PATIENCE), Ok(2));
        pool.stop();
    }

    #[test]
    fn every_job_runs_on_at_most_so_many_threads_and_a_panic_ends_only_its_own() {
        let pool = Pool::new(3);
        let (results, delivered) = mpsc::channel();
        for n in 0..100_u8 {
            let results = results.clone();
            let job = move || if n == 50 { panic!("on purpose") } else { vec![n] };
            pool.run(Box::new(job), Box::new(move |result| results.send((n, result)).unwrap()));
        }
        drop(results);
        let mut seen: Vec<_> = delivered.iter().take(100).collect();
        assert!(pool.0.lock().threads.len() <= 3);
        seen.sort();
        for (at, (n, result)) in seen.into_iter().enumerate() {
            assert_eq!(at, usize::from(n));
            assert_eq!(result, (n != 50).then(|| vec![n]));
        }
        pool.stop();
    }

    #[test]
    fn a_job_that_was_taken_back_is_not_run_and_leaves_nothing() {
        let pool = Pool::new(1);
        let (go, may_go) = mpsc::channel::<()>();
        let (results, delivered) = mpsc::channel();
        let deliver = |n| {
            let results = results.clone();
            Box::new(move |_| results.send(n).unwrap())
        };
        let wait = move || {
            let _ = may_go.recv();
            Vec::new()
        };
        let first = pool.run(Box::new(wait), deliver(1)).unwrap();
        let tickets: Vec<_> = (2..10).map(|n| pool.run(Box::new(Vec::new), deliver(n)).unwrap()).collect();
        tickets[1..].iter().for_each(|ticket| pool.forget(*ticket));
        assert!(pool.0.lock().queue.len() <= 2);
        drop(go);
        assert_eq!([delivered.recv().unwrap(), delivered.recv().unwrap()], [1, 2]);
        pool.forget(first);
        pool.stop();
        drop(results);
        assert_eq!(delivered.iter().next(), None);
    }

    #[test]
    fn stopping_waits_for_the_running_job_and_drops_the_queued_one() {
        let pool = Pool::new(1);
        let (started, has_started) = mpsc::channel();
        let (go, may_go) = mpsc::channel::<()>();
        let (results, delivered) = mpsc::channel();
        let second = results.clone();
        let job = move || {
            started.send(()).unwrap();
            let _ = may_go.recv();
            Vec::new()
        };
        pool.run(Box::new(job), Box::new(move |_| results.send(1).unwrap()));
        has_started.recv().unwrap();
        pool.run(Box::new(Vec::new), Box::new(move |_| second.send(2).unwrap()));
        let stopping = thread::spawn({
            let pool = pool.clone();
            move || pool.stop()
        });
        while !pool.0.lock().stopped {
            thread::yield_now();
        }
        drop(go);
        stopping.join().unwrap();
        assert_eq!(delivered.iter().collect::<Vec<_>>(), [1]);
    }
}
