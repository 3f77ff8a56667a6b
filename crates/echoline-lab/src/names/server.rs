//! The sockets of the name server: one thread for datagrams, one for each TCP client, all bounded.

use std::collections::BinaryHeap;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::Zone;

const PORT: u16 = 53;
/// A TCP client has this long for each step.
const PATIENCE: Duration = Duration::from_secs(2);
const MOST_CLIENTS: usize = 32;
/// Answers that wait for their delay; more are lost, as a full queue loses them.
const MOST_WAITING: usize = 4096;

/// A name server that answers until it is dropped.
pub(crate) struct NameServer {
    zone: Arc<Mutex<Zone>>,
    /// Dropped, it wakes the thread, which then ends.
    wake: Option<OwnedFd>,
    thread: Option<JoinHandle<()>>,
}

/// An answer that is not due yet; the earliest is the greatest.
struct Waiting {
    due: Instant,
    socket: usize,
    to: SocketAddr,
    bytes: Vec<u8>,
}

impl NameServer {
    /// Answers on these addresses of the namespace that the calling thread stands in.
    pub(crate) fn start(addresses: &[IpAddr], zone: Zone) -> io::Result<Self> {
        let zone = Arc::new(Mutex::new(zone));
        let mut datagrams = Vec::new();
        let mut listeners = Vec::new();
        for address in addresses {
            let socket = UdpSocket::bind((*address, PORT))?;
            socket.set_nonblocking(true)?;
            datagrams.push(socket);
            let listener = TcpListener::bind((*address, PORT))?;
            listener.set_nonblocking(true)?;
            listeners.push(listener);
        }
        let (woken, wake) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
        let shared = Arc::clone(&zone);
        let thread = thread::Builder::new()
            .name("names".into())
            .spawn(move || serve(&datagrams, &listeners, &woken, &shared))?;
        Ok(Self { zone, wake: Some(wake), thread: Some(thread) })
    }

    /// What it knows and how it behaves, to be changed.
    pub(crate) fn zone(&self) -> MutexGuard<'_, Zone> {
        lock(&self.zone)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.wake = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(zone: &Mutex<Zone>) -> MutexGuard<'_, Zone> {
    // A zone is valid after any panic: every change of it is one assignment.
    zone.lock().unwrap_or_else(PoisonError::into_inner)
}

fn serve(datagrams: &[UdpSocket], listeners: &[TcpListener], woken: &OwnedFd, zone: &Arc<Mutex<Zone>>) {
    let mut waiting = BinaryHeap::new();
    let clients = Arc::new(AtomicUsize::new(0));
    loop {
        let mut fds = vec![PollFd::new(woken, PollFlags::IN)];
        fds.extend(datagrams.iter().map(|socket| PollFd::new(socket, PollFlags::IN)));
        fds.extend(listeners.iter().map(|listener| PollFd::new(listener, PollFlags::IN)));
        let timeout = waiting.peek().map(|next: &Waiting| {
            let left = next.due.saturating_duration_since(Instant::now());
            Timespec { tv_sec: left.as_secs().cast_signed(), tv_nsec: left.subsec_nanos().into() }
        });
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(_) => return,
        }
        if !fds[0].revents().is_empty() {
            return;
        }
        for (number, socket) in datagrams.iter().enumerate() {
            take_datagrams(number, socket, zone, &mut waiting);
        }
        for listener in listeners {
            take_clients(listener, zone, &clients);
        }
        while let Some(next) = waiting.peek().filter(|next| next.due <= Instant::now()) {
            // A client that left misses nothing.
            let _ = datagrams[next.socket].send_to(&next.bytes, next.to);
            waiting.pop();
        }
    }
}

fn take_datagrams(number: usize, socket: &UdpSocket, zone: &Mutex<Zone>, waiting: &mut BinaryHeap<Waiting>) {
    let mut buffer = [0; 4096];
    // Bounded, so that no one socket starves the others.
    for _ in 0..64 {
        let Ok((length, to)) = socket.recv_from(&mut buffer) else { return };
        let (answer, delay) = {
            let zone = lock(zone);
            (zone.answer(&buffer[..length], false), zone.delay)
        };
        if let Some(bytes) = answer
            && waiting.len() < MOST_WAITING
        {
            waiting.push(Waiting { due: Instant::now() + delay, socket: number, to, bytes });
        }
    }
}

fn take_clients(listener: &TcpListener, zone: &Arc<Mutex<Zone>>, clients: &Arc<AtomicUsize>) {
    while let Ok((stream, _)) = listener.accept() {
        if clients.fetch_add(1, Ordering::Relaxed) >= MOST_CLIENTS {
            clients.fetch_sub(1, Ordering::Relaxed);
            continue;
        }
        let (zone, counted) = (Arc::clone(zone), Arc::clone(clients));
        let started = thread::Builder::new().name("names-tcp".into()).spawn(move || {
            // A client that breaks off is its own affair.
            let _ = converse(stream, &zone);
            counted.fetch_sub(1, Ordering::Relaxed);
        });
        if started.is_err() {
            clients.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Two bytes of length before each message (RFC 1035, section 4.2.2).
fn converse(mut stream: TcpStream, zone: &Mutex<Zone>) -> io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    loop {
        let mut length = [0; 2];
        stream.read_exact(&mut length)?;
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        stream.read_exact(&mut message)?;
        let (answer, delay) = {
            let zone = lock(zone);
            (zone.answer(&message, true), zone.delay)
        };
        let Some(answer) = answer else { continue };
        thread::sleep(delay);
        let Ok(length) = u16::try_from(answer.len()) else { continue };
        stream.write_all(&length.to_be_bytes())?;
        stream.write_all(&answer)?;
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.due.cmp(&self.due)
    }
}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for Waiting {}
