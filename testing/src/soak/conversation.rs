//! One conversation with the server: sends what its plan says and compares every byte that comes back.

use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use socket2::{Domain, SockRef, Socket, Type};

use super::content::Content;
use super::plan::{End, Moment, Pause, Plan};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Nothing moved for so long although it should: far longer than any pause of a plan.
const STALL: Duration = Duration::from_secs(30);
/// The longest sleep before the order to stop is looked at.
const NAP: Duration = Duration::from_millis(50);

/// What is wrong with the server.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// A byte is not the one that was sent, or there is one too many.
    Difference(String),
    /// It ended otherwise than it should: early, by a reset, or never.
    Ending(String),
}

/// What came of a conversation.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The server may have seen it: the connect succeeded.
    pub(super) connected: bool,
    pub(super) sent: u64,
    /// Bytes that came back, each of them compared.
    pub(super) compared: u64,
    pub(super) lines_sent: u64,
    pub(super) lines_back: u64,
    pub(super) finding: Option<Finding>,
}

/// Has the conversation of `plan` with the server at `address`; once `stop` is set, without its pauses.
pub(super) fn hold(plan: &Plan, address: SocketAddr, stop: &AtomicBool) -> Outcome {
    let stream = match connect(plan, address) {
        Ok(stream) => stream,
        Err(error) => {
            let finding = Finding::Ending(format!("the connect to {address} failed: {error}"));
            return Outcome { finding: Some(finding), ..Outcome::default() };
        }
    };
    let mut conversation = Conversation {
        plan,
        stream,
        stop,
        sending: plan.content(),
        expected: plan.content(),
        staged: Vec::new(),
        staged_sent: 0,
        sent: 0,
        finished: false,
        hurries: false,
        write_rest: Rest::new(&plan.write_pauses),
        read_rest: Rest::new(&plan.read_pauses),
        moved: Instant::now(),
        buffers: (vec![0; plan.read], Vec::with_capacity(plan.read)),
    };
    let finding = conversation.run().err();
    Outcome {
        connected: true,
        sent: conversation.sent,
        compared: conversation.expected.at(),
        lines_sent: conversation.sending.lines_whole(),
        lines_back: conversation.expected.lines_whole(),
        finding,
    }
}

fn connect(plan: &Plan, address: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if let Some(size) = plan.receive_buffer {
        // Before the connect: the handshake already promises a window.
        socket.set_recv_buffer_size(size)?;
    }
    socket.connect_timeout(&address.into(), CONNECT_TIMEOUT)?;
    let stream = TcpStream::from(socket);
    stream.set_nodelay(plan.no_delay)?;
    stream.set_nonblocking(true)?;
    Ok(stream)
}

struct Conversation<'a> {
    plan: &'a Plan,
    stream: TcpStream,
    stop: &'a AtomicBool,
    sending: Content,
    /// Makes what must come next, and so knows how far the comparison is.
    expected: Content,
    /// Made, and not taken by the kernel up to `staged_sent`.
    staged: Vec<u8>,
    staged_sent: usize,
    sent: u64,
    /// Our FIN is out.
    finished: bool,
    hurries: bool,
    write_rest: Rest<'a>,
    read_rest: Rest<'a>,
    /// When a byte moved last, or a pause ended.
    moved: Instant,
    /// What was read, and what it must be.
    buffers: (Vec<u8>, Vec<u8>),
}

enum Step {
    Goes,
    Over,
}

impl Conversation<'_> {
    fn run(&mut self) -> Result<(), Finding> {
        loop {
            if let Step::Over = self.end_if_due()? {
                return Ok(());
            }
            let now = Instant::now();
            let hurry = self.hurry();
            let reads = self.read_rest.is_over(self.expected.at(), now, hurry);
            let may_write = self.write_rest.is_over(self.sent, now, hurry);
            self.stage();
            let writes = may_write && self.staged_sent < self.staged.len();
            if !reads && !writes {
                std::thread::sleep(NAP.min(self.read_rest.left(now)));
                self.moved = Instant::now();
                continue;
            }
            let ready = self.wait(reads, writes)?;
            if writes && ready.intersects(PollFlags::OUT | PollFlags::ERR | PollFlags::HUP) {
                self.send()?;
            }
            let may_read = PollFlags::IN | PollFlags::ERR | PollFlags::HUP;
            if reads && ready.intersects(may_read) && matches!(self.receive()?, Step::Over) {
                return Ok(());
            }
        }
    }

    /// Whether to come to the end without pauses. Small writes with Nagle's algorithm take 40 ms each: none of those.
    fn hurry(&mut self) -> bool {
        let hurry = self.stop.load(Relaxed);
        if hurry && !std::mem::replace(&mut self.hurries, true) {
            // A socket that is broken says so at the next write.
            let _ = self.stream.set_nodelay(true);
        }
        hurry
    }

    /// Waits for readiness, for a pause to end or for an order to stop; an error once nothing has moved for too long.
    fn wait(&mut self, reads: bool, writes: bool) -> Result<PollFlags, Finding> {
        if self.moved.elapsed() > STALL {
            let (sent, back) = (self.sent, self.expected.at());
            let seconds = STALL.as_secs();
            return Err(Finding::Ending(format!(
                "nothing moved for {seconds} s: {sent} bytes sent, {back} came back"
            )));
        }
        let mut flags = PollFlags::empty();
        flags.set(PollFlags::IN, reads);
        flags.set(PollFlags::OUT, writes);
        let nap = Timespec { tv_sec: 0, tv_nsec: i64::from(NAP.subsec_nanos()) };
        let mut polled = [PollFd::new(&self.stream, flags)];
        match poll(&mut polled, Some(&nap)) {
            Ok(_) => Ok(polled[0].revents()),
            Err(rustix::io::Errno::INTR) => Ok(PollFlags::empty()),
            Err(error) => Err(Finding::Ending(format!("poll failed here: {error}"))),
        }
    }

    /// Does what the plan's end asks for, once its moment has come.
    fn end_if_due(&mut self) -> Result<Step, Finding> {
        let all_sent = self.sent == self.plan.total;
        let all_back = self.expected.left() == 0;
        let has_come = |moment| match moment {
            Moment::Sent(bytes) => self.sent >= bytes,
            Moment::Received(bytes) => self.expected.at() >= bytes,
        };
        match self.plan.end {
            End::FinishAtOnce if all_sent => self.finish()?,
            End::FinishAfterAll if all_back => self.finish()?,
            // Dropping the socket closes it.
            End::CloseAfterAll if all_back => return Ok(Step::Over),
            End::CloseAt(moment) if has_come(moment) => return Ok(Step::Over),
            End::ResetAt(moment) if has_come(moment) => {
                let reset = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
                reset.map_err(|error| Finding::Ending(format!("SO_LINGER failed here: {error}")))?;
                return Ok(Step::Over);
            }
            _ => {}
        }
        Ok(Step::Goes)
    }

    fn finish(&mut self) -> Result<(), Finding> {
        if !std::mem::replace(&mut self.finished, true) {
            self.stream.shutdown(std::net::Shutdown::Write).map_err(|error| self.broken("FIN", &error))?;
        }
        Ok(())
    }

    /// Makes the next write: bytes of lines that may be on their way.
    fn stage(&mut self) {
        if self.staged_sent < self.staged.len() {
            return;
        }
        self.staged.clear();
        self.staged_sent = 0;
        // Up to a moment that is counted in sent bytes, and not beyond it.
        let most = match self.plan.end {
            End::ResetAt(Moment::Sent(bytes)) | End::CloseAt(Moment::Sent(bytes)) => bytes - self.sent,
            _ => u64::MAX,
        };
        let wanted = self.plan.write.min(usize::try_from(most).unwrap_or(usize::MAX));
        while self.staged.len() < wanted && self.sending.left() > 0 {
            let on_the_way = self.sending.lines_begun() - self.expected.lines_whole();
            if !self.sending.is_inside_line() && on_the_way >= self.plan.depth {
                return;
            }
            let room = wanted - self.staged.len();
            self.sending.append(&mut self.staged, room);
        }
    }

    fn send(&mut self) -> Result<(), Finding> {
        let rest = &self.staged[self.staged_sent..];
        let slices: Vec<_> = rest.chunks(rest.len().div_ceil(self.plan.slices)).map(IoSlice::new).collect();
        match self.stream.write_vectored(&slices) {
            Ok(taken) => {
                self.staged_sent += taken;
                self.sent += taken as u64;
                self.moved = Instant::now();
                Ok(())
            }
            Err(error) if is_for_later(&error) => Ok(()),
            Err(error) => Err(self.broken("a write", &error)),
        }
    }

    /// Reads once and compares; over at the server's FIN, if that is where it belongs.
    fn receive(&mut self) -> Result<Step, Finding> {
        let (read, expected) = &mut self.buffers;
        let length = match self.stream.read(read) {
            Ok(0) => return self.at_end_of_input(),
            Ok(length) => length,
            Err(error) if is_for_later(&error) => return Ok(Step::Goes),
            Err(error) => return Err(self.broken("a read", &error)),
        };
        self.moved = Instant::now();
        let begin = self.expected.at();
        expected.clear();
        self.expected.append_lines(expected, length);
        let read = &read[..length];
        if let Some(at) = read.iter().zip(&*expected).position(|(read, expected)| read != expected) {
            let place = begin + at as u64;
            let (read, expected) = (excerpt(read, at), excerpt(expected, at));
            return Err(Finding::Difference(format!(
                "byte {place} differs: it should go on {expected} and goes on {read}"
            )));
        }
        if length > expected.len() {
            let (extra, total) = (length - expected.len(), self.plan.total);
            return Err(Finding::Difference(format!("{extra} bytes more than the {total} that were sent")));
        }
        if self.expected.at() > self.sent {
            let (back, sent) = (self.expected.at(), self.sent);
            return Err(Finding::Difference(format!("{back} bytes came back when {sent} were sent")));
        }
        Ok(Step::Goes)
    }

    fn at_end_of_input(&self) -> Result<Step, Finding> {
        let left = self.expected.left();
        if self.finished && left == 0 {
            return Ok(Step::Over);
        }
        let (sent, total) = (self.sent, self.plan.total);
        let fin = if self.finished { "after our FIN" } else { "before our FIN" };
        Err(Finding::Ending(format!(
            "the server's FIN came {fin}, {left} of {total} bytes short; {sent} sent"
        )))
    }

    fn broken(&self, doing: &str, error: &io::Error) -> Finding {
        let (sent, back) = (self.sent, self.expected.at());
        Finding::Ending(format!("{doing} failed after {sent} bytes sent and {back} back: {error}"))
    }
}

/// The pauses of one direction.
struct Rest<'a> {
    pauses: std::slice::Iter<'a, Pause>,
    until: Option<Instant>,
}

impl<'a> Rest<'a> {
    fn new(pauses: &'a [Pause]) -> Self {
        Self { pauses: pauses.iter(), until: None }
    }

    /// Whether this direction may go on, with so many bytes done.
    fn is_over(&mut self, done: u64, now: Instant, hurry: bool) -> bool {
        if self.until.is_none()
            && let Some(pause) = self.pauses.as_slice().first()
            && pause.at <= done
        {
            self.pauses.next();
            self.until = Some(now + pause.time);
        }
        if hurry || self.until.is_some_and(|until| until <= now) {
            self.until = None;
        }
        self.until.is_none()
    }

    fn left(&self, now: Instant) -> Duration {
        self.until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now))
    }
}

fn is_for_later(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// A few bytes from `at`, in hexadecimal.
fn excerpt(bytes: &[u8], at: usize) -> String {
    let end = bytes.len().min(at + 8);
    bytes[at..end].iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
#[path = "conversation_tests.rs"]
mod tests;
