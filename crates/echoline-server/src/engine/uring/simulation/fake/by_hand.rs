//! What a test has happen by itself, all at once, where the order is the point.

use std::os::fd::RawFd;

use rustix::io::Errno;

use super::{Client, FakeKernel};
use crate::engine::uring::kernel::{Completion, Received};
use crate::stats::Ending;

impl FakeKernel {
    /// So many clients, who say this, come all at once.
    pub(in super::super) fn arrive(&mut self, clients: usize, says: &[u8]) {
        let more = self.accept.expect("the listener accepts");
        assert!(more || clients == 1, "it accepts one");
        for _ in 0..clients {
            let client = Client { says: says.to_vec(), ..Client::default() };
            let result = Ok(self.connect(client));
            self.ready.push_back(Completion::Accepted { listener: 0, result, more });
        }
        self.accept = Some(true).filter(|_| more);
    }

    /// The request to accept many ends, as it was asked to.
    pub(in super::super) fn end_accepting(&mut self) {
        assert!(std::mem::take(&mut self.accept_cancelled), "it was cancelled");
        assert_eq!(self.accept.take(), Some(true));
        let result = Err(Errno::CANCELED.into());
        self.ready.push_back(Completion::Accepted { listener: 0, result, more: false });
    }

    pub(in super::super) fn is_to_end_accepting(&self) -> bool {
        self.accept_cancelled
    }

    /// No descriptor is left for the next one.
    pub(in super::super) fn run_out(&mut self) {
        assert_eq!(self.accept.take(), Some(true), "the listener accepts");
        let result = Err(Errno::MFILE.into());
        self.ready.push_back(Completion::Accepted { listener: 0, result, more: false });
    }

    pub(in super::super) fn accepts(&self) -> bool {
        self.accept.is_some()
    }

    /// What a client says next arrives, one buffer of it.
    pub(in super::super) fn say(&mut self, fd: RawFd) {
        let (key, appetite) = self.clients[&fd].receive.expect("a receive");
        let len = self.pool(appetite).size.min(self.clients[&fd].left());
        let result = Ok(self.deliver(fd, appetite, len));
        self.ready.push_back(Completion::Received { key, result, more: true });
    }

    /// A client answers no more: its receive fails, and a send will.
    pub(in super::super) fn lose(&mut self, fd: RawFd) {
        let client = self.clients.get_mut(&fd).expect("a client");
        let (key, _) = client.receive.take().expect("a receive");
        client.failed = Some(Ending::Lost);
        let result = Err(Errno::TIMEDOUT.into());
        self.ready.push_back(Completion::Received { key, result, more: false });
    }

    /// All that a client still says arrives at once, in as many buffers as that takes, and with it the end.
    pub(in super::super) fn pour(&mut self, fd: RawFd) {
        let (key, appetite) = self.clients[&fd].receive.expect("a receive");
        while self.clients[&fd].left() > 0 {
            self.say(fd);
        }
        let end = Received { pool: appetite, buffer: u16::MAX, len: 0 };
        self.ready.push_back(Completion::Received { key, result: Ok(end), more: false });
        self.clients.entry(fd).and_modify(|client| client.receive = None);
    }

    /// So much is complete that no entry has brought yet.
    pub(in super::super) fn left(&self) -> usize {
        self.ready.len()
    }

    /// Every send that is under way completes, if only in part.
    pub(in super::super) fn complete_sends(&mut self) {
        for fd in self.clients.keys().copied().collect::<Vec<_>>() {
            self.step_send(fd);
        }
    }
}
