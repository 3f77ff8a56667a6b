//! One worker: what its engine and its sessions have in common, whichever engine it is.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::SockRef;

use crate::accept::AcceptFailure;
use crate::pressure::Pressure;
use crate::service::{Batch, Peer, ServiceKind, Tally, TcpFigures};
use crate::session::Session;
use crate::shared::{Accepted, Full, News, Orders, Permit, Shared};
use crate::slots::Key;
use crate::stats::{Counters, Ending};
use crate::timers::Timers;

/// So many of one kind before others have their turn: connections that come, connections that leave or have more to say,
/// deadlines that are due. A crowd that does so all at once must not have everybody else wait until it is over.
/// Few in tests, whose crowds are small.
pub(crate) const TURN: usize = if cfg!(test) { 2 } else { 16 };

/// Accepts of a listener that retires, in one turn: no queue is longer where the system's limit stands as it comes
/// (listen(2)).
pub(crate) const LAST_TURN: usize = 4096;

/// A listener of this worker.
#[derive(Debug)]
pub(crate) struct Listening {
    pub(crate) listener: TcpListener,
    pub(crate) address: SocketAddr,
    /// Index into the server's services.
    pub(crate) service: usize,
}

/// A session with what the worker knows of its connection. The engine keeps it beside the socket.
pub(crate) struct Client {
    pub(crate) session: Session,
    peer: Peer,
    service: usize,
    permit: Permit,
    /// What `Worker::pressure` counts for it.
    buffered: usize,
}

pub(crate) struct Worker {
    pub(crate) shared: Arc<Shared>,
    pub(crate) listeners: Vec<Listening>,
    id: usize,
    timers: Timers,
    pressure: Pressure,
    finished_all: bool,
}

impl Worker {
    pub(crate) fn new(shared: Arc<Shared>, id: usize, listeners: Vec<Listening>) -> Self {
        let (timers, pressure) = (Timers::default(), Pressure::default());
        Self { shared, listeners, id, timers, pressure, finished_all: false }
    }

    fn counters(&self) -> &Counters {
        &self.shared.post(self.id).counters
    }

    /// A connection was accepted. Returns it if this worker is to serve it.
    pub(crate) fn on_accepted(
        &mut self,
        stream: TcpStream,
        address: SocketAddr,
        service: usize,
        now: Instant,
    ) -> Option<Accepted> {
        self.shared.gate.on_accepted(now);
        let permit = match self.shared.permit(address.ip()) {
            Ok(permit) if self.shared.may_serve() => permit,
            refused => {
                self.on_refused(address, refused.err().unwrap_or(Full::Server), now);
                // RST says at once what an orderly close would leave to be guessed.
                let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                return None;
            }
        };
        if self.shared.config.once {
            self.shared.order(|orders| orders.retire = true);
        }
        // A client that has left already has no address any more; its session finds out.
        let local = stream.local_addr().unwrap_or(address);
        self.counters().accepted.add(1);
        // One system call, for the one service that shows it.
        let shown = self
            .shared
            .services
            .get(service)
            .is_some_and(|service| service.name == ServiceKind::Whoami.as_str());
        let tcp = if shown { TcpFigures::of(&stream) } else { None };
        let accepted = Accepted { stream, peer: Peer { address, local, tcp }, service, permit };
        if accepted.permit.worker == self.id {
            return Some(accepted);
        }
        self.shared.deal(accepted);
        None
    }

    fn on_refused(&mut self, peer: SocketAddr, full: Full, now: Instant) {
        match full {
            Full::Server => {
                self.counters().refused_at_limit.add(1);
                if let Some(more) = self.shared.bursts.full.note(now) {
                    if self.shared.config.once {
                        tracing::warn!(%peer, more, limit = "once", "refused: one connection alone is served");
                    } else {
                        tracing::warn!(%peer, more, limit = "max-connections", "refused: so many connections are open");
                    }
                }
            }
            Full::Source(source) => {
                self.counters().refused_at_source_limit.add(1);
                if let Some(more) = self.shared.bursts.source_full.note(now) {
                    let limit = "max-connections-per-source";
                    tracing::warn!(%peer, %source, more, limit, "refused: this source has so many connections open");
                }
            }
        }
    }

    /// An accept failed. The log gets one line a shortage, not one a try.
    pub(crate) fn on_accept_failed(
        &mut self,
        error: &std::io::Error,
        listener: SocketAddr,
        now: Instant,
    ) -> AcceptFailure {
        let mut failure = AcceptFailure::of(error);
        if failure == AcceptFailure::Skip {
            failure = self.shared.gate.on_skip();
        }
        match failure {
            AcceptFailure::Empty => self.shared.gate.on_empty(now),
            AcceptFailure::Gone => {
                self.shared.gate.on_accepted(now);
                tracing::debug!(%listener, %error, "a connection had broken off before it was accepted");
            }
            AcceptFailure::Skip => {
                tracing::debug!(%listener, %error, "a connection was gone before it was accepted");
            }
            AcceptFailure::Shortage => {
                self.counters().accept_shortages.add(1);
                if self.shared.gate.on_shortage(now)
                    && let Some(more) = self.shared.bursts.shortage.note(now)
                {
                    tracing::warn!(%listener, %error, more, "accepting pauses until a connection closes or the error ends");
                }
            }
            AcceptFailure::Broken => {
                tracing::error!(%listener, %error, "the listener is broken and was closed");
            }
        }
        failure
    }

    /// Makes the session of a connection that this worker serves.
    pub(crate) fn open(&self, accepted: Accepted, now: Instant) -> (TcpStream, Client) {
        let Accepted { stream, peer, service, permit } = accepted;
        tracing::debug!(peer = %peer.address, service = self.shared.services[service].name, "connected");
        let conversation = (self.shared.services[service].factory)(&peer);
        let session = Session::new(conversation, Arc::clone(&self.shared.limits), now);
        (stream, Client { session, peer, service, permit, buffered: 0 })
    }

    pub(crate) fn on_open(&self, client: &mut Client, now: Instant) -> Option<Batch> {
        client.session.on_open(&client.peer, now)
    }

    pub(crate) fn on_input(&self, client: &mut Client, input: &[u8], now: Instant) -> Option<Batch> {
        let batch = client.session.on_input(input, now);
        self.counters().bytes_in.add(input.len() as u64);
        self.count(client, now);
        batch
    }

    pub(crate) fn on_sent(
        &self,
        client: &mut Client,
        socket: &SockRef<'_>,
        batch: Batch,
        source: &[u8],
        sent: std::io::Result<usize>,
        now: Instant,
    ) -> Option<Batch> {
        if let Ok(sent) = sent {
            self.counters().bytes_out.add(sent as u64);
        }
        let waited = client.session.waits_for_reader();
        let batch = client.session.on_sent(batch, source, sent, now);
        if !waited && client.session.waits_for_reader() {
            client.session.on_waiting_for_reader(unacknowledged(socket));
        }
        // Input that had to wait for this send may have been served now.
        self.count(client, now);
        batch
    }

    fn count(&self, client: &mut Client, now: Instant) {
        let Tally { lines, long_lines } = client.session.take_tally();
        self.counters().lines.add(lines);
        if long_lines > 0 {
            self.counters().passed_as_long.add(long_lines.into());
            if let Some(more) = self.shared.bursts.long_line.note(now) {
                let (peer, limit) = (client.peer.address, "max-line");
                tracing::info!(%peer, more, limit, "a line is too long to be held: passed on as it comes");
            }
        }
    }

    /// Runs the job that the session has begun, if it has; its result comes as [`News::Computed`].
    pub(crate) fn start_job(&self, key: Key, client: &mut Client) {
        let Some(job) = client.session.take_job() else { return };
        let (shared, id) = (Arc::clone(&self.shared), self.id);
        let deliver = move |result| shared.post(id).deliver(News::Computed(key, result));
        client.session.on_job_queued(self.shared.jobs.run(job, Box::new(deliver)));
    }

    pub(crate) fn on_computed(
        &self,
        client: &mut Client,
        result: Option<Vec<u8>>,
        now: Instant,
    ) -> Option<Batch> {
        let batch = client.session.on_computed(result, now);
        self.count(client, now);
        batch
    }

    /// The engine has closed the socket.
    pub(crate) fn on_closed(&mut self, mut client: Client, ending: Ending, now: Instant) {
        self.counters().ended[ending as usize].add(1);
        self.count_buffered(&mut client, 0);
        if let Some(job) = client.session.ticket() {
            self.shared.jobs.forget(job);
        }
        let service = &self.shared.services[client.service].name;
        let peer = client.peer.address;
        let told = match ending {
            Ending::Done | Ending::Reset => None,
            _ => self.shared.bursts.endings[ending as usize].note(now),
        };
        match (told, ending.limit()) {
            (None, None) => tracing::debug!(%peer, service, %ending, "ended"),
            (None, Some(limit)) => tracing::debug!(%peer, service, %ending, limit, "ended by a limit"),
            (Some(more), None) => tracing::info!(%peer, service, %ending, more, "ended"),
            (Some(more), Some(limit)) => {
                tracing::warn!(%peer, service, %ending, more, limit, "ended by a limit");
            }
        }
        drop(client.permit);
    }

    /// Keeps the session's deadline and its memory in view; called after every event of the session.
    pub(crate) fn watch(&mut self, key: Key, client: &mut Client, now: Instant) {
        self.timers.watch(key, client.session.deadline());
        self.count_buffered(client, client.session.buffered());
        if client.session.was_held_up() {
            self.counters().held_up.add(1);
            if let Some(more) = self.shared.bursts.slow_reader.note(now) {
                let (peer, limit) = (client.peer.address, "max-pending-output");
                tracing::info!(%peer, more, limit, "so much waits to be read that nothing more is read from it");
            }
        }
    }

    fn count_buffered(&mut self, client: &mut Client, now: usize) {
        let before = std::mem::replace(&mut client.buffered, now);
        if before != now {
            if self.pressure.changed(&self.shared.budget, before, now) {
                self.shared.wake_all();
            }
            self.counters().buffered.set(self.pressure.buffered() as u64);
        }
    }

    /// Whom to relieve now with [`Worker::relieve`]: nearly always nobody.
    pub(crate) fn must_relieve<'a>(&self, clients: impl Iterator<Item = (Key, &'a Client)>) -> Vec<Key> {
        if !self.pressure.is_high(&self.shared.budget) {
            return Vec::new();
        }
        let holders = clients.map(|(key, client)| (key, client.buffered));
        self.pressure.largest(&self.shared.budget, holders)
    }

    /// Takes from a session the memory that it holds.
    pub(crate) fn relieve(&mut self, client: &mut Client, now: Instant) -> Option<Batch> {
        if let Some(more) = self.shared.bursts.pressure.note(now) {
            let (peer, bytes) = (client.peer.address, client.buffered);
            let limit = "max-buffered";
            tracing::warn!(%peer, bytes, more, limit, "memory for unfinished lines and output is used up: relieved");
        }
        let batch = client.session.relieve(now);
        // At once: one that waits to be closed must not be chosen again.
        self.count_buffered(client, client.session.buffered());
        if client.session.goes_on() {
            self.counters().passed_for_memory.add(1);
        }
        batch
    }

    /// Takes some sessions whose timers are due; the engine answers with [`Worker::on_due`]. [`Worker::sleep`] is zero if
    /// there are more.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Key> {
        self.timers.take_due(TURN, now)
    }

    /// Lets the session act on the time.
    pub(crate) fn on_due(&mut self, key: Key, client: &mut Client, socket: &SockRef<'_>, now: Instant) {
        let waits = client.session.waits_for_reader();
        client.session.on_time(if waits { unacknowledged(socket) } else { 0 }, now);
        self.watch(key, client, now);
    }

    /// How long the engine may sleep. `None` is until something happens.
    pub(crate) fn sleep(&self, accept_again: Option<Instant>, now: Instant) -> Option<Duration> {
        let finish_at = self.shared.orders().finish_at.filter(|_| !self.finished_all);
        let next = [self.timers.next(), accept_again, finish_at].into_iter().flatten().min();
        next.map(|next| next.saturating_duration_since(now))
    }

    pub(crate) fn take_inbox(&self) -> Vec<News> {
        self.shared.post(self.id).take_inbox()
    }

    pub(crate) fn orders(&self) -> Orders {
        self.shared.orders()
    }

    /// True once: when the deadline of a drain has come and every session is to be finished.
    pub(crate) fn must_finish_all(&mut self, now: Instant) -> bool {
        let due = self.shared.orders().finish_at.is_some_and(|at| at <= now);
        due && !std::mem::replace(&mut self.finished_all, due)
    }

    /// The deadline of a drain has passed: what is opened now is finished at once.
    pub(crate) fn is_finishing(&self) -> bool {
        self.finished_all
    }

    /// Nothing is left to do for this worker, nor will there be.
    pub(crate) fn is_over(&self) -> bool {
        self.shared.is_over()
    }
}

/// Bytes that the kernel took and the client has not acknowledged. Where that cannot be asked, what the kernel took
/// counts as acknowledged.
#[cfg(target_os = "linux")]
fn unacknowledged(socket: &SockRef<'_>) -> u64 {
    echoline_sys::unacknowledged(&**socket).map_or(0, u64::from)
}

#[cfg(not(target_os = "linux"))]
fn unacknowledged(_socket: &SockRef<'_>) -> u64 {
    0
}
