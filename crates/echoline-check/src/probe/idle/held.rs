//! One connection on which nothing is said.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use echoline_sys::tcp_info;
use socket2::{SockRef, TcpKeepalive};

use crate::cancel::Cancel;
use crate::evidence::{IdleEnd, IdleTry, Poke};
use crate::probe::exact::read_exact_until;
use crate::probe::linux::flight::{Flight, Manner, wait};
use crate::probe::time::micros;

/// The kernel's keepalive counts in whole seconds.
pub(super) const SHORTEST_KEEPALIVE: Duration = Duration::from_secs(1);
pub(super) const LINE: &[u8] = b"echoline check, after a silence\n";

/// What to hold, and how long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) with: SocketAddr,
    pub(crate) source: Option<IpAddr>,
    pub(crate) longest: Duration,
    pub(crate) poke: Poke,
    /// How long an answer may take.
    pub(crate) patience: Duration,
}

/// A connection and what it waits for.
pub(super) struct Held {
    pub(super) stream: TcpStream,
    /// Since then nothing was said on it.
    pub(super) silent_since: Instant,
    /// So long it is silent.
    pub(super) age: Duration,
    pub(super) phase: Phase,
    pub(super) closer: bool,
    /// A poke was told of a reset: the system tells it once, and then shows an end of input.
    pub(super) reset: bool,
}

pub(super) enum Phase {
    Silent,
    /// Something was sent, and this much has come back.
    Poked {
        at: Instant,
        got: Vec<u8>,
    },
}

impl Held {
    /// Connects, and sees by one exchange that the other side answers.
    pub(super) fn open(plan: &Plan, age: Duration, closer: bool, cancel: &Cancel) -> io::Result<Self> {
        let flight = Flight::start(plan.with, Manner { source: plan.source, hop_limit: None })?;
        wait(&[&flight], Instant::now() + plan.patience, cancel);
        let landed = flight.land();
        let Some(mut stream) = landed.stream else {
            let number = landed.connect.os_error;
            return Err(number.map_or_else(|| ErrorKind::TimedOut.into(), io::Error::from_raw_os_error));
        };
        if plan.poke == Poke::Echo {
            let mut back = [0; LINE.len()];
            stream.write_all(LINE)?;
            read_exact_until(&stream, &mut back, Instant::now() + plan.patience, cancel)?;
        }
        stream.set_nonblocking(true)?;
        Ok(Self { stream, silent_since: Instant::now(), age, phase: Phase::Silent, closer, reset: false })
    }

    pub(super) fn poke(&mut self, poke: Poke, now: Instant) {
        // What else goes wrong here shows when the answer is read.
        let poked = match poke {
            Poke::Echo => (&self.stream).write_all(LINE),
            Poke::Keepalive => keep_alive(&self.stream),
        };
        self.reset |= poked.is_err_and(|error| error.kind() == ErrorKind::ConnectionReset);
        self.phase = Phase::Poked { at: now, got: Vec::new() };
    }

    /// What became of it, once that is known.
    pub(super) fn outcome(&mut self, poke: Poke, patience: Duration, now: Instant) -> Option<IdleTry> {
        let ended = self.receive();
        let (silent, poked) = match &self.phase {
            Phase::Silent => (now - self.silent_since, false),
            Phase::Poked { at, .. } => (*at - self.silent_since, true),
        };
        let end = match (&self.phase, ended) {
            (Phase::Silent, None) => return None,
            (_, Some(end)) => end,
            (Phase::Poked { got, .. }, None) if poke == Poke::Echo && got == LINE => IdleEnd::Alive,
            (Phase::Poked { got, .. }, None) if poke == Poke::Echo && !LINE.starts_with(got) => {
                IdleEnd::Altered
            }
            (Phase::Poked { at, .. }, None) if poke == Poke::Keepalive && self.is_acknowledged(now - *at) => {
                IdleEnd::Alive
            }
            (Phase::Poked { at, .. }, None) if now >= *at + patience => {
                let acknowledged =
                    poke == Poke::Echo && tcp_info(&self.stream).is_ok_and(|info| info.unacknowledged == 0);
                IdleEnd::Silent { acknowledged }
            }
            _ => return None,
        };
        Some(IdleTry { silent_us: micros(silent), end, poked, closer: self.closer })
    }

    /// Takes what came in; how it ended, if it did.
    fn receive(&mut self) -> Option<IdleEnd> {
        let mut buffer = [0; 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Ok(0) => return Some(if self.reset { IdleEnd::Reset } else { IdleEnd::Closed }),
                Ok(length) => {
                    // What comes unasked is none of ours: a greeting, or a farewell before the end.
                    if let Phase::Poked { got, .. } = &mut self.phase
                        && got.len() <= LINE.len()
                    {
                        got.extend_from_slice(&buffer[..length]);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return None,
                Err(error) if error.kind() == ErrorKind::TimedOut => {
                    return Some(IdleEnd::Silent { acknowledged: false });
                }
                Err(_) => return Some(IdleEnd::Reset),
            }
        }
    }

    /// Has anything been acknowledged since then? Before that, there was a second of silence at least.
    fn is_acknowledged(&self, since: Duration) -> bool {
        tcp_info(&self.stream).is_ok_and(|info| info.since_acknowledgement <= since + SHORTEST_KEEPALIVE / 2)
    }
}

/// A probe as soon as a second has passed without a word, and then every second.
pub(super) fn keep_alive(stream: &TcpStream) -> io::Result<()> {
    let second = Duration::from_secs(1);
    let settings = TcpKeepalive::new().with_time(second).with_interval(second).with_retries(100);
    SockRef::from(stream).set_tcp_keepalive(&settings)
}
