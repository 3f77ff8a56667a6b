//! What the other side does once the connection stands.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use echoline_diagnosis::escape::escape;
use echoline_sys::tcp_info;

use super::compare::{compare, line_ends};
use super::time::micros;
use super::timing;
use crate::cancel::Cancel;
use crate::evidence::{Answer, Broke, Conversation, Exchange, Expect, Timing, What};
use crate::recognise::recognise;

/// Longer than any packet on the way, and short enough for most line limits.
const LONG_LINE: usize = 8 * 1024;
/// After the first wrong byte, a silence of this length ends an answer.
const QUIET: Duration = Duration::from_millis(500);
/// Between the pieces of a line: would the other side answer a half one?
const PAUSE: Duration = Duration::from_millis(4);
/// How long a greeting is waited for: from this machine, and from others.
const GREETING: [Duration; 2] = [Duration::from_millis(30), Duration::from_millis(400)];
/// The most that is received in one exchange.
const MAX_ANSWER: usize = 64 * 1024;
const SHOWN: usize = 200;
/// The kernel counts in microseconds, and none is for ever.
const SHORTEST: Duration = Duration::from_micros(1);

/// How to talk.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Manners<'a> {
    /// Whom to ask for by a HEAD request, where the user wrote `http://`.
    pub(crate) http_host: Option<&'a str>,
    /// Tells our line from that of anybody else.
    pub(crate) nonce: u64,
    /// How long each answer may take.
    pub(crate) patience: Duration,
    pub(crate) cancel: &'a Cancel,
}

/// Talks as far as `expect` says.
pub(crate) fn converse(
    stream: &TcpStream,
    with: SocketAddr,
    expect: Expect,
    manners: &Manners<'_>,
) -> (Conversation, Option<Timing>) {
    let begin = Instant::now();
    let mut conversation = Conversation {
        with,
        greeting: None,
        recognised: None,
        broke: None,
        exchanges: Vec::new(),
        took_us: 0,
    };
    let mut timing = None;
    match expect {
        Expect::Echo => timing = echo(stream, manners, &mut conversation),
        Expect::Connect => listen(stream, manners, &mut conversation),
    }
    let timing_us = timing.as_ref().map_or(0, |timing: &Timing| timing.took_us);
    conversation.took_us = micros(begin.elapsed()).saturating_sub(timing_us);
    (conversation, timing.or_else(|| timing::of_kernel(stream)))
}

fn echo(stream: &TcpStream, manners: &Manners<'_>, conversation: &mut Conversation) -> Option<Timing> {
    let Manners { nonce, patience, cancel, .. } = *manners;
    let mut identical = |what, pieces: &[&[u8]], reset| {
        let (exchange, got) =
            exchange(Intake { reset, ..Intake::new(stream, cancel) }, what, pieces, patience);
        let result = exchange.result;
        if matches!(
            result,
            Answer::Different | Answer::Closed | Answer::Added { .. } | Answer::Altered { .. }
        ) {
            conversation.recognised = recognise(&got).map(Into::into);
        }
        conversation.exchanges.push(exchange);
        result == Answer::Identical
    };
    let line = format!("echoline check {nonce:016x}\n");
    let long = [vec![b'x'; LONG_LINE - 1], vec![b'\n']].concat();
    let binary: Vec<u8> = (0..=255).filter(|byte| *byte != b'\n').chain([b'\n']).collect();
    let all = identical(What::Line, &[line.as_bytes()], false)
        && identical(What::LongLine, &[&long], false)
        && identical(What::BinaryLine, &[&binary], false)
        && identical(What::CrLf, &[b"a CR \r and CR LF\r\n"], false)
        && identical(What::Pieces, &[b"in two ", b"pieces\n"], false)
        && identical(What::Pair, &[b"first\nsecond\n"], false);
    if !all {
        return None;
    }
    let (timing, reset) = timing::measure(stream, patience, cancel);
    identical(What::HalfClose, &[b"unfinished"], reset);
    timing
}

/// Sends the pieces and takes what comes back.
fn exchange(mut intake: Intake<'_>, what: What, pieces: &[&[u8]], patience: Duration) -> (Exchange, Vec<u8>) {
    let (begin, stream) = (Instant::now(), intake.stream);
    let sent = pieces.concat();
    let mut broken = stream.set_write_timeout(Some(patience)).is_err();
    for (number, piece) in pieces.iter().enumerate() {
        if number > 0 {
            intake.take(Instant::now() + PAUSE);
        }
        broken |= !intake.send(piece);
    }
    if what == What::HalfClose {
        broken |= stream.shutdown(Shutdown::Write).is_err();
    }
    let until = begin + patience;
    let wants_end = what == What::HalfClose;
    while intake.wants_more(&sent, wants_end) {
        // As long as all is right the rest may take its time.
        let good = sent.starts_with(&intake.got);
        let next = if good { until } else { (Instant::now() + QUIET).min(until) };
        if !intake.take(next) {
            break;
        }
    }
    let end = intake.end;
    let result = match end {
        _ if intake.got == sent && (!wants_end || end == Some(Broke::Closed)) => Answer::Identical,
        _ if !intake.got.is_empty() && !sent.starts_with(&intake.got) => compare(what, &sent, &intake.got),
        Some(Broke::Reset) => Answer::Reset,
        Some(Broke::Closed) => Answer::Closed,
        None if broken => Answer::Reset,
        None => Answer::Silent { acknowledged: tcp_info(stream).ok().map(|info| info.unacknowledged == 0) },
    };
    let exchange = Exchange {
        what,
        sent_bytes: sent.len(),
        got_bytes: intake.got.len(),
        reads: intake.reads,
        result,
        line_ends: if result == Answer::LineEndings { line_ends(&sent, &intake.got) } else { None },
        got: (intake.got != sent && !intake.got.is_empty()).then(|| shown(&intake.got)),
        took_us: micros(begin.elapsed()),
    };
    (exchange, intake.got)
}

/// What came in so far, and how it ended.
struct Intake<'a> {
    stream: &'a TcpStream,
    cancel: &'a Cancel,
    got: Vec<u8>,
    reads: u32,
    end: Option<Broke>,
    /// A write was told of a reset: the system tells it once, and then shows an end of input.
    reset: bool,
}

impl<'a> Intake<'a> {
    fn new(stream: &'a TcpStream, cancel: &'a Cancel) -> Self {
        Self { stream, cancel, got: Vec::new(), reads: 0, end: None, reset: false }
    }

    /// False if it could not all be sent.
    fn send(&mut self, piece: &[u8]) -> bool {
        let mut output = self.stream;
        let sent = output.write_all(piece);
        self.reset |= sent.as_ref().is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
        sent.is_ok()
    }

    fn wants_more(&self, sent: &[u8], wants_end: bool) -> bool {
        let whole = self.got.len() >= sent.len() && !wants_end && sent == self.got;
        self.end.is_none() && !whole && self.got.len() < MAX_ANSWER
    }

    /// One receive; false if nothing came until then, or nothing will.
    fn take(&mut self, until: Instant) -> bool {
        let mut buffer = [0; 16 * 1024];
        let mut input = self.stream;
        while let Some(step) = self.cancel.step(until) {
            let received =
                self.stream.set_read_timeout(Some(step.max(SHORTEST))).and_then(|()| input.read(&mut buffer));
            match received {
                Ok(0) => self.end = Some(if self.reset { Broke::Reset } else { Broke::Closed }),
                Ok(length) => {
                    self.got.extend_from_slice(&buffer[..length]);
                    self.reads += 1;
                    return true;
                }
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                    continue;
                }
                // The system gave the connection up, since nothing was acknowledged. That is silence too.
                Err(error) if error.kind() == ErrorKind::TimedOut => {}
                Err(_) => self.end = Some(Broke::Reset),
            }
            break;
        }
        false
    }
}

/// Sends nothing (but a HEAD request where the user wrote `http://`) and notes what comes.
fn listen(stream: &TcpStream, manners: &Manners<'_>, conversation: &mut Conversation) {
    let Manners { http_host, patience, cancel, .. } = *manners;
    let local = conversation.with.ip().is_loopback();
    let mut intake = Intake::new(stream, cancel);
    let time = if let Some(host) = http_host {
        let request = format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        // What this means shows in the answer.
        intake.send(request.as_bytes());
        patience
    } else {
        GREETING[usize::from(!local)].min(patience)
    };
    let until = Instant::now() + time;
    // An answer may come byte by byte, and is judged by its first line.
    while intake.take(until) && http_host.is_some() && !is_told(&intake.got) && cancel.step(until).is_some() {
    }
    if !intake.got.is_empty() {
        let line = intake.got.split(|byte| *byte == b'\n').next().unwrap_or_default();
        conversation.greeting = Some(shown(line.strip_suffix(b"\r").unwrap_or(line)));
        conversation.recognised = recognise(&intake.got).map(Into::into);
    }
    conversation.broke = intake.end;
}

/// Enough to know what the other side speaks.
fn is_told(got: &[u8]) -> bool {
    got.contains(&b'\n')
        || got.len() >= MAX_ANSWER
        || recognise(got).is_some_and(|protocol| protocol != "HTTP")
}

/// Escaped, and cut.
fn shown(bytes: &[u8]) -> String {
    let cut = &bytes[..bytes.len().min(SHOWN)];
    let dots = if cut.len() < bytes.len() { " ..." } else { "" };
    format!("{}{dots}", escape(cut).with_plain_backslash())
}

#[cfg(test)]
pub(crate) mod tests {
    use std::net::TcpListener;

    use rustix::event::{PollFd, PollFlags, poll};
    use socket2::SockRef;

    use super::*;

    /// A connection whose other side has reset it, and that is known here.
    pub(crate) fn reset() -> TcpStream {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = listener.accept().unwrap().0;
        SockRef::from(&accepted).set_linger(Some(Duration::ZERO)).unwrap();
        drop(accepted);
        poll(&mut [PollFd::new(&stream, PollFlags::IN)], None).unwrap();
        stream
    }

    #[test]
    fn a_reset_of_which_the_write_is_told_is_no_close() {
        let (patience, cancel) = (Duration::from_secs(20), Cancel::new());
        for what in [What::Line, What::HalfClose] {
            let stream = reset();
            let (exchange, _) =
                exchange(Intake::new(&stream, &cancel), what, &[b"in two ", b"pieces\n"], patience);
            assert_eq!(exchange.result, Answer::Reset, "{what:?}");
        }
        let with = SocketAddr::from(([127, 0, 0, 1], 80));
        let manners = Manners { http_host: Some("host"), nonce: 0, patience, cancel: &cancel };
        let (conversation, _) = converse(&reset(), with, Expect::Connect, &manners);
        assert_eq!(conversation.broke, Some(Broke::Reset));
    }

    #[test]
    fn a_reset_among_the_round_trips_is_no_close_behind_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let serving = std::thread::spawn(move || {
            let mut accepted = listener.accept().unwrap().0;
            let mut piece = [0; 16 * 1024];
            while let Ok(length @ 1..) = accepted.read(&mut piece) {
                if piece.starts_with(b"round trip") {
                    SockRef::from(&accepted).set_linger(Some(Duration::ZERO)).unwrap();
                    return;
                }
                accepted.write_all(&piece[..length]).unwrap();
            }
        });
        let with = stream.peer_addr().unwrap();
        let (patience, cancel) = (Duration::from_secs(20), &Cancel::new());
        let manners = Manners { http_host: None, nonce: 0, patience, cancel };
        let (conversation, _) = converse(&stream, with, Expect::Echo, &manners);
        serving.join().unwrap();
        let last = conversation.exchanges.last().map(|exchange| (exchange.what, exchange.result));
        assert_eq!(last, Some((What::HalfClose, Answer::Reset)));
    }

    #[test]
    fn behind_its_deadline_an_exchange_takes_nothing_more_whatever_comes() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        listener.accept().unwrap().0.write_all(b"#").unwrap();
        // Now it is there.
        stream.peek(&mut [0]).unwrap();
        let cancel = Cancel::new();
        let mut intake = Intake::new(&stream, &cancel);
        assert!(!intake.take(Instant::now()));
        assert_eq!((intake.reads, intake.end), (0, None));
        assert!(intake.take(Instant::now() + Duration::from_secs(20)));
        assert_eq!(intake.got, b"#");
    }
}
