//! The flags of `echoline check`.

use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use clap::ArgGroup;
use echoline::Port;
use echoline_check::Expect;
use echoline_diagnosis::units::{Span, UnitError, number, patience};

use crate::destination::Families;
use crate::talk::Voice;

/// Say why two programs cannot talk: the name, the way, a firewall, NAT, or the other program
///
/// Looks at one step after the other: the address, the name, the route, a connection to every address, what the other
/// side does, and how long it takes. The first line is the verdict with its code and how sure it is; what was seen
/// follows. Exit code 0 means that what was expected happened.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
#[command(mut_arg("ipv4", |flag| flag.requires("target")), mut_arg("ipv6", |flag| flag.requires("target")))]
#[command(group(ArgGroup::new("target").args(["host", "listen"])))]
pub(crate) struct Args {
    /// A name or an address, or HOST:PORT, or a URL without a path; without it, this machine is described
    pub(super) host: Option<String>,

    /// The port [default: 5151]
    #[arg(requires = "host")]
    pub(super) port: Option<String>,

    /// What the other side should do [default: echo on port 5151, else connect, and with http:// answer a request]
    #[arg(long, value_name = "WHAT", requires = "host")]
    pub(super) expect: Option<Expected>,

    #[command(flatten)]
    pub(super) families: Families,

    /// How long finding the name and connecting may take together; then again for each answer
    #[arg(short = 'w', long, value_name = "TIME", default_value = "5s", requires = "target", value_parser = patience)]
    pub(super) timeout: Span,

    /// The local address to connect from
    #[arg(short, long, value_name = "ADDRESS", requires = "host")]
    pub(super) source: Option<IpAddr>,

    /// Connect to no other port of that host, even where it would tell more
    #[arg(long, requires = "host")]
    pub(super) no_controls: bool,

    /// Name the routers on the way, also when all is well
    #[arg(long, requires = "host")]
    pub(super) hops: bool,

    /// Ask the service `whoami` of the same server, on this port, what it sees of this machine
    #[arg(long, value_name = "PORT", requires = "host", value_parser = port_of_a_server)]
    pub(super) whoami: Option<Port>,

    /// Ask it on so many connections, and say which instances answered
    #[arg(long, value_name = "N", requires = "whoami", value_parser = number::<u16>(1..=1000))]
    pub(super) backends: Option<u16>,

    /// Check again and again, so long after the end of the one before, and print each new verdict; Ctrl-C ends
    #[arg(long, value_name = "TIME", requires = "host", conflicts_with = "json", value_parser = patience)]
    pub(super) watch: Option<Span>,

    /// Find when and how a connection dies on which nothing is said, within so long a time
    #[arg(long, value_name = "TIME", requires = "host", conflicts_with = "watch", value_parser = idle_time)]
    pub(super) idle: Option<Span>,

    /// Check the serving side of a port of this machine: who listens, for whom, and does the firewall let them in?
    ///
    /// PORT or :PORT is meant for other machines, localhost:PORT for this one alone, ADDRESS:PORT at that address.
    #[arg(long, value_name = "ENDPOINT", conflicts_with_all = OF_A_HOST)]
    pub(super) listen: Option<String>,

    /// Put tokens in the place of names and addresses, the same token for the same thing
    #[arg(long)]
    pub(super) redact: bool,

    /// One JSON document on standard output
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) voice: Voice,
}

/// The values of `--expect`.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(super) enum Expected {
    /// What is sent comes back, byte for byte
    Echo,
    /// The connection stands; nothing is sent
    Connect,
}

impl From<Expected> for Expect {
    fn from(expected: Expected) -> Self {
        match expected {
            Expected::Echo => Self::Echo,
            Expected::Connect => Self::Connect,
        }
    }
}

/// What `--listen` has no use for.
const OF_A_HOST: [&str; 10] =
    ["host", "port", "expect", "source", "no_controls", "hops", "whoami", "backends", "watch", "idle"];

const EXAMPLES: &str = "\
Examples:
  echoline check                            this machine: addresses, router, names, who listens
  echoline check 192.0.2.7                  is there an echo service on port 5151?
  echoline check example.org 443            does it accept connections, on every address?
  echoline check http://example.org         and does it speak HTTP?
  echoline check -6 example.org 22          IPv6 only
  echoline check --expect echo host 7007    an echo service on another port
  echoline check --whoami 5152 192.0.2.7    both ends: NAT seen, a lost request and a lost reply told apart
  echoline check --whoami 5152 --backends 100 192.0.2.7    which instances are behind that address?
  echoline check --watch 10s 192.0.2.7      a line for each change of the verdict
  echoline check --idle 10m 192.0.2.7       does a silent connection live for 10 minutes?
  echoline check --listen 5151              on the server: can others reach port 5151?
  echoline check --json --redact host 22    for a program, without names and addresses";

/// From what a network cannot hide to what nobody waits for.
fn idle_time(text: &str) -> Result<Span, String> {
    const BOUNDS: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(24 * 3600);
    let span: Span = text.parse().map_err(|error: UnitError| error.to_string())?;
    if BOUNDS.contains(&span.0) { Ok(span) } else { Err("a silence is from 100ms to 24h long".to_owned()) }
}

fn port_of_a_server(text: &str) -> Result<Port, String> {
    match text.parse::<Port>() {
        Ok(port) if port.get() == 0 => {
            Err("0 lets a server pick a port: give the one that it printed".to_owned())
        }
        parsed => parsed.map_err(|error| error.to_string()),
    }
}
