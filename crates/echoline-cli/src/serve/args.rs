//! The flags of `echoline serve`, as they were written.

use std::num::NonZeroUsize;

use echoline_diagnosis::units::{SOME, Size, Span, number};
use echoline_server::{Config, EngineChoice, LongLines};

use super::log::LogFormat;
use super::progress::Progress;
use crate::talk::Voice;

/// Send what clients send back to them, until a signal ends it
///
/// Each endpoint is printed on standard output as soon as it listens, one a line, as echo=127.0.0.1:5151.
/// Everything else goes to standard error. SIGINT (Ctrl-C) or SIGTERM lets conversations end; a second one ends at once.
/// SIGUSR1 writes the counters as they stand.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// What to serve where [default: 5151]
    ///
    /// SERVICE is echo (lines, the default), echo-bytes (RFC 862), whoami (tells a client what the server sees of it;
    /// see `echoline check --whoami`) or connect-four (a game; see `echoline play`).
    /// LISTEN is PORT (this machine only), :PORT (all interfaces), HOST:PORT or [v6]:PORT.
    /// Port 0 picks a free one; a port left out is 5151, for connect-four 4444.
    /// SERVICE alone is its usual port, for this machine only.
    #[arg(value_name = "[SERVICE=]LISTEN")]
    pub(super) listen: Vec<String>,

    /// Longest line held until it is whole, with its LF
    ///
    /// It is also what a client whose line never ends can make the server keep.
    #[arg(long, value_name = "SIZE", help_heading = LIMITS, default_value_t = Size(Config::default().max_line.get() as u64))]
    pub(super) max_line: Size,

    /// What happens to longer lines: pass (echoed as they come) or close
    ///
    /// An echo owes every byte back, so they pass; memory is bounded either way.
    #[arg(long, value_name = "pass|close", help_heading = LIMITS, default_value_t = LongLines::default())]
    pub(super) long_lines: LongLines,

    /// Connections open at once; one more is reset [default: 10000, or what the limit of open files allows]
    ///
    /// Each takes a descriptor, about half a KiB here, and a few KiB in the kernel.
    #[arg(long, value_name = "N", help_heading = LIMITS, value_parser = number::<NonZeroUsize>(SOME))]
    pub(super) max_connections: Option<NonZeroUsize>,

    /// Of these, from one IPv4 address or one IPv6 network of /64; 0 is no limit [default: a quarter of them]
    ///
    /// So that one source cannot take all places. Behind a load balancer all clients have its address: set 0 there.
    #[arg(long, value_name = "N", help_heading = LIMITS, value_parser = number::<usize>(0..=usize::MAX as u64))]
    pub(super) max_connections_per_source: Option<usize>,

    /// Output that one client may leave unread before its connection is read no further
    ///
    /// TCP then slows the client down. More makes no reader faster; it is what one that never reads makes the server keep.
    #[arg(long, value_name = "SIZE", help_heading = LIMITS, default_value_t = Size(Config::default().max_pending_output.get() as u64))]
    pub(super) max_pending_output: Size,

    /// Unfinished lines and unread output of all clients together [default: 128MiB, at most a quarter of this process's
    /// memory limit]
    ///
    /// Beyond it the largest holders pass their line on as it is, or are closed; the others are served as before. The
    /// limits of one client, times all clients, would be more than a machine has.
    #[arg(long, value_name = "SIZE", help_heading = LIMITS)]
    pub(super) max_buffered: Option<Size>,

    /// Close a client that is slower in the middle of a line, or in reading what waits for it; 0 is never
    ///
    /// A line must be whole within the TIME, or SIZE more of it arrive; of output that waits, SIZE must be taken.
    /// A client that waits between two lines is not slow. Without it a byte now and then would keep a place and its memory
    /// for ever.
    #[arg(long, value_name = "SIZE/TIME", help_heading = LIMITS, default_value_t = Progress(Config::default().min_progress))]
    pub(super) min_progress: Progress,

    /// Close a connection on which nothing moved for so long; 0 is never
    ///
    /// Who forgot a connection gives its place back; a person who was called away finds it again.
    #[arg(long, value_name = "TIME", help_heading = LIMITS, default_value_t = Span(Config::default().idle_timeout.unwrap_or_default()))]
    pub(super) idle_timeout: Span,

    /// After so long in silence, ask the client's system whether it is still there; 0 is never
    ///
    /// Four questions follow, a quarter of this time apart and at least a second. Without an answer the connection is lost
    /// after --user-timeout or, if that is 0, after the last of them: a machine that vanished says no goodbye.
    #[arg(long, value_name = "TIME", help_heading = LIMITS, default_value_t = Span(Config::default().keepalive.unwrap_or_default()))]
    pub(super) keepalive: Span,

    /// Give a client up that acknowledges nothing for so long, or never has room; 0 is the system's own patience
    ///
    /// That is 13 minutes and more on Linux. A few seconds would end slow readers, too.
    #[arg(long, value_name = "TIME", help_heading = LIMITS, default_value_t = Span(Config::default().user_timeout.unwrap_or_default()))]
    pub(super) user_timeout: Span,

    /// Threads that serve connections [default: one a processor]
    #[arg(long, value_name = "N", value_parser = number::<NonZeroUsize>(SOME))]
    pub(super) threads: Option<NonZeroUsize>,

    /// How bytes move: auto, portable or uring
    #[arg(long, value_name = "ENGINE", default_value_t = EngineChoice::default())]
    pub(super) engine: EngineChoice,

    /// Serve one connection, then end
    #[arg(long)]
    pub(super) once: bool,

    /// After a signal: how long conversations may go on
    #[arg(long, value_name = "TIME", default_value = "10s")]
    pub(super) drain: Span,

    /// How log records look on standard error
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub(super) log: LogFormat,

    #[command(flatten)]
    pub(super) voice: Voice,
}

const LIMITS: &str = "Limits";

const EXAMPLES: &str = "\
Examples:
  echoline serve                            this machine only, port 5151
  echoline serve :5151                      every network of this machine, IPv4 and IPv6
  echoline serve 0                          a free port; read it from standard output
  echoline serve 5151 echo-bytes=:7007      two services at once
  echoline serve :5151 whoami=:5152         and the other end for echoline check --whoami 5152
  echoline serve echo connect-four          each on its usual port
  echoline serve 192.168.1.10:5151 --idle-timeout 30s --max-connections 100";
