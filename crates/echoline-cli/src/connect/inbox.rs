//! What the server says, asked or not: a thread receives; the terminal waits for answers and shows the rest.

use std::io::{self, ErrorKind, Read};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::conversation::{Tally, is_timeout};
use super::difference::CONTEXT;
use super::screen::{Reply, broke, unasked};
use super::trace::{Call, Trace};

/// Where the receiving thread puts what came.
pub(super) struct Inbox {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    awaited: Option<Awaited>,
    /// The other side finished (`Ok`) or the connection broke.
    ended: Option<io::Result<()>>,
    received: Tally,
    /// The first bytes that nothing of ours asked for.
    unasked: Vec<u8>,
    /// Something was sent.
    asked: bool,
    /// Bytes came before anything was sent.
    spoke_first: bool,
    /// Our side ends: the end of the other is no news.
    leaving: bool,
    verify: bool,
}

struct Awaited {
    reply: Reply,
    sent_at: Instant,
    /// When the last bytes came.
    last: Option<Instant>,
}

/// What came of waiting for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waited {
    Answered,
    TimedOut,
    Ended,
}

impl Inbox {
    /// More of one reply is counted and not kept.
    const KEEP: usize = 16 << 20;
    /// Bytes that follow this closely belong to the same answer.
    const SETTLE: Duration = Duration::from_millis(100);
    const RECV_MAX: usize = 64 * 1024;

    /// Starts the thread. It hands `show` what nobody awaits, in texts that end with a newline.
    pub(super) fn open(
        stream: Arc<TcpStream>,
        verify: bool,
        trace: Trace,
        show: impl FnMut(String) + Send + 'static,
    ) -> io::Result<Arc<Self>> {
        let inbox = Arc::new(Self {
            state: Mutex::new(State { verify, ..State::default() }),
            changed: Condvar::new(),
        });
        let receiver = Arc::clone(&inbox);
        std::thread::Builder::new().spawn(move || receiver.receive(&stream, trace, show))?;
        Ok(inbox)
    }

    fn receive(&self, mut stream: &TcpStream, trace: Trace, mut show: impl FnMut(String)) {
        let mut buffer = vec![0; trace.recv_max(Self::RECV_MAX)];
        loop {
            let result = stream.read(&mut buffer);
            let now = Instant::now();
            if let Err(error) = &result
                && (error.kind() == ErrorKind::Interrupted || is_timeout(error))
            {
                continue;
            }
            let (max, mut state) = (buffer.len(), self.lock());
            // In order: the call, then what follows from it.
            let mut text = match &result {
                Ok(bytes) => trace.text(Call::Received { max, bytes: *bytes }),
                Err(error) => trace.text(Call::Broken { max, error }),
            };
            let ended = match result {
                Ok(0) => Some(Ok(())),
                Ok(length) => {
                    text.extend(state.take(&buffer[..length], now));
                    None
                }
                Err(error) => Some(Err(error)),
            };
            let is_end = ended.is_some();
            if let Some(end) = &ended
                && state.awaited.is_none()
                && !state.leaving
            {
                let what = match end {
                    Ok(()) => "server closed the connection".to_owned(),
                    Err(error) => broke(error),
                };
                text.push(format!("The {what}. Enter or Ctrl-D leaves.\n"));
            }
            state.ended = ended;
            drop(state);
            text.into_iter().for_each(&mut show);
            self.changed.notify_all();
            if is_end {
                return;
            }
        }
    }

    /// From now on what comes is the answer. Call it before the send.
    pub(super) fn expect(&self) {
        let awaited = Awaited { reply: Reply::default(), sent_at: Instant::now(), last: None };
        let mut state = self.lock();
        (state.awaited, state.asked) = (Some(awaited), true);
    }

    /// Waits for the answer, at most `wait`: for `sent` if it is an echo; else for lines, and a moment of silence.
    pub(super) fn answer(&self, sent: &[u8], verify: bool, wait: Duration) -> (Reply, Waited) {
        let mut state = self.lock();
        let deadline = Instant::now() + wait;
        let waited = loop {
            let now = Instant::now();
            let Some(awaited) = &state.awaited else { return (Reply::default(), Waited::Ended) };
            if verify && awaited.reply.bytes == sent {
                break Waited::Answered;
            }
            if state.ended.is_some() {
                break Waited::Ended;
            }
            let settled = match awaited.last {
                Some(last) if awaited.is_answer(sent, verify) => (last + Self::SETTLE).min(deadline),
                _ => deadline,
            };
            if now >= settled {
                break if settled < deadline { Waited::Answered } else { Waited::TimedOut };
            }
            let (next, _) =
                self.changed.wait_timeout(state, settled - now).unwrap_or_else(PoisonError::into_inner);
            state = next;
        };
        let reply = state.awaited.take().map(|awaited| awaited.reply).unwrap_or_default();
        (reply, waited)
    }

    /// Our side ends: from now on the end of the other is what we wait for.
    pub(super) fn leave(&self) {
        self.lock().leaving = true;
    }

    /// Whether the other side finished or the connection broke.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().ended.is_some()
    }

    /// Waits for the end of the other side: `None` if it did not come in time.
    pub(super) fn end(&self, wait: Duration) -> Option<io::Result<()>> {
        let open = |state: &mut State| state.ended.is_none();
        let (mut state, _) =
            self.changed.wait_timeout_while(self.lock(), wait, open).unwrap_or_else(PoisonError::into_inner);
        state.ended.take()
    }

    /// All that came.
    pub(super) fn received(&self) -> Tally {
        self.lock().received
    }

    /// The first bytes that nothing of ours asked for, and whether some came before anything was sent.
    pub(super) fn unasked(&self) -> (Vec<u8>, bool) {
        let state = self.lock();
        (state.unasked.clone(), state.spoke_first)
    }

    /// A thread that panicked already said so; its state is still whole enough to report.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Keeps what came; returns what is to be shown at once.
    fn take(&mut self, bytes: &[u8], now: Instant) -> Option<String> {
        self.received.add(bytes);
        let Some(awaited) = &mut self.awaited else {
            self.spoke_first |= !self.asked;
            let room = CONTEXT - self.unasked.len();
            self.unasked.extend_from_slice(&bytes[..bytes.len().min(room)]);
            return Some(unasked(bytes, self.verify));
        };
        let reply = &mut awaited.reply;
        let kept = bytes.len().min(Inbox::KEEP - reply.bytes.len());
        reply.bytes.extend_from_slice(&bytes[..kept]);
        reply.dropped += (bytes.len() - kept) as u64;
        reply.reads += 1;
        reply.took = now - awaited.sent_at;
        awaited.last = Some(now);
        None
    }
}

impl Awaited {
    /// Whether this can be all of it: an echo is not, as long as it is a part of what was sent.
    fn is_answer(&self, sent: &[u8], verify: bool) -> bool {
        if verify { !sent.starts_with(&self.reply.bytes) } else { self.reply.bytes.ends_with(b"\n") }
    }
}
