//! What a server may cost and how it behaves. Every limit has a safe default.

use std::fmt;
use std::num::{NonZeroU64, NonZeroUsize};
use std::str::FromStr;
use std::time::Duration;

use echoline::line::DEFAULT_MAX_LINE;

/// How a server behaves. [`Config::default`] is safe on an open network.
///
/// ```
/// use echoline_server::Config;
/// use std::time::Duration;
///
/// let config = Config { idle_timeout: Some(Duration::from_secs(30)), ..Config::default() };
/// assert_eq!(config.max_line.get(), 64 * 1024);
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// The longest line, in bytes with its LF, that is held until it is whole. Default 64 KiB: longer than the lines of
    /// any text protocol (SMTP has 1,000 bytes, HTTP servers take some 8 KiB), and what a client can make the server keep.
    pub max_line: NonZeroUsize,
    /// What happens to a line that is longer. Default [`LongLines::Pass`]: an echo owes every byte back.
    pub long_lines: LongLines,
    /// Output in bytes that one connection may leave unread before the server stops reading from it.
    /// Default 64 KiB: enough to keep a reader busy, and 10,000 who never read cost no gigabytes. One receive batch
    /// and one held line can come on top.
    pub max_pending_output: NonZeroUsize,
    /// Bytes that all connections together may have buffered: unfinished lines, and output that waits for its
    /// reader. Beyond that, the largest holders pass their line on unfinished ([`LongLines::Pass`]), and those who
    /// still hold as much are closed ([`Ending::Memory`](crate::Ending::Memory)). One budget for all workers; what they
    /// tell of it comes in steps, which may exceed it by a sixteenth.
    /// Default 128 MiB: 10,000 clients could otherwise have ten times as much.
    pub max_buffered: NonZeroUsize,
    /// Connections open at once, over all listeners; one more is accepted and reset at once, so that the
    /// client learns of it. Default 10,000: an open connection costs about half a KiB here and a few in the kernel. The
    /// process's table of descriptors is made as large from the start ([`Config::open_files`]), at 8 bytes each.
    pub max_connections: usize,
    /// Of these, from one source: an IPv4 address, or an IPv6 network of /64, which is what one site has
    /// (RFC 6177). `None` is as many as there may be. Default 2,500: one source cannot take all places.
    pub max_connections_per_source: Option<NonZeroUsize>,
    /// How fast a client must go on while the server holds something for it. `None` is as slowly as it likes,
    /// within the idle timeout. Default 1 KiB a minute: a program on the worst of links is faster, and who is slower holds
    /// memory on purpose.
    pub min_progress: Option<MinProgress>,
    /// A connection on which no byte moved for so long, in either direction, is closed. `None` is never. Output that
    /// waits moves when the client acknowledges some, which is asked for when the time is up.
    /// Default 15 minutes: a person may be called away, and who forgot the connection gives its place back.
    pub idle_timeout: Option<Duration>,
    /// After so long without a segment the kernel asks whether the client is still there (RFC 9293, section 3.8.4): four
    /// times, a quarter of it apart and at least a second. Without an answer the connection is lost after the user
    /// timeout, or without one after the last of these. `None` is never. The kernel counts in whole seconds. Default
    /// 1 minute: a client whose machine vanished is noticed after 2, long before the idle timeout.
    pub keepalive: Option<Duration>,
    /// Output that is not acknowledged for so long means that the client is lost (RFC 5482, section 3.1), also when it
    /// answers but never has room. `None` is the system's own patience, 13 minutes and more on Linux (tcp(7),
    /// `TCP_USER_TIMEOUT`; other systems have none). It also decides when a client that answers no keepalive is lost.
    /// Default 2 minutes; a few seconds would end slow readers, and idle clients for one lost probe.
    pub user_timeout: Option<Duration>,
    /// After our last byte and FIN: how long to wait for the client's FIN before the close.
    /// Closing earlier would destroy what the client has not read yet. Default 5 seconds.
    pub linger: Duration,
    /// Threads that serve connections. Default: the processors this process may use.
    pub workers: NonZeroUsize,
    /// Threads for the jobs of services ([`Out::compute`](crate::Out::compute)), started when there is a first one.
    /// Default: the processors this process may use.
    pub compute_threads: NonZeroUsize,
    /// How bytes are moved between kernel and sessions. Default [`EngineChoice::Auto`].
    pub engine: EngineChoice,
    /// Serve one connection, then end.
    pub once: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_line: DEFAULT_MAX_LINE,
            long_lines: LongLines::Pass,
            max_pending_output: const { NonZeroUsize::new(64 * 1024).unwrap() },
            max_buffered: const { NonZeroUsize::new(128 * 1024 * 1024).unwrap() },
            max_connections: 10_000,
            max_connections_per_source: NonZeroUsize::new(2_500),
            min_progress: Some(MinProgress::default()),
            idle_timeout: Some(Duration::from_mins(15)),
            keepalive: Some(Duration::from_mins(1)),
            user_timeout: Some(Duration::from_mins(2)),
            linger: Duration::from_secs(5),
            workers: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            compute_threads: std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            engine: EngineChoice::Auto,
            once: false,
        }
    }
}

impl Config {
    /// How many files a process has open whose server, so configured, is full: one for each connection, what each
    /// worker needs, and 64 for listeners, standard streams and the like. Its limit of open files
    /// (getrlimit(2), `RLIMIT_NOFILE`) should be as high.
    ///
    /// ```
    /// use echoline_server::Config;
    ///
    /// let config = Config { max_connections: 100, ..Config::default() };
    /// assert!(config.open_files() > 100);
    /// ```
    #[must_use]
    pub fn open_files(&self) -> usize {
        const BESIDE: usize = 64;
        // A poller or a ring, and what wakes it.
        const OF_A_WORKER: usize = 2;
        let own = self.workers.get().saturating_mul(OF_A_WORKER).saturating_add(BESIDE);
        self.max_connections.saturating_add(own)
    }
}

/// So many bytes in each interval: what a client must manage while the server holds something for it.
///
/// Two things count. A line that has begun must be whole within the interval, or `bytes` more of it must arrive. And
/// of output that waits, the client must acknowledge `bytes`. A client that merely waits between lines holds nothing
/// up, and only the idle timeout applies to it. Who is slower is closed ([`Ending::Slow`](crate::Ending::Slow)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MinProgress {
    /// How many bytes.
    pub bytes: NonZeroU64,
    /// In what time.
    pub interval: Duration,
}

impl Default for MinProgress {
    /// 1 KiB a minute, 17 bytes a second. A terminal sends what a person types as whole lines, so that nobody's typing is
    /// judged.
    fn default() -> Self {
        Self { bytes: const { NonZeroU64::new(1024).unwrap() }, interval: Duration::from_mins(1) }
    }
}

/// What an echo does with a line longer than [`Config::max_line`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LongLines {
    /// Passes it through as it comes, in bounded memory: the client still gets every byte back.
    #[default]
    Pass,
    /// Finishes the conversation; the bytes held so far are not echoed.
    Close,
}

/// Which engine a server asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EngineChoice {
    /// The fastest that works here; [`Server::engine`](crate::Server::engine) says which, and why not the other.
    #[default]
    Auto,
    /// Readiness through the platform's poller, on every platform.
    Portable,
    /// `io_uring`, on Linux 6.1 and later. Starting fails where it does not work.
    Uring,
}

impl fmt::Display for LongLines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pass => "pass",
            Self::Close => "close",
        })
    }
}

impl FromStr for LongLines {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "pass" => Ok(Self::Pass),
            "close" => Ok(Self::Close),
            _ => Err(UnknownName::new(text, "pass or close")),
        }
    }
}

impl fmt::Display for EngineChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Portable => "portable",
            Self::Uring => "uring",
        })
    }
}

impl FromStr for EngineChoice {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        match text {
            "auto" => Ok(Self::Auto),
            "portable" => Ok(Self::Portable),
            "uring" => Ok(Self::Uring),
            _ => Err(UnknownName::new(text, "auto, portable or uring")),
        }
    }
}

/// A word that names no choice; its message lists the choices.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{given:?} is not one of: {choices}")]
pub struct UnknownName {
    given: String,
    choices: &'static str,
}

impl UnknownName {
    pub(crate) fn new(given: &str, choices: &'static str) -> Self {
        Self { given: given.to_owned(), choices }
    }
}
