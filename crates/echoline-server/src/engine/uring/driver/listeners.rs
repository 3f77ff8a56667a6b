//! The driver's listeners: accepting as far as permitted, and retiring without losing who is queued.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Instant;

use rustix::io::Errno;

use super::Driver;
use crate::accept::{AcceptFailure, Permission};
use crate::engine::uring::kernel::Kernel;
use crate::worker::{LAST_TURN, Worker};

pub(super) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    service: usize,
    /// So many may wait in its queue, and one request that accepts many takes them all at once.
    backlog: usize,
    accepting: Accepting,
    cancelled: bool,
    broken: bool,
    /// It retires: its queue is emptied by hand, and next then.
    emptying: bool,
    again: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accepting {
    No,
    One,
    Many,
}

/// Where it cannot be asked: what Linux allows unless told otherwise (listen(2), `net.core.somaxconn`).
const USUAL_BACKLOG: u32 = 4096;

impl<K: Kernel> Driver<K> {
    /// Takes over the worker's listeners. They block, as requests on them do not.
    pub(in crate::engine::uring) fn listen(&mut self, worker: &mut Worker) -> io::Result<()> {
        for listening in worker.listeners.drain(..) {
            listening.listener.set_nonblocking(false)?;
            let backlog = echoline_sys::backlog(&listening.listener).unwrap_or(USUAL_BACKLOG);
            self.listeners.push(Some(Listener {
                backlog: usize::try_from(backlog).unwrap_or(usize::MAX),
                socket: listening.listener,
                address: listening.address,
                service: listening.service,
                accepting: Accepting::No,
                cancelled: false,
                broken: false,
                emptying: false,
                again: None,
            }));
        }
        Ok(())
    }

    /// Keeps every listener accepting, as far as permitted. Returns when to ask again if nothing else happens.
    ///
    /// Who was accepted has a descriptor, also while it waits for its turn: so whole queues are accepted only while there
    /// would be places for all that is in them.
    pub(super) fn accept_all(&mut self, worker: &Worker, now: Instant) -> Option<Instant> {
        let mut again: Option<Instant> = None;
        let backlogs: usize = self.listeners.iter().flatten().map(|listener| listener.backlog).sum();
        let has_room = worker.shared.has_room_for(backlogs + self.arrivals);
        for (index, listener) in self.listeners.iter_mut().enumerate() {
            let Some(listener) = listener.as_mut().filter(|one| !one.broken) else { continue };
            if listener.accepting == Accepting::Many && !has_room {
                listener.cancel(index, &mut self.kernel);
            }
            if listener.accepting != Accepting::No {
                continue;
            }
            if listener.emptying {
                again = [again, listener.again].into_iter().flatten().min();
                continue;
            }
            listener.accepting = match worker.shared.gate.ask(now) {
                Permission::NotBefore(time) => {
                    again = [again, Some(time)].into_iter().flatten().min();
                    continue;
                }
                Permission::Freely if has_room => Accepting::Many,
                Permission::Freely | Permission::Once => Accepting::One,
            };
            listener.cancelled = false;
            let many = listener.accepting == Accepting::Many;
            self.kernel.accept(index, listener.socket.as_fd(), many);
        }
        again
    }

    pub(super) fn on_accepted(
        &mut self,
        worker: &mut Worker,
        index: usize,
        result: io::Result<(TcpStream, SocketAddr)>,
        more: bool,
        now: Instant,
    ) {
        let listener = self.listeners[index].as_mut().expect("a listener stays until its request is over");
        if !more {
            listener.accepting = Accepting::No;
        }
        let (address, service) = (listener.address, listener.service);
        match result {
            Ok((stream, peer)) => {
                if let Some(accepted) = worker.on_accepted(stream, peer, service, now) {
                    self.adopt(worker, accepted, now);
                }
            }
            Err(error) if Errno::from_io_error(&error) == Some(Errno::CANCELED) => {}
            Err(error) => {
                let failure = worker.on_accept_failed(&error, address, now);
                listener.broken = failure == AcceptFailure::Broken;
            }
        }
    }

    /// Ends a listener that is broken, or all when retiring: first its request, then its queue, then itself.
    pub(super) fn retire(&mut self, worker: &mut Worker, index: usize, retire: bool, now: Instant) {
        let Some(listener) = self.listeners[index].as_mut().filter(|one| retire || one.broken) else {
            return;
        };
        if listener.accepting != Accepting::No {
            listener.cancel(index, &mut self.kernel);
            return;
        }
        let Some(mut listener) = self.listeners[index].take() else { return };
        if self.empty_queue(worker, &mut listener, now) {
            drop(listener);
            worker.shared.listener_retired();
        } else {
            self.listeners[index] = Some(listener);
        }
    }

    /// Accepts what is still in the queue. False when some of it has to wait for descriptors or for another turn, as
    /// long as there is time.
    fn empty_queue(&mut self, worker: &mut Worker, listener: &mut Listener, now: Instant) -> bool {
        if listener.broken || (!listener.emptying && listener.socket.set_nonblocking(true).is_err()) {
            return true;
        }
        listener.emptying = true;
        for _ in 0..LAST_TURN {
            if let Permission::NotBefore(time) = worker.shared.gate.ask(now) {
                listener.again = Some(time);
                return worker.is_finishing();
            }
            match self.kernel.accept_queued(&listener.socket) {
                Ok((stream, peer)) => {
                    if let Some(accepted) = worker.on_accepted(stream, peer, listener.service, now) {
                        self.adopt(worker, accepted, now);
                    }
                }
                Err(error) => match worker.on_accept_failed(&error, listener.address, now) {
                    AcceptFailure::Empty | AcceptFailure::Broken => return true,
                    AcceptFailure::Skip | AcceptFailure::Gone | AcceptFailure::Shortage => {}
                },
            }
        }
        listener.again = Some(now);
        worker.is_finishing()
    }
}

impl Listener {
    /// Takes its request back; it stays under way until it completes.
    fn cancel(&mut self, index: usize, kernel: &mut impl Kernel) {
        if !std::mem::replace(&mut self.cancelled, true) {
            kernel.cancel_accept(index);
        }
    }
}
