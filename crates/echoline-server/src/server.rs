//! A server as a value: build, start, ask, drain, stop.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};

use crate::config::{Config, EngineChoice};
use crate::descriptors;
use crate::engine::{Engine, Portable, Unavailable, Uring};
use crate::service::{Factory, Instance, Peer, Service, ServiceKind};
use crate::shared::{NamedService, Shared, Wake};
use crate::stats::{Ending, Stats};
use crate::worker::{Listening, Worker};

/// Collects what a server is to serve.
pub struct Builder {
    config: Config,
    services: Vec<NamedService>,
    listeners: Vec<(TcpListener, usize)>,
    instance: Arc<Instance>,
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    endpoints: Vec<Bound>,
    engine: EngineReport,
    workers: Mutex<Vec<JoinHandle<io::Result<()>>>>,
}

/// An endpoint that a server serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bound {
    /// The name of the service.
    pub service: String,
    /// Where it listens; never port 0.
    pub address: SocketAddr,
}

/// Which engine runs, and why not a faster one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineReport {
    /// `portable` or `uring`.
    pub name: &'static str,
    /// With [`EngineChoice::Auto`]: why the first choice does not work here.
    pub fallback: Option<String>,
}

/// How a drain went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drained {
    /// Conversations that came to their own end.
    pub ended: u64,
    /// Conversations that the server finished because the deadline had come.
    pub cut_off: u64,
}

/// Why a server did not start, or ended by itself.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ServerError {
    /// The engine that was asked for does not work here.
    #[error("the {engine} engine does not work here")]
    EngineUnavailable {
        /// Its name.
        engine: &'static str,
        /// What failed.
        #[source]
        reason: Unavailable,
    },
    /// There is nothing to serve.
    #[error("the server has no listener: add one with `listen`")]
    NoListener,
    /// A listener cannot be used.
    #[error("the listener cannot be used")]
    Listener(#[source] io::Error),
    /// The system gave no thread for a worker.
    #[error("the system gave no thread for a worker")]
    NoThread(#[source] io::Error),
    /// A worker ended with an error of the system.
    #[error("a worker ended")]
    Worker(#[source] io::Error),
    /// A worker met a broken invariant: a defect of the server.
    #[error("a worker panicked; this is a defect of the server")]
    WorkerPanicked,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("config", &self.config)
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

impl Builder {
    /// Serves one of the server's own services on a listener that is bound already.
    #[must_use]
    pub fn listen(self, kind: ServiceKind, listener: impl Into<TcpListener>) -> Self {
        let factory = kind.factory(&self.config, &self.instance);
        self.listen_with(kind.as_str(), factory, listener.into())
    }

    /// Serves somebody's own service; `make` is called once for each connection.
    #[must_use]
    pub fn listen_service<S: Service + 'static>(
        self,
        name: &str,
        make: impl Fn(&Peer) -> S + Send + Sync + 'static,
        listener: impl Into<TcpListener>,
    ) -> Self {
        self.listen_with(name, Arc::new(move |peer| Box::new(make(peer))), listener.into())
    }

    fn listen_with(mut self, name: &str, factory: Factory, listener: TcpListener) -> Self {
        self.listeners.push((listener, self.services.len()));
        self.services.push(NamedService { name: name.to_owned(), factory });
        self
    }

    /// Starts the workers. When this returns, connections are served.
    ///
    /// # Errors
    ///
    /// All of [`ServerError`] but those of a worker that runs already; nothing is left running then.
    pub fn start(self) -> Result<Server, ServerError> {
        let Self { config, services, listeners, instance: _ } = self;
        let Some((first, _)) = listeners.first() else { return Err(ServerError::NoListener) };
        descriptors::make_room(config.open_files(), first);
        let listeners: Vec<Listening> = listeners
            .into_iter()
            .map(|one| prepare(one, &config))
            .collect::<io::Result<_>>()
            .map_err(ServerError::Listener)?;
        let bound = |listening: &Listening| Bound {
            service: services[listening.service].name.clone(),
            address: listening.address,
        };
        let endpoints = listeners.iter().map(bound).collect();
        let choice = config.engine;
        let shared = Arc::new(Shared::new(config, services, listeners.len(), Instant::now()));
        let (engine, workers) = start_engine(choice, &shared, listeners)?;
        Ok(Server { shared, endpoints, engine, workers: Mutex::new(workers) })
    }
}

impl Server {
    /// Begins a server with this configuration.
    #[must_use]
    pub fn builder(config: Config) -> Builder {
        Builder { config, services: Vec::new(), listeners: Vec::new(), instance: Arc::new(Instance::new()) }
    }

    /// What is served where, in the order in which it was added.
    #[must_use]
    pub fn endpoints(&self) -> &[Bound] {
        &self.endpoints
    }

    /// Which engine runs.
    #[must_use]
    pub fn engine(&self) -> &EngineReport {
        &self.engine
    }

    /// The counters as they stand now.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.stats()
    }

    /// Waits until the server has ended: after a drain, a stop, or with [`Config::once`] its one conversation.
    ///
    /// # Errors
    ///
    /// [`ServerError::Worker`] and [`ServerError::WorkerPanicked`], from the first worker that ended so.
    pub fn wait(&self) -> Result<(), ServerError> {
        self.shared.wait();
        self.shared.jobs.stop();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            worker.join().map_err(|_| ServerError::WorkerPanicked)?.map_err(ServerError::Worker)?;
        }
        Ok(())
    }

    /// Stops accepting and lets conversations end. Those that go on after `grace` are finished: what is pending
    /// is sent, then FIN. Returns when all have ended, at most [`Config::linger`] after that.
    pub fn drain(&self, grace: Duration) -> Drained {
        let before = self.stats();
        self.shared.order(|orders| {
            orders.retire = true;
            // A time that the clock cannot express never comes.
            let finish_at = Instant::now().checked_add(grace);
            orders.finish_at = [orders.finish_at, finish_at].into_iter().flatten().min();
        });
        self.shared.wait();
        self.shared.jobs.stop();
        let after = self.stats();
        let by_us = |stats: &Stats| stats.ended_by(Ending::Drained) + stats.ended_by(Ending::CutOff);
        let all = |stats: &Stats| stats.ended.iter().sum::<u64>();
        let cut_off = by_us(&after) - by_us(&before);
        Drained { ended: all(&after) - all(&before) - cut_off, cut_off }
    }

    /// Ends at once: connections are closed as they stand.
    pub fn stop(&self) {
        self.shared.order(|orders| orders.stop = true);
        self.shared.wait();
        self.shared.jobs.stop();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
        // A worker's error has nobody left to tell.
        let _ = self.wait();
    }
}

/// Makes a listener ready for any engine. Accepted sockets inherit its options.
fn prepare((listener, service): (TcpListener, usize), config: &Config) -> io::Result<Listening> {
    listener.set_nonblocking(true)?;
    let socket = SockRef::from(&listener);
    // An answer must not wait for the acknowledgement of the one before (RFC 896).
    socket.set_tcp_nodelay(true)?;
    // An urgent byte is data like any other, in its place (RFC 6093, section 5).
    socket.set_out_of_band_inline(true)?;
    // Where no send can be told to raise no SIGPIPE, connections inherit that from their listener.
    #[cfg(target_vendor = "apple")]
    socket.set_nosigpipe(true)?;
    if let Some(time) = config.keepalive {
        socket.set_tcp_keepalive(&keepalive(time))?;
    }
    #[cfg(target_os = "linux")]
    if let Some(time) = config.user_timeout {
        socket.set_tcp_user_timeout(Some(time.clamp(USER_TIMEOUT.0, USER_TIMEOUT.1)))?;
    }
    let address = listener.local_addr()?;
    Ok(Listening { listener, address, service })
}

/// An int of milliseconds, in which 0 would be the system's own patience (tcp(7)).
#[cfg(target_os = "linux")]
const USER_TIMEOUT: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(i32::MAX as u64));

/// Four probes, a quarter of the time apart. The kernel counts in seconds, and not beyond 32,767 (tcp(7)).
fn keepalive(time: Duration) -> TcpKeepalive {
    const PROBES: u32 = 4;
    let seconds = |time: Duration| time.clamp(Duration::from_secs(1), Duration::from_secs(32_767));
    TcpKeepalive::new().with_time(seconds(time)).with_interval(seconds(time / PROBES)).with_retries(PROBES)
}

type Workers = Vec<JoinHandle<io::Result<()>>>;

/// A worker thread that has its engine and waits for its part of the work.
struct Prepared {
    thread: JoinHandle<io::Result<()>>,
    start: mpsc::SyncSender<Worker>,
    waker: Arc<dyn Wake>,
}

fn start_engine(
    choice: EngineChoice,
    shared: &Arc<Shared>,
    listeners: Vec<Listening>,
) -> Result<(EngineReport, Workers), ServerError> {
    let count = shared.config.workers.get();
    let (prepared, name, fallback) = match choice {
        EngineChoice::Portable => (prepare_workers::<Portable>(count)?, Portable::NAME, None),
        EngineChoice::Uring => (prepare_workers::<Uring>(count)?, Uring::NAME, None),
        EngineChoice::Auto => match prepare_workers::<Uring>(count) {
            Ok(prepared) => (prepared, Uring::NAME, None),
            Err(ServerError::EngineUnavailable { engine, reason }) => {
                let why = format!("{engine} does not work here: {reason}: {}", reason.system());
                tracing::info!("the portable engine serves, because {why}");
                (prepare_workers::<Portable>(count)?, Portable::NAME, Some(why))
            }
            Err(other) => return Err(other),
        },
    };
    Ok((EngineReport { name, fallback }, hand_over(prepared, shared, listeners)))
}

/// Starts all threads with their engines, or none.
fn prepare_workers<E: Engine>(workers: usize) -> Result<Vec<Prepared>, ServerError> {
    let prepare = |id| {
        let (ready, is_ready) = mpsc::sync_channel(1);
        let (start, started) = mpsc::sync_channel::<Worker>(1);
        let body = move || match E::new() {
            Err(reason) => {
                let _ = ready.send(Err(reason));
                Ok(())
            }
            Ok(engine) => {
                let _ = ready.send(Ok(engine.waker()));
                // Nothing comes when another worker has no engine.
                started.recv().map_or(Ok(()), |worker| run(engine, worker))
            }
        };
        let name = format!("echoline-{id}");
        let thread = thread::Builder::new().name(name).spawn(body).map_err(ServerError::NoThread)?;
        match is_ready.recv() {
            Ok(Ok(waker)) => Ok(Prepared { thread, start, waker }),
            Ok(Err(reason)) => Err(ServerError::EngineUnavailable { engine: E::NAME, reason }),
            Err(_) => Err(ServerError::WorkerPanicked),
        }
    };
    (0..workers).map(prepare).collect()
}

/// Deals the listeners to the workers and lets them run.
fn hand_over(prepared: Vec<Prepared>, shared: &Arc<Shared>, listeners: Vec<Listening>) -> Workers {
    let workers = prepared.len();
    let mut parts: Vec<Vec<Listening>> = prepared.iter().map(|_| Vec::new()).collect();
    for (index, listening) in listeners.into_iter().enumerate() {
        parts[index % workers].push(listening);
    }
    for (id, one) in prepared.iter().enumerate() {
        shared.post(id).set_waker(Arc::clone(&one.waker));
        shared.worker_started();
    }
    let start = |(id, (one, part)): (usize, (Prepared, Vec<Listening>))| {
        // The thread does nothing but wait for this.
        let sent = one.start.send(Worker::new(Arc::clone(shared), id, part));
        assert!(sent.is_ok(), "a worker thread ended before its start");
        one.thread
    };
    prepared.into_iter().zip(parts).enumerate().map(start).collect()
}

/// Runs a worker and tells the others if it ends by an error or a panic: half a server is none.
fn run<E: Engine>(engine: E, worker: Worker) -> io::Result<()> {
    struct Ended(Arc<Shared>);
    impl Drop for Ended {
        fn drop(&mut self) {
            if thread::panicking() {
                self.0.order(|orders| orders.stop = true);
            }
            self.0.worker_ended();
        }
    }
    let shared = Arc::clone(&worker.shared);
    let _ended = Ended(Arc::clone(&shared));
    let result = engine.run(worker);
    if result.is_err() {
        shared.order(|orders| orders.stop = true);
    }
    result
}
