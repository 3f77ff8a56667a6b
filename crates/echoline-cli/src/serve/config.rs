//! What `serve` will do: the flags, resolved and checked.

use std::num::NonZeroUsize;
use std::time::Duration;

use echoline_diagnosis::units::{Size, Span, count, grouped};
use echoline_diagnosis::{Diagnosis, code};

use super::args::Args;
use super::log::LogFormat;
use super::memory;
use super::target::Target;
use crate::descriptors;
use crate::failure::Stop;
use crate::talk::Voice;

pub(super) struct Config {
    pub(super) targets: Vec<Target>,
    pub(super) server: echoline_server::Config,
    pub(super) drain: Duration,
    pub(super) log: LogFormat,
    pub(super) voice: Voice,
    /// What the user should know before it starts.
    pub(super) warnings: Vec<String>,
}

impl Config {
    /// Also raises this process's limit of open files to what the connections need.
    pub(super) fn resolve(args: &Args) -> Result<Self, Stop> {
        Self::on_a_machine_with(memory::limit(), args)
    }

    /// Where this process may have so many bytes of memory.
    pub(super) fn on_a_machine_with(memory_limit: Option<u64>, args: &Args) -> Result<Self, Stop> {
        let targets = match args.listen.as_slice() {
            [] => vec![Target::DEFAULT],
            texts => texts.iter().map(|text| Target::parse(text)).collect::<Result<_, _>>()?,
        };
        let default = echoline_server::Config::default();
        let workers = threads(args.threads, default.workers)?;
        let (max_connections, warning) = max_connections(args.max_connections, workers);
        let server = echoline_server::Config {
            max_line: at_least_one("--max-line", args.max_line, default.max_line)?,
            long_lines: args.long_lines,
            max_pending_output: at_least_one(
                "--max-pending-output",
                args.max_pending_output,
                default.max_pending_output,
            )?,
            max_buffered: max_buffered(args.max_buffered, memory_limit, default.max_buffered)?,
            max_connections,
            max_connections_per_source: NonZeroUsize::new(
                args.max_connections_per_source.unwrap_or(max_connections.div_ceil(4)),
            ),
            min_progress: args.min_progress.0,
            idle_timeout: unless_zero(args.idle_timeout),
            keepalive: unless_zero(args.keepalive),
            user_timeout: unless_zero(args.user_timeout),
            workers,
            engine: args.engine,
            once: args.once,
            ..default
        };
        let warnings = warning.into_iter().chain(more_than_all(&server)).collect();
        Ok(Self { targets, server, drain: args.drain.0, log: args.log, voice: args.voice, warnings })
    }
}

/// More than any machine has processors for: a slip of the keyboard, which would take the machine's memory.
const MAX_THREADS: usize = 1024;

fn threads(asked: Option<NonZeroUsize>, default: NonZeroUsize) -> Result<NonZeroUsize, Diagnosis> {
    let threads = asked.unwrap_or(default);
    if threads.get() <= MAX_THREADS {
        return Ok(threads);
    }
    let message = format!("{threads} threads are too many: at most {MAX_THREADS} are possible");
    Err(Diagnosis::new(code::USAGE, message)
        .next(format!("--threads {default} is one a processor of this machine")))
}

fn at_least_one(flag: &str, asked: Size, default: NonZeroUsize) -> Result<NonZeroUsize, Diagnosis> {
    usize::try_from(asked.0).ok().and_then(NonZeroUsize::new).ok_or_else(|| {
        Diagnosis::new(code::USAGE, format!("{flag} {asked} cannot be"))
            .next(format!("it takes 1B and more; {} is the default", Size(default.get() as u64)))
    })
}

/// Unasked, so little that the kernel's own buffers, which count too, have room under the limit of a container.
fn max_buffered(
    asked: Option<Size>,
    memory_limit: Option<u64>,
    default: NonZeroUsize,
) -> Result<NonZeroUsize, Diagnosis> {
    match (asked, memory_limit) {
        (Some(asked), _) => at_least_one("--max-buffered", asked, default),
        (None, Some(limit)) => {
            let quarter = usize::try_from(limit / 4).unwrap_or(usize::MAX);
            Ok(NonZeroUsize::new(quarter).map_or(NonZeroUsize::MIN, |quarter| quarter.min(default)))
        }
        (None, None) => Ok(default),
    }
}

/// One line may be longer than what all clients together may have held.
fn more_than_all(server: &echoline_server::Config) -> Option<String> {
    let [line, all] = [server.max_line, server.max_buffered].map(|bytes| Size(bytes.get() as u64));
    (server.max_line > server.max_buffered).then(|| {
        format!(
            "Warning: a line may have {line} (--max-line), and all that is held {all} (--max-buffered).\n  \
             A line of more than that is passed on before it is whole, and who does not read it in time is closed."
        )
    })
}

fn unless_zero(asked: Span) -> Option<Duration> {
    Some(asked.0).filter(|time| !time.is_zero())
}

/// The limit of connections, and a warning if there can be fewer than were asked for, or hardly any.
fn max_connections(asked: Option<NonZeroUsize>, workers: NonZeroUsize) -> (usize, Option<String>) {
    /// With fewer, who only reads that it serves would wonder where the others go.
    const FEW: usize = 64;
    let full = echoline_server::Config { workers, ..echoline_server::Config::default() };
    let wanted = asked.map_or(full.max_connections, NonZeroUsize::get);
    let full = echoline_server::Config { max_connections: wanted, ..full };
    let Err(short) = descriptors::raise_to(full.open_files()) else { return (wanted, None) };
    // What is kept for other files may be enough for one.
    let fit = wanted.saturating_sub(usize::try_from(short.missing).unwrap_or(wanted)).max(1);
    let warning = || {
        format!(
            "Warning: no room for {}, but for about {}: this process may open {} files.\n  \
             Raise the hard limit: ulimit -Hn (shell), LimitNOFILE= (systemd), --ulimit nofile= (container).",
            count(wanted as u64, "connection"),
            grouped(fit as u64),
            grouped(short.limit)
        )
    };
    match asked {
        Some(_) => (wanted, Some(warning())),
        // Nobody asked for so many: take what fits.
        None => (fit, (fit < FEW).then(warning)),
    }
}
