//! What is going to run: the flags, checked against each other and with every default filled in.

use std::path::PathBuf;
use std::time::Duration;

use echoline::{Endpoint, Family, Port};
use echoline_diagnosis::{Diagnosis, Text, code};

use super::args::Args;
use super::load::{Pace, Shape};
use super::report::Options;
use super::require::Requirement;
use crate::destination::elsewhere;
use crate::failure::Stop;

/// A run of `echoline bench`.
#[derive(Debug)]
pub(super) struct Config {
    /// `None`: a server in this process.
    pub(super) target: Option<Endpoint>,
    pub(super) family: Family,
    pub(super) shape: Shape,
    pub(super) requirement: Requirement,
    pub(super) find_capacity: bool,
    pub(super) voice: Voice,
    pub(super) format: Format,
    pub(super) html: Option<PathBuf>,
}

/// What is said on standard error while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Voice {
    Quiet,
    Progress,
    EachSecond,
}

/// What is written to standard output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
    JsonStream,
}

impl Format {
    pub(super) fn of(args: &Args) -> Self {
        match (args.json, args.json_stream) {
            (true, _) => Self::Json,
            (_, true) => Self::JsonStream,
            _ => Self::Text,
        }
    }
}

/// A run that ends with its number of lines ends here at the latest.
pub(super) const LONGEST: Duration = Duration::from_hours(24);
/// Bytes that all lines of one connection on their way may have: twice that is the generator's memory for lines.
const MOST_IN_FLIGHT: u64 = 256 * 1024 * 1024;
/// What an open loop may have on its way on one connection unless `--depth` says otherwise.
const OPEN_DEPTH: u64 = 1024;
const OPEN_BYTES: u64 = 4 * 1024 * 1024;

impl Config {
    pub(super) fn new(args: Args) -> Result<Self, Stop> {
        let target = elsewhere(args.host.as_deref(), args.port.as_deref(), Port::DEFAULT)?;
        let voice = match (args.quiet, args.interval) {
            (true, _) => Voice::Quiet,
            (_, true) => Voice::EachSecond,
            _ => Voice::Progress,
        };
        let format = Format::of(&args);
        Ok(Self {
            target,
            family: args.families.family(),
            shape: Shape::new(&args)?,
            requirement: args.require.unwrap_or_default(),
            find_capacity: args.find_capacity,
            voice,
            format,
            html: args.html,
        })
    }
}

impl Shape {
    fn new(args: &Args) -> Result<Self, Diagnosis> {
        let sizes = args.size.0.clone();
        let longest = u64::from(*sizes.end());
        let open = args.rate.is_some() || args.find_capacity;
        let default_depth = if open { (OPEN_BYTES / longest).clamp(1, OPEN_DEPTH) } else { 1 };
        let depth = match args.depth {
            _ if args.churn => 1,
            Some(depth) => depth.get() as u64,
            None => default_depth,
        };
        if depth.saturating_mul(longest) > MOST_IN_FLIGHT {
            return Err(usage("--depth times --size is more than 256 MiB on their way on each connection")
                .next("use a smaller --depth or a smaller --size"));
        }
        let connections = args.connections.get();
        let threads = args.threads.get();
        if threads > connections {
            return Err(usage(format!("{threads} threads have only {connections} connections to share"))
                .next(format!("--threads {connections} at most")));
        }
        let duration = args.duration.map(|span| span.0);
        if duration.is_some_and(|duration| duration.is_zero() || duration > LONGEST) {
            return Err(usage("-t/--duration is a time from above 0 to 24h"));
        }
        let count = args.count.map(std::num::NonZeroU64::get);
        let default = if count.is_some() { LONGEST } else { Duration::from_secs(5) };
        let warm_up = if count.is_some() { Duration::ZERO } else { Duration::from_secs(1) };
        Ok(Self {
            connections,
            threads,
            depth: usize::try_from(depth).unwrap_or(usize::MAX),
            sizes,
            pace: args.rate.map_or(Pace::Closed, |rate| Pace::Open { rate_per_s: rate.get() }),
            churn: args.churn,
            lines: count,
            warm_up: args.warm_up.map_or(warm_up, |span| span.0),
            duration: duration.unwrap_or(default),
            connect_timeout: args.connect_timeout.0,
            wait: args.wait.0,
            seed: args.seed,
        })
    }

    /// As the report shows them.
    pub(super) fn options(&self, require: Option<String>) -> Options {
        let rate_per_s = match self.pace {
            Pace::Closed => None,
            Pace::Open { rate_per_s } => Some(rate_per_s),
        };
        Options {
            connections: self.connections,
            threads: self.threads,
            depth: self.depth,
            size_bytes: (&self.sizes).into(),
            mode: if rate_per_s.is_some() { "open" } else { "closed" }.to_owned(),
            rate_per_s,
            churn: self.churn,
            count: self.lines,
            warm_up_s: self.warm_up.as_secs_f64(),
            duration_s: (self.duration < LONGEST).then_some(self.duration.as_secs_f64()),
            connect_timeout_s: self.connect_timeout.as_secs_f64(),
            wait_s: self.wait.as_secs_f64(),
            seed: self.seed,
            require,
        }
    }
}

fn usage(message: impl Into<Text>) -> Diagnosis {
    Diagnosis::new(code::USAGE, message)
}
