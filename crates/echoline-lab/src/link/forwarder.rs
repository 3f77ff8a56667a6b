//! A link between two interfaces: a [`OneWay`] and a thread for each direction.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::io::Errno;

use super::one_way::{Counters, Fate, OneWay};
use super::settings::LinkSettings;
use crate::packet::{MAX_FRAME, PacketSocket, Receive};

/// Frames read before the frames that are due are looked at again.
const BATCH: usize = 64;

/// One of the two ways of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From end a to end b.
    AToB,
    /// From end b to end a.
    BToA,
}

impl Direction {
    /// Both.
    pub const BOTH: [Self; 2] = [Self::AToB, Self::BToA];
}

/// What a [`Forwarder`] joins, and how.
#[derive(Clone, Debug)]
pub struct ForwarderConfig {
    /// The interface at end a; it is up, has no address and belongs to no bridge.
    pub a: String,
    /// The interface at end b.
    pub b: String,
    /// What a to b does, then b to a.
    pub settings: [LinkSettings; 2],
    /// The same seed gives the nth frame of each way the same luck.
    pub seed: u64,
}

/// A running link. It ends when it is dropped.
#[derive(Debug)]
pub struct Forwarder {
    ways: [Arc<Way>; 2],
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Way {
    from: Arc<PacketSocket>,
    to: Arc<PacketSocket>,
    state: Mutex<OneWay>,
    wake: OwnedFd,
    stop: AtomicBool,
}

impl Forwarder {
    /// Joins two interfaces of the calling thread's network namespace; the caller may leave it afterwards.
    ///
    /// Switches the offloads of these two off; those of the interfaces at the far end of their veth pairs
    /// must be off too ([`offload_off`](super::offload_off)), or TCP meets unfinished checksums.
    ///
    /// # Errors
    /// An interface that does not exist, or no right to open packet sockets here (CAP_NET_RAW).
    pub fn start(config: ForwarderConfig) -> io::Result<Self> {
        super::offload_off(&config.a)?;
        super::offload_off(&config.b)?;
        let a = Arc::new(PacketSocket::open(&config.a, Receive::Arriving)?);
        let b = Arc::new(PacketSocket::open(&config.b, Receive::Arriving)?);
        let [a_to_b, b_to_a] = config.settings;
        // Any other seed than the first way's would do; the two ways must not share their luck.
        let other_seed = config.seed ^ 0x9e37_79b9_7f4a_7c15;
        let ways = [
            Way::new(&a, &b, OneWay::new(a_to_b, config.seed))?,
            Way::new(&b, &a, OneWay::new(b_to_a, other_seed))?,
        ];
        let mut forwarder = Self { ways, threads: Vec::new() };
        for way in &forwarder.ways {
            let way = Arc::clone(way);
            let thread = std::thread::Builder::new().name(format!("link {}", config.a));
            // An error here drops the forwarder, which ends the thread that did start.
            forwarder.threads.push(thread.spawn(move || way.run())?);
        }
        Ok(forwarder)
    }

    /// Changes what one way does, from its next frame on.
    pub fn set(&self, direction: Direction, settings: LinkSettings) {
        self.way(direction).lock().set(settings, Instant::now());
        self.way(direction).wake();
    }

    /// What one way does.
    pub fn settings(&self, direction: Direction) -> LinkSettings {
        self.way(direction).lock().settings().clone()
    }

    /// Cuts both ways, which loses what is inside, or mends them.
    pub fn cut(&self, cut: bool) {
        for way in &self.ways {
            way.lock().cut(cut);
        }
    }

    /// True while the link is cut.
    pub fn is_cut(&self) -> bool {
        self.ways[0].lock().is_cut()
    }

    /// What happened to the frames of one way.
    pub fn counters(&self, direction: Direction) -> Counters {
        let way = self.way(direction);
        let missed = way.from.missed();
        let mut state = way.lock();
        state.count_missed(missed);
        state.counters()
    }

    fn way(&self, direction: Direction) -> &Way {
        &self.ways[direction as usize]
    }
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        for way in &self.ways {
            way.stop.store(true, Ordering::Release);
            way.wake();
        }
        for thread in self.threads.drain(..) {
            // A thread of ours that panicked has said so already.
            let _ = thread.join();
        }
    }
}

impl Way {
    fn new(from: &Arc<PacketSocket>, to: &Arc<PacketSocket>, state: OneWay) -> io::Result<Arc<Self>> {
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let (from, to) = (Arc::clone(from), Arc::clone(to));
        Ok(Arc::new(Self { from, to, state: Mutex::new(state), wake, stop: AtomicBool::new(false) }))
    }

    fn lock(&self) -> MutexGuard<'_, OneWay> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self) {
        // It fails only when the counter is full: then the thread is awake already.
        let _ = rustix::io::write(&self.wake, &1u64.to_ne_bytes());
    }

    fn run(&self) {
        let mut buffer = vec![0; MAX_FRAME];
        while !self.stop.load(Ordering::Acquire) {
            let next_due = self.lock().next_due();
            // Only the descriptors themselves could be at fault, and they are ours until we return.
            if self.wait(next_due).is_err() || self.forward(&mut buffer).is_err() {
                return;
            }
        }
    }

    /// Blocks until a frame arrives, one is due, or somebody wakes us.
    fn wait(&self, until: Option<Instant>) -> io::Result<()> {
        let timeout = until.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|left| Timespec::try_from(left).ok());
        let mut ready = [PollFd::new(&*self.from, PollFlags::IN), PollFd::new(&self.wake, PollFlags::IN)];
        match poll(&mut ready, timeout.as_ref()) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        if !ready[1].revents().is_empty() {
            let _ = rustix::io::read(&self.wake, &mut [0; 8]);
        }
        Ok(())
    }

    /// Takes in one batch and sends what is due.
    fn forward(&self, buffer: &mut [u8]) -> io::Result<()> {
        let mut state = self.lock();
        for _ in 0..BATCH {
            let Some(length) = self.from.receive(buffer)? else { break };
            if state.on_frame(&buffer[..length], Instant::now()) == Fate::Passed {
                self.send(&mut state, &buffer[..length]);
            }
        }
        while let Some(frame) = state.due(Instant::now()) {
            self.send(&mut state, &frame);
        }
        Ok(())
    }

    fn send(&self, state: &mut OneWay, frame: &[u8]) {
        if !self.to.send(frame) {
            state.count_unsent();
        }
    }
}
