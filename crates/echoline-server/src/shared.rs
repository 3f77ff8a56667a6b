//! What the workers of one server share: posts, permits and the way to say that it is over.

use std::fmt;
use std::net::{IpAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Instant;

use crate::accept::AcceptGate;
use crate::burst::Bursts;
use crate::compute::Pool;
use crate::config::Config;
use crate::pressure::Budget;
use crate::service::{Factory, Peer};
use crate::session::SessionLimits;
use crate::slots::Key;
use crate::sources::{Source, Sources};
use crate::stats::{Counters, Stats};

/// A service and the name it has in logs.
pub(crate) struct NamedService {
    pub(crate) name: String,
    pub(crate) factory: Factory,
}

/// A connection on its way to a worker.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: TcpStream,
    pub(crate) peer: Peer,
    pub(crate) service: usize,
    pub(crate) permit: Permit,
}

/// What a worker is to look at.
pub(crate) enum News {
    /// A connection was dealt to it.
    Accepted(Accepted),
    /// The job of a connection is done; `None` says that it panicked.
    Computed(Key, Option<Vec<u8>>),
}

/// What all workers are told. Orders only ever get stricter.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Orders {
    /// Accept what is queued, then close the listeners.
    pub(crate) retire: bool,
    /// Conversations that go on at this moment are finished.
    pub(crate) finish_at: Option<Instant>,
    /// Drop everything now.
    pub(crate) stop: bool,
}

/// Interrupts an engine's sleep, from any thread.
pub(crate) trait Wake: Send + Sync {
    fn wake(&self);
}

/// Where a worker gets its news. Aligned so that no two workers write to one cache line (x86 fetches them in pairs).
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Post {
    inbox: Mutex<Vec<News>>,
    waker: OnceLock<Arc<dyn Wake>>,
    pub(crate) counters: Counters,
    open: AtomicUsize,
}

pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) services: Vec<NamedService>,
    pub(crate) gate: AcceptGate,
    pub(crate) jobs: Pool,
    pub(crate) limits: Arc<SessionLimits>,
    pub(crate) bursts: Bursts,
    pub(crate) budget: Budget,
    sources: Sources,
    posts: Vec<Post>,
    /// Permits that are out. One is taken before a connection is dealt, so none is forgotten on its way.
    open: AtomicUsize,
    /// Listeners that still accept.
    listening: AtomicUsize,
    once_served: AtomicBool,
    /// There are orders: while there are none, which is nearly always, nobody takes the lock to read them.
    ordered: AtomicBool,
    orders: Mutex<Orders>,
    running: Mutex<usize>,
    ended: Condvar,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("config", &self.config)
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(config: Config, services: Vec<NamedService>, listening: usize, now: Instant) -> Self {
        let workers = config.workers.get();
        let jobs = Pool::new(config.compute_threads.get());
        let limits = SessionLimits {
            max_pending_output: config.max_pending_output.get(),
            min_progress: config.min_progress,
            idle_timeout: config.idle_timeout,
            linger: config.linger,
        };
        Self {
            budget: Budget::new(config.max_buffered.get(), workers),
            sources: Sources::new(config.max_connections_per_source),
            config,
            jobs,
            limits: Arc::new(limits),
            bursts: Bursts::default(),
            services,
            gate: AcceptGate::new(now),
            posts: (0..workers).map(|_| Post::default()).collect(),
            open: AtomicUsize::new(0),
            listening: AtomicUsize::new(listening),
            once_served: AtomicBool::new(false),
            ordered: AtomicBool::new(false),
            orders: Mutex::default(),
            running: Mutex::new(0),
            ended: Condvar::new(),
        }
    }

    pub(crate) fn post(&self, worker: usize) -> &Post {
        &self.posts[worker]
    }

    pub(crate) fn stats(&self) -> Stats {
        let mut stats = Stats { open: self.open.load(SeqCst) as u64, ..Stats::default() };
        for post in &self.posts {
            post.counters.add_to(&mut stats);
        }
        stats
    }

    /// Room for one more connection of this source, on the worker that has the fewest.
    pub(crate) fn permit(self: &Arc<Self>, from: IpAddr) -> Result<Permit, Full> {
        let max = self.config.max_connections;
        // Said first: where nobody has a place, who has how many is beside the point.
        if !self.has_room_for(1) {
            return Err(Full::Server);
        }
        let source = Source::of(from);
        if !self.sources.admit(source) {
            return Err(Full::Source(source));
        }
        let room = self.open.fetch_update(SeqCst, SeqCst, |open| (open < max).then_some(open + 1));
        if room.is_err() {
            self.sources.release(source);
            return Err(Full::Server);
        }
        let fewest = self.posts.iter().enumerate().min_by_key(|(_, post)| post.open.load(SeqCst));
        let worker = fewest.map_or(0, |(worker, _)| worker);
        self.posts[worker].open.fetch_add(1, SeqCst);
        Ok(Permit { shared: Arc::clone(self), source, worker })
    }

    /// Are there places for so many more?
    pub(crate) fn has_room_for(&self, more: usize) -> bool {
        self.open.load(SeqCst).saturating_add(more) <= self.config.max_connections
    }

    /// With [`Config::once`], true for the first connection alone.
    pub(crate) fn may_serve(&self) -> bool {
        !self.config.once || !self.once_served.swap(true, SeqCst)
    }

    pub(crate) fn deal(&self, accepted: Accepted) {
        self.posts[accepted.permit.worker].deliver(News::Accepted(accepted));
    }

    pub(crate) fn orders(&self) -> Orders {
        if self.ordered.load(SeqCst) { *lock(&self.orders) } else { Orders::default() }
    }

    pub(crate) fn order(&self, change: impl FnOnce(&mut Orders)) {
        change(&mut lock(&self.orders));
        self.ordered.store(true, SeqCst);
        self.wake_all();
    }

    pub(crate) fn listener_retired(&self) {
        if self.listening.fetch_sub(1, SeqCst) == 1 {
            self.wake_all();
        }
    }

    /// Nothing is open, and nothing will be: a connection has its permit before its listener can retire.
    ///
    /// The last to retire a listener wakes everyone; the last to give back a permit does so if no listener is
    /// left. Both are sequentially consistent, so whichever comes later sees the other, and nobody sleeps on.
    pub(crate) fn is_over(&self) -> bool {
        self.listening.load(SeqCst) == 0 && self.open.load(SeqCst) == 0
    }

    pub(crate) fn wake_all(&self) {
        self.posts.iter().for_each(Post::wake);
    }

    pub(crate) fn worker_started(&self) {
        *lock(&self.running) += 1;
    }

    pub(crate) fn worker_ended(&self) {
        let mut running = lock(&self.running);
        *running -= 1;
        if *running == 0 {
            // What was dealt to a worker that had stopped. Each holds a permit, and that holds this value.
            self.posts.iter().for_each(|post| drop(post.take_inbox()));
            self.ended.notify_all();
        }
    }

    pub(crate) fn wait(&self) {
        let running = lock(&self.running);
        drop(self.ended.wait_while(running, |running| *running > 0).unwrap_or_else(PoisonError::into_inner));
    }
}

impl Post {
    pub(crate) fn set_waker(&self, waker: Arc<dyn Wake>) {
        // A second start of the same post does not happen; the first waker stands.
        let _ = self.waker.set(waker);
    }

    /// Wakes the worker for the first piece of news; it takes all that is there then.
    pub(crate) fn deliver(&self, news: News) {
        let first = {
            let mut inbox = lock(&self.inbox);
            inbox.push(news);
            inbox.len() == 1
        };
        if first {
            self.wake();
        }
    }

    pub(crate) fn take_inbox(&self) -> Vec<News> {
        std::mem::take(&mut *lock(&self.inbox))
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.get() {
            waker.wake();
        }
    }
}

/// The right to have one connection open. Given back when it is dropped, which comes after the close.
#[derive(Debug)]
pub(crate) struct Permit {
    shared: Arc<Shared>,
    source: Source,
    pub(crate) worker: usize,
}

/// Why there is no room for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// `max_connections` are open.
    Server,
    /// Of this source, `max_connections_per_source` are.
    Source(Source),
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.posts[self.worker].open.fetch_sub(1, SeqCst);
        self.shared.sources.release(self.source);
        let last = self.shared.open.fetch_sub(1, SeqCst) == 1;
        let may_accept = self.shared.gate.on_closed();
        if may_accept || (last && self.shared.is_over()) {
            self.shared.wake_all();
        }
    }
}

/// Data behind these locks is whole between statements, so a panic elsewhere does not spoil it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_connection_dealt_to_a_worker_that_had_stopped_is_closed() {
        let shared = Arc::new(Shared::new(Config::default(), Vec::new(), 1, Instant::now()));
        shared.worker_started();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, address) = listener.accept().unwrap();
        let permit = shared.permit(address.ip()).unwrap();
        let peer = Peer { address, local: address, tcp: None };
        shared.deal(Accepted { stream, peer, service: 0, permit });
        shared.worker_ended();
        client.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        assert_eq!(client.read(&mut [0]).unwrap(), 0);
        assert_eq!((shared.stats().open, Arc::strong_count(&shared)), (0, 1));
    }
}
