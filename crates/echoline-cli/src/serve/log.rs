//! Standard error while serving: what is said to a person, and the server's log records, in one order.
//!
//! All of it passes through here on its way out, so that nothing that steers a terminal gets there, whoever wrote it.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

use clap::ValueEnum;
use echoline_diagnosis::units::count;
use echoline_diagnosis::{Diagnosis, escape};
use tracing::Dispatch;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::{fmt, registry};

use super::queue::Queue;
use crate::failure::Shown;
use crate::talk::Voice;

/// Memory in bytes for what may wait for a slow standard error: some 7,000 records.
const QUEUE: usize = 1024 * 1024;

/// How long the end of the program waits for a slow standard error.
const PATIENCE: Duration = Duration::from_secs(1);

/// How a log record looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// A line of text for each record
    Text,
    /// A JSON object for each record, and for everything else on standard error, a failure to start included; only flags that cannot be read are told in plain text
    Json,
}

/// Says things and takes the log records of this process.
#[derive(Clone)]
pub(super) struct Log {
    queue: Queue,
    format: LogFormat,
    voice: Voice,
}

impl Log {
    /// Without `-v` only what ends badly is logged, with it every connection.
    pub(super) fn start(format: LogFormat, voice: Voice) -> io::Result<Self> {
        let (log, records) = Self::to(io::stderr(), format, voice)?;
        // Only a second log in one process would be refused, and the first one takes the records then.
        let _ = tracing::dispatcher::set_global_default(records);
        log.catch_panics();
        Ok(log)
    }

    /// The log that goes to `out`, and where its records are to be sent.
    fn to(out: impl Write + Send + 'static, format: LogFormat, voice: Voice) -> io::Result<(Self, Dispatch)> {
        let level = match (voice.verbose, voice.quiet, format) {
            (true, _, _) => LevelFilter::DEBUG,
            (_, true, _) => LevelFilter::ERROR,
            (_, _, LogFormat::Json) => LevelFilter::INFO,
            (_, _, LogFormat::Text) => LevelFilter::WARN,
        };
        let queue = Queue::start(
            QUEUE,
            out,
            match format {
                LogFormat::Text => |queue, dropped| {
                    let records = count(dropped, "log record");
                    queue.insist(format!("{records} dropped: standard error was too slow.\n").into_bytes());
                },
                LogFormat::Json => |_, dropped| tracing::warn!(dropped, "log records dropped"),
            },
        )?;
        let writer = Records { queue: queue.clone(), format };
        let layer = fmt::layer().with_writer(move || writer.clone()).with_target(false).with_ansi(false);
        // Which engine serves, and why, is said by the program itself.
        let levels =
            Targets::new().with_default(level).with_target("echoline_server::server", LevelFilter::WARN);
        let records = match format {
            // What the program itself would log, it says in words.
            LogFormat::Text => {
                let levels = levels.with_target("echoline_cli", LevelFilter::OFF);
                registry().with(layer.compact().with_filter(levels)).into()
            }
            LogFormat::Json => registry().with(layer.json().flatten_event(true).with_filter(levels)).into(),
        };
        Ok((Self { queue, format, voice }, records))
    }

    /// To a person, unless quiet; a log in JSON has a record for it. Dropped only after everything else: there is
    /// little of this.
    pub(super) fn say(&self, line: impl Display) {
        if self.speaks() {
            self.insist(&line.to_string());
        }
    }

    /// To a person who wants to know more.
    pub(super) fn detail(&self, line: impl Display) {
        if self.voice.verbose {
            self.say(line);
        }
    }

    /// What ends the command, also when quiet. Not written directly: a standard error that takes nothing would keep
    /// the program from its end.
    pub(super) fn failure(&self, failure: &Diagnosis) {
        match self.format {
            LogFormat::Text => {
                self.insist(&anstream::adapter::strip_str(&Shown::of(failure).text()).to_string());
            }
            LogFormat::Json => record(failure),
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

    /// A panic of a worker is a fault of ours, and is said like everything else: written directly, it would stop the
    /// worker where standard error takes nothing.
    fn catch_panics(&self) {
        let log = self.clone();
        std::panic::set_hook(Box::new(move |panic| {
            log.fault(&panic.to_string());
            if std::thread::current().name() == Some("main") {
                // The process ends here.
                log.settle();
            }
        }));
    }

    fn fault(&self, what: &str) {
        match self.format {
            LogFormat::Text => self.insist(&format!("A fault of the server itself: {what}")),
            LogFormat::Json => tracing::error!(fault = what, "a fault of the server itself"),
        }
    }

    fn insist(&self, text: &str) {
        let mut safe = String::with_capacity(text.len() + 1);
        for line in text.split('\n') {
            safe.push_str(&escape::escape(line.as_bytes()).with_plain_backslash().to_string());
            safe.push('\n');
        }
        self.queue.insist(safe.into_bytes());
    }

    fn speaks(&self) -> bool {
        self.format == LogFormat::Text && !self.voice.quiet
    }
}

/// Where `tracing_subscriber` writes: each write is one whole record and its newline.
#[derive(Clone)]
struct Records {
    queue: Queue,
    format: LogFormat,
}

impl Write for Records {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        self.queue.push(safe(self.format, record).into_bytes());
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn safe(format: LogFormat, record: &[u8]) -> String {
    let line = record.strip_suffix(b"\n").unwrap_or(record);
    match (format, std::str::from_utf8(line)) {
        (LogFormat::Json, Ok(document)) => format!("{}\n", escape::json(document)),
        _ => format!("{}\n", escape::escape(line).with_plain_backslash()),
    }
}

fn record(failure: &Diagnosis) {
    let shown = Shown::of(failure);
    tracing::error!(code = shown.code.as_str(), next = shown.next.join("; "), "{}", shown.message);
}

/// The record of a failure that keeps a log in JSON from its start: written at once, without a queue and its thread,
/// which may be what is missing.
pub(super) fn refused(failure: &Diagnosis) {
    let layer = fmt::layer().json().flatten_event(true).with_target(false).with_writer(|| Straight);
    tracing::subscriber::with_default(registry().with(layer), || record(failure));
}

/// Standard error itself, for one record in JSON.
struct Straight;

impl Write for Straight {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        io::stderr().write_all(safe(LogFormat::Json, record).as_bytes())?;
        Ok(record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    /// ESC, OSC and BEL, C1, bidirectional formatting, a line of its own that looks like a record, and DEL.
    const HOSTILE: &str =
        "\x1b]0;title\x07\u{9b}2J\u{202e}abc\u{2066}\n2026-01-01 INFO forged\r\x7f\u{e0041}";

    #[derive(Clone, Default)]
    struct Written(Arc<Mutex<Vec<u8>>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What a log in this format makes of a hostile text, whichever way it comes in.
    fn written(format: LogFormat) -> String {
        let out = Written::default();
        let (log, records) = Log::to(out.clone(), format, Voice::default()).unwrap();
        tracing::dispatcher::with_default(&records, || {
            tracing::warn!(target: "echoline_server", peer = %HOSTILE, name = HOSTILE, shown = ?HOSTILE, "{HOSTILE}");
            log.say(HOSTILE);
            log.failure(&Diagnosis::new(echoline_diagnosis::code::SERVER, HOSTILE));
            log.fault(HOSTILE);
        });
        log.settle();
        assert_eq!(log.dropped(), 0);
        let written = out.0.lock().unwrap().clone();
        String::from_utf8(written).unwrap()
    }

    fn assert_harmless(text: &str) {
        let acts =
            |char: char| (char.is_control() && char != '\n') || "\u{202e}\u{2066}\u{e0041}".contains(char);
        assert!(!text.contains(acts), "{text:?}");
    }

    #[test]
    fn nothing_that_steers_a_terminal_passes_through_a_log_in_text() {
        let text = written(LogFormat::Text);
        assert_harmless(&text);
        let record = text.lines().next().unwrap();
        assert!(record.contains("WARN") && record.contains("peer="), "{record}");
        // A record is one line whatever is in it; what is said may have lines of its own.
        assert_eq!(text.lines().filter(|line| line.contains("peer=")).count(), 1, "{text}");
        assert!(!text.lines().nth(1).unwrap().contains("forged"), "{text}");
    }

    #[test]
    fn nothing_that_steers_a_terminal_passes_through_a_log_in_json_and_parsers_read_it_unchanged() {
        let text = written(LogFormat::Json);
        assert_harmless(&text);
        let records: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(records.len(), 3, "{text}");
        assert_eq!((&records[0]["peer"], &records[0]["name"]), (&HOSTILE.into(), &HOSTILE.into()));
        assert_eq!((&records[1]["code"], &records[2]["fault"]), (&"server".into(), &HOSTILE.into()));
    }
}
