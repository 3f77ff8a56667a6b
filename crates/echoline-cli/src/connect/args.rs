//! The flags of `echoline connect`, as they were written.

use std::net::IpAddr;

use echoline_diagnosis::units::{Size, Span, patience, room};

use crate::destination::Families;
use crate::talk::Voice;

/// Connect to a server, send lines and show what comes back
///
/// On a terminal, type lines and watch the answers. From a pipe or file, everything is sent with many lines in flight
/// and what comes back goes to standard output, byte for byte. Both ways it is compared with what was sent: a byte that
/// is wrong, missing or too many is named, and ends with exit code 1.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A name or an address, or HOST:PORT; without it, an echo server is started in this process
    pub(super) host: Option<String>,

    /// The port [default: 5151]
    #[arg(requires = "host")]
    pub(super) port: Option<String>,

    /// Do not compare: the service is no echo
    #[arg(long)]
    pub(super) no_verify: bool,

    /// Send each line with CRLF at its end instead of LF
    #[arg(short = 'C', long)]
    pub(super) crlf: bool,

    #[command(flatten)]
    pub(super) families: Families,

    /// How long finding the name and connecting may take together
    #[arg(short = 'w', long, value_name = "TIME", default_value = "5s", value_parser = patience)]
    pub(super) connect_timeout: Span,

    /// The local address to connect from
    #[arg(short, long, value_name = "ADDRESS")]
    pub(super) source: Option<IpAddr>,

    /// How long to wait for an answer; from a pipe, for the next byte once all is sent
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = patience)]
    pub(super) wait: Span,

    /// From a pipe: how much may be sent and not be back
    #[arg(long, value_name = "SIZE", default_value = "8MiB", value_parser = room)]
    pub(super) window: Size,

    /// Show each call on the socket, on standard error
    #[arg(long)]
    pub(super) trace: bool,

    /// One JSON document on standard output at the end, instead of what came back
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) voice: Voice,
}

const EXAMPLES: &str = "\
Examples:
  echoline connect                               a conversation inside this process
  echoline connect 192.0.2.7                     port 5151 of another machine
  echoline connect --trace localhost 7007        watch connect, send, recv and close
  echoline connect 192.0.2.7 < file > copy       send a file, compare what comes back
  seq 100000 | echoline connect -v > /dev/null   round-trip times: min, mean, p99, max
  printf 'GET / HTTP/1.0\\n\\n' | echoline connect --no-verify -C 192.0.2.7 80";
