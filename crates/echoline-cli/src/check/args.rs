//! The flags of `echoline check`, and what they mean together.

use super::findings::{Expect, Scheme};
use crate::destination::{Families, endpoint};
use crate::place::Place;
use crate::talk::Voice;
use clap::ArgGroup;
use echoline::{Endpoint, Error, Family, Port};
use echoline_diagnosis::units::{Span, UnitError, number, patience};
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

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
    host: Option<String>,

    /// The port [default: 5151]
    #[arg(requires = "host")]
    port: Option<String>,

    /// What the other side should do [default: echo on port 5151, else connect, and with http:// answer a request]
    #[arg(long, value_name = "WHAT", requires = "host")]
    expect: Option<Expect>,

    #[command(flatten)]
    families: Families,

    /// How long finding the name and connecting may take together; then again for each answer
    #[arg(short = 'w', long, value_name = "TIME", default_value = "5s", requires = "target", value_parser = patience)]
    timeout: Span,

    /// The local address to connect from
    #[arg(short, long, value_name = "ADDRESS", requires = "host")]
    source: Option<IpAddr>,

    /// Connect to no other port of that host, even where it would tell more
    #[arg(long, requires = "host")]
    no_controls: bool,

    /// Name the routers on the way, also when all is well
    #[arg(long, requires = "host")]
    hops: bool,

    /// Ask the service `whoami` of the same server, on this port, what it sees of this machine
    #[arg(long, value_name = "PORT", requires = "host", value_parser = port_of_a_server)]
    whoami: Option<Port>,

    /// Ask it on so many connections, and say which instances answered
    #[arg(long, value_name = "N", requires = "whoami", value_parser = number::<u16>(1..=1000))]
    backends: Option<u16>,

    /// Check again and again, so long after the end of the one before, and print each new verdict; Ctrl-C ends
    #[arg(long, value_name = "TIME", requires = "host", conflicts_with = "json", value_parser = patience)]
    pub(super) watch: Option<Span>,

    /// Find when and how a connection dies on which nothing is said, within so long a time
    #[arg(long, value_name = "TIME", requires = "host", conflicts_with = "watch", value_parser = idle_time)]
    idle: Option<Span>,

    /// Check the serving side of a port of this machine: who listens, for whom, and does the firewall let them in?
    ///
    /// PORT or :PORT is meant for other machines, localhost:PORT for this one alone, ADDRESS:PORT at that address.
    #[arg(long, value_name = "ENDPOINT", conflicts_with_all = OF_A_HOST)]
    listen: Option<String>,

    /// Put tokens in the place of names and addresses, the same token for the same thing
    #[arg(long)]
    pub(super) redact: bool,

    /// One JSON document on standard output
    #[arg(long)]
    pub(super) json: bool,

    #[command(flatten)]
    pub(super) voice: Voice,
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

/// What to look at.
pub(super) struct Config {
    pub(super) endpoint: Result<Endpoint, Error>,
    /// As it was written, for findings about what cannot be read.
    pub(super) asked: String,
    pub(super) expect: Expect,
    pub(super) scheme: Option<Scheme>,
    pub(super) family: Family,
    pub(super) timeout: Duration,
    pub(super) source: Option<IpAddr>,
    pub(super) controls: bool,
    pub(super) hops: bool,
    pub(super) whoami: Option<u16>,
    /// How many connections to count instances on.
    pub(super) backends: Option<usize>,
    /// The longest silence that is tried.
    pub(super) idle: Option<Duration>,
}

/// What `--listen` asks for.
pub(super) struct Listen {
    pub(super) asked: String,
    pub(super) place: Result<Place, Error>,
    pub(super) family: Family,
    pub(super) timeout: Duration,
}

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

impl Args {
    /// `None` without a host.
    pub(super) fn config(&self) -> Option<Config> {
        let host = self.host.as_ref()?;
        let endpoint = endpoint(host, self.port.as_deref(), Port::DEFAULT);
        let is_default = endpoint.as_ref().is_ok_and(|endpoint| endpoint.port() == Port::DEFAULT);
        let scheme = match host.split_once("://") {
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => Some(Scheme::Http),
            Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => Some(Scheme::Https),
            _ => None,
        };
        let usual = if is_default && scheme.is_none() { Expect::Echo } else { Expect::Connect };
        Some(Config {
            endpoint,
            asked: host.clone(),
            expect: self.expect.unwrap_or(usual),
            scheme,
            family: self.families.family(),
            timeout: self.timeout(),
            source: self.source,
            controls: !self.no_controls,
            hops: self.hops,
            whoami: self.whoami.map(Port::get),
            backends: self.backends.map(usize::from),
            idle: self.idle.map(|idle| idle.0),
        })
    }

    /// `None` without `--listen`.
    pub(super) fn listen(&self) -> Option<Listen> {
        let asked = self.listen.clone()?;
        // A port alone is meant as in `:PORT`: who checks whether it can be reached means others.
        let bare = !asked.is_empty() && asked.bytes().all(|byte| byte.is_ascii_digit());
        let text = if bare { format!(":{asked}") } else { asked.clone() };
        let place = Place::parse(&text, Port::DEFAULT);
        Some(Listen { asked, place, family: self.families.family(), timeout: self.timeout() })
    }

    fn timeout(&self) -> Duration {
        self.timeout.0.max(Duration::from_millis(1))
    }
}
