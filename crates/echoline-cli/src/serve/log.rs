//! Where the server's log records go: standard error, through a queue that drops and counts instead of blocking.

use crate::args::Voice;
use clap::ValueEnum;
use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{fmt, registry};

/// Records that may wait for a slow standard error; what comes on top is dropped and counted.
const QUEUE: usize = 8 * 1024;

/// How a log record looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of text for each record
    Text,
    /// A JSON object for each record, and for everything else on standard error
    Json,
}

/// Keeps the log going; [`Log::end`] writes what waits.
pub(super) struct Log {
    guard: WorkerGuard,
    dropped: ErrorCounter,
}

/// Starts the log of this process. Without `-v` only what ends badly is logged, with it every connection.
pub(super) fn start(format: LogFormat, voice: Voice) -> Log {
    let level = match (voice.verbose, voice.quiet, format) {
        (true, _, _) => LevelFilter::DEBUG,
        (_, true, _) => LevelFilter::ERROR,
        (_, _, LogFormat::Json) => LevelFilter::INFO,
        (_, _, LogFormat::Text) => LevelFilter::WARN,
    };
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(QUEUE)
        .thread_name("echoline-log")
        .finish(std::io::stderr());
    let dropped = writer.error_counter();
    let layer = fmt::layer().with_writer(writer).with_target(false).with_ansi(false);
    let levels = Targets::new().with_default(level);
    let set = match format {
        // What the program itself would log, it says in words.
        LogFormat::Text => {
            let levels = levels.with_target("echoline_cli", LevelFilter::OFF);
            registry().with(layer.compact().with_filter(levels)).try_init()
        }
        LogFormat::Json => registry().with(layer.json().flatten_event(true).with_filter(levels)).try_init(),
    };
    // Only a second log in one process would be refused, and the first one takes the records then.
    drop(set);
    Log { guard, dropped }
}

impl Log {
    /// Writes what waits, for at most a second; returns how many records were dropped.
    pub(super) fn end(self) -> usize {
        drop(self.guard);
        self.dropped.dropped_lines()
    }
}
