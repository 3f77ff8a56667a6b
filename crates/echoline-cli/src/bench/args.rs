//! The flags of `echoline bench`, as they were written.

use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use echoline_diagnosis::units::{SOME, Size, Span, UnitError, number, patience};

use super::require::Requirement;
use crate::destination::Families;

/// Measure how fast and how many: a load of lines, each echoed byte compared
///
/// Without a host, the server runs on other threads of this process.
/// Times are response times: with --rate, from the moment at which a line was meant to leave.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(super) other: Option<Other>,

    /// The host, or HOST:PORT; without it, a server in this process
    pub(super) host: Option<String>,

    /// The port [default: 5151]
    pub(super) port: Option<String>,

    /// Connections open at once
    #[arg(short, long, value_name = "N", default_value = "64", value_parser = number::<NonZeroUsize>(SOME))]
    pub(super) connections: NonZeroUsize,

    /// How long to measure [default: 5s; with -n, as long as it takes]
    #[arg(short = 't', long, value_name = "TIME")]
    pub(super) duration: Option<Span>,

    /// How many lines to send in all
    #[arg(short = 'n', long, value_name = "N", conflicts_with_all = ["warm_up", "find_capacity"], value_parser = number::<NonZeroU64>(1..=u64::MAX))]
    pub(super) count: Option<NonZeroU64>,

    /// Bytes a line with its LF, or a range to draw from: 64, 1KiB, 16..1KiB
    #[arg(long, value_name = "SIZE", default_value = "64")]
    pub(super) size: Sizes,

    /// Lines on their way at once on a connection [default: 1; with --rate, at most 1024]
    #[arg(long, value_name = "N", value_parser = number::<NonZeroUsize>(SOME))]
    pub(super) depth: Option<NonZeroUsize>,

    /// Threads that generate the load
    #[arg(long, value_name = "N", default_value = "1", value_parser = number::<NonZeroUsize>(SOME))]
    pub(super) threads: NonZeroUsize,

    /// Load before the measured time [default: 1s; with -n, none]
    #[arg(long, value_name = "TIME")]
    pub(super) warm_up: Option<Span>,

    /// Open loop: so many lines a second in all, on schedule, whatever the answers do
    #[arg(long, value_name = "R", conflicts_with = "find_capacity", value_parser = number::<NonZeroU64>(1..=u64::MAX))]
    pub(super) rate: Option<NonZeroU64>,

    /// A connection for every line
    #[arg(long, conflicts_with = "depth")]
    pub(super) churn: bool,

    /// Fail with exit code 3 unless kept: p50 p90 p99 p99.9 p99.99 max=TIME, errors=N, rate=N
    #[arg(long, value_name = "BOUNDS")]
    pub(super) require: Option<Requirement>,

    /// Search the highest rate that keeps --require; each try takes the duration
    #[arg(long, requires = "require")]
    pub(super) find_capacity: bool,

    /// How long one connection may take to open
    #[arg(short = 'w', long, value_name = "TIME", default_value = "5s", value_parser = patience)]
    pub(super) connect_timeout: Span,

    /// Give a connection up that owes answers and is silent for so long
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = patience)]
    pub(super) wait: Span,

    /// Seed of the lines' contents and sizes
    #[arg(long, value_name = "N", default_value = "1", value_parser = number::<u64>(0..=u64::MAX))]
    pub(super) seed: u64,

    #[command(flatten)]
    pub(super) families: Families,

    /// A line a second on standard error instead of the progress bar
    #[arg(short, long, conflicts_with = "quiet")]
    pub(super) interval: bool,

    /// The report as one JSON document
    #[arg(long)]
    pub(super) json: bool,

    /// A JSON document a line: each second as it ends, then the report
    #[arg(long, conflicts_with_all = ["json", "find_capacity"])]
    pub(super) json_stream: bool,

    /// Write the report as a page too: one file that needs no other
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,

    /// Say nothing on standard error but failures
    #[arg(short, long)]
    pub(super) quiet: bool,
}

#[derive(Debug, clap::Subcommand)]
pub(super) enum Other {
    Merge(MergeArgs),
}

/// Add up reports of several machines that ran at the same time, histogram by histogram
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  echoline bench merge a.json b.json                  the load of two machines as one report
  echoline bench merge --html sum.html *.json         and as a page")]
pub(super) struct MergeArgs {
    /// Reports that bench --json wrote
    #[arg(required = true, value_name = "REPORT")]
    pub(super) files: Vec<PathBuf>,

    /// The sum as one JSON document
    #[arg(long)]
    pub(super) json: bool,

    /// Write the sum as a page too
    #[arg(long, value_name = "FILE")]
    pub(super) html: Option<PathBuf>,
}

/// The size of a line, or the range it is drawn from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sizes(pub(super) RangeInclusive<u32>);

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (from, to) = text.split_once("..").unwrap_or((text, text));
        let read = |part: &str| {
            let Size(bytes) = part.parse().map_err(|error: UnitError| error.to_string())?;
            u32::try_from(bytes)
                .ok()
                .filter(|bytes| (1..=LONGEST).contains(bytes))
                .ok_or_else(|| format!("{part} is outside 1 byte (its LF) to {}", Size(LONGEST.into())))
        };
        let (from, to) = (read(from)?, read(to.strip_prefix('=').unwrap_or(to))?);
        if from > to {
            return Err(format!("{text} ends before it begins"));
        }
        Ok(Self(from..=to))
    }
}

/// The longest line that can be asked for.
const LONGEST: u32 = 64 * 1024 * 1024;

const EXAMPLES: &str = "\
Examples:
  echoline bench                                        the server of this build, on this machine
  echoline bench 192.0.2.7 -c 2000 -t 10s               2,000 connections, a line each at a time
  echoline bench 192.0.2.7 --depth 16 --size 16..1KiB   16 lines on their way a connection
  echoline bench 192.0.2.7 --rate 20000 --require p99=5ms,errors=0
  echoline bench 192.0.2.7 --find-capacity --require p99=5ms
  echoline bench merge a.json b.json                    one report from those of several machines";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_one_or_a_range() {
        let read = |text: &str| text.parse::<Sizes>().map(|sizes| sizes.0);
        assert_eq!(read("64"), Ok(64..=64));
        assert_eq!(read("16..1KiB"), Ok(16..=1024));
        assert_eq!(read("16..=1KiB"), Ok(16..=1024));
        assert_eq!(read("0"), Err("0 is outside 1 byte (its LF) to 64MiB".to_owned()));
        assert_eq!(read("9..3"), Err("9..3 ends before it begins".to_owned()));
        assert!(read("65MiB").is_err() && read("..").is_err() && read("x").is_err());
    }
}
