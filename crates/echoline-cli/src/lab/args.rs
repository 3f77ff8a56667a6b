//! The flags of `echoline lab`, as they were written.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Subcommand;

use crate::talk::Voice;

/// Run commands on the hosts of a small internet on this machine: routers, NAT, firewalls, names, bad links
///
/// The network is the kernel's own, in namespaces: no root is needed, nothing of this machine's network changes, and
/// everything is gone with the command that built it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, arg_required_else_help = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(super) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// The topologies that come with the lab
    List,
    /// Draw a topology, with its addresses, links, names and rules
    Show(Show),
    /// Build a topology, run a command on one of its hosts, and take all down; ends with the command's exit code
    #[command(after_help = RUN_EXAMPLES, override_usage = RUN_USAGE)]
    Run(Run),
    /// Build a topology and keep it running, until Ctrl-C or `echoline lab down`
    ///
    /// Once everything runs, the topology's name is printed on standard output. SIGINT and SIGTERM end it in order, too.
    /// Of labs with the same name only one can run.
    Up(Up),
    /// Run a command on a host of the running lab; without a command, a shell
    Enter(Enter),
    /// Cut, mend or impair a link of the running lab
    #[command(after_help = LINK_EXAMPLES)]
    Link(Link),
    /// Add a rule to the firewall of a host or router of the running lab, before all others; or clear such rules
    #[command(after_help = FIREWALL_EXAMPLES)]
    Firewall(Firewall),
    /// Lead a port of a router's outer address to a host inside
    Forward(Forward),
    /// Give an interface another address, as a provider does to a home router
    Address(Address),
    /// Change how the name server answers, or what it knows
    #[command(after_help = NAMES_EXAMPLES)]
    Names(Names),
    /// Show what passes the links of the running lab, a line a frame: segments, what was sent again, what NAT rewrote
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(Watch),
    /// Play scenarios and say which went as expected; ends with 1 if one did not
    Test(Test),
    /// End the running lab
    Down(Attach),
}

/// Which running lab is meant.
#[derive(Debug, clap::Args)]
pub(super) struct Attach {
    /// Topology of the running lab, where several run, or the number of its first process
    #[arg(long, value_name = "TOPOLOGY")]
    pub(super) lab: Option<String>,
    /// Print each ip and nft command, so that it can be done by hand
    #[arg(long)]
    pub(super) explain: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Show {
    /// A shipped topology, or a file
    #[arg(value_name = "TOPOLOGY|FILE.toml", default_value = "home")]
    pub(super) topology: String,
    /// Write the drawing to this file as SVG
    #[arg(long, value_name = "FILE", conflicts_with = "toml")]
    pub(super) svg: Option<PathBuf>,
    /// Print the topology's own file, to start one of your own
    #[arg(long)]
    pub(super) toml: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct Run {
    /// The host, and before it a topology or FILE.toml [default: home]
    #[arg(value_name = "HOST", num_args = 1.., required = true)]
    pub(super) place: Vec<String>,
    /// Apply a change before the command starts, such as `link wan loss=5%` (repeatable)
    #[arg(long, value_name = "CHANGE")]
    pub(super) with: Vec<String>,
    /// Print what passes this link meanwhile, a line a frame, on standard error (repeatable)
    #[arg(long, value_name = "LINK")]
    pub(super) watch: Vec<String>,
    /// Print each ip and nft command, so that it can be done by hand
    #[arg(long)]
    pub(super) explain: bool,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Up {
    /// A shipped topology, or a file
    #[arg(value_name = "TOPOLOGY|FILE.toml", default_value = "home")]
    pub(super) topology: String,
    /// Print each ip and nft command, so that it can be done by hand
    #[arg(long)]
    pub(super) explain: bool,
    #[command(flatten)]
    pub(super) voice: Voice,
}

#[derive(Debug, clap::Args)]
pub(super) struct Enter {
    /// The host or router
    pub(super) host: String,
    /// Topology of the running lab, where several run, or the number of its first process
    #[arg(long, value_name = "TOPOLOGY")]
    pub(super) lab: Option<String>,
    /// The command and its arguments
    #[arg(last = true, value_name = "COMMAND")]
    pub(super) command: Vec<OsString>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Link {
    /// The link's name, from `echoline lab show`
    pub(super) name: String,
    /// cut, mend, mtu=BYTES, or settings of both ways; `there` or `back` first means one way
    #[arg(required = true, value_name = "WORD")]
    pub(super) words: Vec<String>,
    #[command(flatten)]
    pub(super) attach: Attach,
}

#[derive(Debug, clap::Args)]
pub(super) struct Firewall {
    /// The host or router
    pub(super) host: String,
    /// `clear`, or: in, out or through; accept, drop or reject[=WHY]; tcp, udp, icmp or all; a port; from NET; to NET
    #[arg(required = true, value_name = "WORD")]
    pub(super) rule: Vec<String>,
    #[command(flatten)]
    pub(super) attach: Attach,
}

#[derive(Debug, clap::Args)]
pub(super) struct Forward {
    /// The router
    pub(super) router: String,
    /// The port of its outer address
    pub(super) port: String,
    /// The host inside, or HOST:PORT
    pub(super) host: String,
    #[command(flatten)]
    pub(super) attach: Attach,
}

#[derive(Debug, clap::Args)]
pub(super) struct Address {
    /// As router.wan; a host's only interface is meant by the host's name
    #[arg(value_name = "NODE.INTERFACE")]
    pub(super) interface: String,
    /// As 203.0.113.77/24
    #[arg(value_name = "ADDRESS/PREFIX")]
    pub(super) network: String,
    #[command(flatten)]
    pub(super) attach: Attach,
}

#[derive(Debug, clap::Args)]
pub(super) struct Names {
    /// answer, silent, servfail, refused, delay=TIME, set NAME ADDRESS..., remove NAME
    #[arg(required = true, value_name = "WORD")]
    pub(super) words: Vec<String>,
    #[command(flatten)]
    pub(super) attach: Attach,
}

#[derive(Debug, clap::Args)]
pub(super) struct Watch {
    /// The links [default: those at routers, or else all]
    #[arg(value_name = "LINK")]
    pub(super) links: Vec<String>,
    /// Also write the frames of the one link to this file, which Wireshark opens
    #[arg(long, value_name = "FILE.pcap")]
    pub(super) write: Option<PathBuf>,
    /// Topology of the running lab, where several run, or the number of its first process
    #[arg(long, value_name = "TOPOLOGY")]
    pub(super) lab: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(super) struct Test {
    /// Shipped scenarios, or files of your own; all shipped ones if none is named
    #[arg(value_name = "SCENARIO|FILE.toml")]
    pub(super) scenarios: Vec<String>,
    /// Name the scenarios, and what each shows, without playing them
    #[arg(long)]
    pub(super) list: bool,
    /// One JSON document instead, at the end
    #[arg(long, conflicts_with = "list")]
    pub(super) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  echoline lab show home                                          the map
  echoline lab run home laptop -- echoline connect echo.lab.test  from behind NAT to the internet
  echoline lab run laptop -- ip route                             any command, on the laptop of home
  echoline lab up home                                            keep it; then, in other terminals:
  echoline lab enter laptop                                       a shell on the laptop
  echoline lab link wan loss=5% delay=20ms                        make the line bad
  echoline lab down";

const RUN_USAGE: &str = "echoline lab run [OPTIONS] [TOPOLOGY|FILE.toml] <HOST> -- <COMMAND>...";

const RUN_EXAMPLES: &str = "\
Examples:
  echoline lab run home laptop -- echoline connect echo.lab.test
  printf 'hello\\n' | echoline lab run home laptop -- echoline connect echo.lab.test
  echoline lab run home laptop --with 'link wan cut' -- echoline connect -w 2s 203.0.113.10
  echoline lab run mine.toml alice -- ping -c 1 192.0.2.2";

const LINK_EXAMPLES: &str = "\
Settings: loss duplicate reorder corrupt (percent), delay jitter hold (times), rate (bits/s),
queue (frames), lose_text (frames with these bytes are lost)

Examples:
  echoline lab link wan loss=5% delay=20ms
  echoline lab link wan there rate=1mbit     only from the first end to the second
  echoline lab link wan lose_text=first      what has these bytes in it never arrives
  echoline lab link wan none                 a clean line again
  echoline lab link wan cut";

const FIREWALL_EXAMPLES: &str = "\
Examples:
  echoline lab firewall server in drop tcp 5151
  echoline lab firewall server in reject=host-unreachable tcp 5151
  echoline lab firewall laptop out reject tcp 5151
  echoline lab firewall server clear";

const WATCH_EXAMPLES: &str = "\
Examples:
  echoline lab watch                       both sides of each router: what NAT rewrites is seen
  echoline lab watch wan --write wan.pcap";

const NAMES_EXAMPLES: &str = "\
Examples:
  echoline lab names silent
  echoline lab names set echo.lab.test 203.0.113.99 203.0.113.10
  echoline lab names answer";
