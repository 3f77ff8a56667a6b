//! Standard error while serving: what is said to a person, and the server's log records, in one order.

use super::queue::Queue;
use crate::args::Voice;
use clap::ValueEnum;
use std::fmt::Display;
use std::io;
use std::time::Duration;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

/// Records that may wait for a slow standard error.
const QUEUE: usize = 8 * 1024;

/// How long the end of the program waits for a slow standard error.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a log record looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of text for each record
    Text,
    /// A JSON object for each record, and for everything else on standard error
    Json,
}

/// Says things and takes the log records of this process.
pub(super) struct Log {
    queue: Queue,
    format: LogFormat,
    voice: Voice,
}

impl Log {
    /// Without `-v` only what ends badly is logged, with it every connection.
    pub(super) fn start(format: LogFormat, voice: Voice) -> io::Result<Self> {
        let level = match (voice.verbose, voice.quiet, format) {
            (true, _, _) => LevelFilter::DEBUG,
            (_, true, _) => LevelFilter::ERROR,
            (_, _, LogFormat::Json) => LevelFilter::INFO,
            (_, _, LogFormat::Text) => LevelFilter::WARN,
        };
        let queue = Queue::start(QUEUE, io::stderr())?;
        let writer = queue.clone();
        let layer = fmt::layer().with_writer(move || writer.clone()).with_target(false).with_ansi(false);
        let levels = Targets::new().with_default(level);
        let set = match format {
            // What the program itself would log, it says in words.
            LogFormat::Text => {
                let levels = levels.with_target("echoline_cli", LevelFilter::OFF);
                registry().with(layer.compact().with_filter(levels)).try_init()
            }
            LogFormat::Json => {
                registry().with(layer.json().flatten_event(true).with_filter(levels)).try_init()
            }
        };
        // Only a second log in one process would be refused, and the first one takes the records then.
        drop(set);
        Ok(Self { queue, format, voice })
    }

    /// To a person, unless quiet; a log in JSON has a record for it. Never dropped: there are few of these.
    pub(super) fn say(&self, line: impl Display) {
        if self.speaks() {
            self.queue.insist(format!("{line}\n").as_bytes());
        }
    }

    /// To a person who wants to know more.
    pub(super) fn detail(&self, line: impl Display) {
        if self.voice.verbose {
            self.say(line);
        }
    }

    /// Log records that were dropped because standard error was too slow.
    pub(super) fn dropped(&self) -> u64 {
        self.queue.dropped()
    }

    /// Writes what waits, for at most a second.
    pub(super) fn settle(&self) {
        self.queue.settle(PATIENCE);
    }

    fn speaks(&self) -> bool {
        self.format == LogFormat::Text && !self.voice.quiet
    }
}
