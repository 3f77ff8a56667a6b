//! `cargo xtask soak`: clients that talk to our server for a long time in every way that is allowed, break off at
//! random, and compare every byte; and what the server held meanwhile.

mod broken;
mod content;
mod conversation;
mod counters;
mod load;
mod plan;
mod report;
mod server;
mod watch;

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::io::Write;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;

use crate::programs;
use crate::running::cost;
use broken::Fault;
use load::Tally;
use report::{Files, Report, Resident, Soaked};
use server::Server;
use watch::{Sample, Slope};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// How long each engine is soaked: 90s, 10m, 2h
    #[arg(long = "for", value_name = "TIME", default_value = "10m", value_parser = time)]
    duration: Duration,
    /// This engine alone [default: both, one after the other]
    #[arg(long, value_enum)]
    engine: Option<Engine>,
    /// Print one JSON document instead of the table
    #[arg(long)]
    json: bool,
    /// Repeats the conversations of an earlier soak
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Conversations at a time, each on a thread of its own
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=1024))]
    clients: u16,
    /// Soak a server with this fault instead of ours, to see the soak fail
    #[arg(long, value_enum, value_name = "FAULT", hide = true, conflicts_with = "engine")]
    broken: Option<Fault>,
    /// Be that server
    #[arg(long, value_enum, value_name = "FAULT", hide = true, exclusive = true)]
    serve_broken: Option<Fault>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Engine {
    Uring,
    Portable,
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Uring => "uring",
            Self::Portable => "portable",
        }
    }
}

/// How long the server may take to close what clients have left: it lingers 5 s at one that does not close.
const LEAVE_DEADLINE: Duration = Duration::from_secs(15);
/// The pause between two looks at the clock, the signals and the server.
const TICK: Duration = Duration::from_millis(100);
/// Samples of the whole run, at most, and not more than one a second.
const SAMPLES: u32 = 600;
/// Lines about how it goes, at most, and not more than one in ten seconds.
const PROGRESS: u32 = 20;

/// What every engine's soak has in common.
struct Soak {
    duration: Duration,
    seed: u64,
    clients: usize,
    interrupted: Arc<AtomicBool>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if let Some(fault) = args.serve_broken {
        return broken::serve(fault);
    }
    // The standard library's own source of a number that differs each time.
    let seed = args.seed.unwrap_or_else(|| RandomState::new().hash_one(0) >> 32);
    let (duration, clients) = (args.duration, usize::from(args.clients));
    let mut servers = servers(args)?;
    let soak = Soak { duration, seed, clients, interrupted: interruption()? };
    eprintln!(
        "{} s each, seed {seed}, {clients} clients; Ctrl-C ends early, with the summary",
        duration.as_secs()
    );

    let mut engines = Vec::new();
    for (name, command) in &mut servers {
        if !soak.interrupted.load(Relaxed) {
            engines.push(soak.one(name, command).with_context(|| format!("the soak of {name}"))?);
        }
    }
    let passed = engines.iter().all(|soaked| soaked.passed);
    let schema = "echoline-soak/1";
    let report = Report { schema, seed, clients, for_s: duration.as_secs_f64(), passed, engines };
    let text =
        if args.json { format!("{}\n", serde_json::to_string_pretty(&report)?) } else { report.text() };
    std::io::stdout().write_all(text.as_bytes()).context("cannot write the report")?;
    if !passed {
        bail!("the soak failed; --seed {seed} repeats its conversations");
    }
    Ok(())
}

/// What is soaked, by name.
fn servers(args: &Args) -> Result<Vec<(String, Command)>> {
    if let Some(fault) = args.broken {
        let name = fault.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned());
        let mut command = Command::new(std::env::current_exe().context("where is this program?")?);
        command.args(["soak", "--serve-broken", &name]);
        return Ok(vec![(format!("broken ({name})"), command)]);
    }
    let program = programs::build_ours()?;
    let engines = args.engine.map_or_else(|| Engine::value_variants().to_vec(), |engine| vec![engine]);
    let named = |engine: Engine| (engine.name().to_owned(), server::ours(&program, engine.name()));
    Ok(engines.into_iter().map(named).collect())
}

/// Set by the first Ctrl-C; a second one ends at once.
fn interruption() -> Result<Arc<AtomicBool>> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_default(signal, Arc::clone(&interrupted))
            .and_then(|_| flag::register(signal, Arc::clone(&interrupted)))
            .context("cannot catch signals")?;
    }
    Ok(interrupted)
}

impl Soak {
    fn one(&self, name: &str, command: &mut Command) -> Result<Soaked> {
        let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
        let mut server = Server::start(command, scratch.path())?;
        let process = server.group.leader();
        let start = Instant::now();
        let before = Sample::take(process, Duration::ZERO)?;
        let tally = Mutex::new(Tally::default());
        let samples = self.load(name, &mut server, &tally, start);
        let ran = start.elapsed();
        let mut tally = tally.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A server that has died has nothing more to show than the findings.
        let samples = samples.with_context(|| tally.findings.join("; "))?;

        let files = watch::files_once_back_to(before.files, process, LEAVE_DEADLINE)?;
        let after = Sample::take(process, ran)?;
        let (peak, processor) = (watch::peak(process)?, cost::processor_time(process)?);
        let served = server.end().unwrap_or_else(|error| {
            tally.findings.push(format!("{error:#}"));
            serde_json::Value::Null
        });
        let disagreements = counters::disagreements(&served, &tally);
        let most = samples.iter().map(|sample| sample.files).max().unwrap_or(files);
        let passed = tally.findings.is_empty() && disagreements.is_empty() && files <= before.files;
        Ok(Soaked {
            engine: name.to_owned(),
            passed,
            ran_s: ran.as_secs_f64(),
            interrupted: self.interrupted.load(Relaxed),
            connections: tally.connections,
            broken_off: tally.broken_off,
            left_at_once: tally.left_at_once,
            lines: tally.lines_back,
            bytes_sent: tally.sent,
            bytes_compared: tally.compared,
            differences: tally.differences,
            unexpected_endings: tally.unexpected_endings,
            findings: tally.findings,
            longest: tally.longest,
            files: Files { before: before.files, most, after: files },
            resident: Resident {
                before: before.resident,
                peak,
                after: after.resident,
                slope: Slope::of(&samples),
            },
            processor_s: processor.as_secs_f64(),
            served,
            disagreements,
        })
    }

    /// Lets the clients loose until the time is over; returns what the server held meanwhile.
    fn load(
        &self,
        name: &str,
        server: &mut Server,
        tally: &Mutex<Tally>,
        start: Instant,
    ) -> Result<Vec<Sample>> {
        let stop = AtomicBool::new(false);
        let addresses = server.addresses.clone();
        thread::scope(|scope| {
            for number in 1..=self.clients {
                let (stop, addresses) = (&stop, &addresses);
                scope.spawn(move || load::client(number, self.seed, addresses, stop, tally));
            }
            let samples = self.watch(name, server, tally, start);
            // Whatever came of it: the scope ends when the clients do.
            stop.store(true, Relaxed);
            samples
        })
    }

    fn watch(
        &self,
        name: &str,
        server: &mut Server,
        tally: &Mutex<Tally>,
        start: Instant,
    ) -> Result<Vec<Sample>> {
        let each = (self.duration / SAMPLES).max(Duration::from_secs(1));
        let progress = (self.duration / PROGRESS).max(Duration::from_secs(10));
        let (mut next, mut next_progress) = (Duration::ZERO, progress);
        let mut samples = Vec::new();
        while start.elapsed() < self.duration && !self.interrupted.load(Relaxed) {
            thread::sleep(TICK.min(self.duration));
            if let Some(status) = server.group.ended()? {
                bail!("the server ended in the middle of it ({status}): {}", server.said());
            }
            let now = start.elapsed();
            if now >= next {
                samples.push(Sample::take(server.group.leader(), now)?);
                next = now + each;
            }
            if now >= next_progress {
                next_progress = now + progress;
                report_progress(name, now, tally, samples.last());
            }
        }
        Ok(samples)
    }
}

fn report_progress(name: &str, now: Duration, tally: &Mutex<Tally>, sample: Option<&Sample>) {
    let tally = load::lock(tally);
    let (files, resident) = sample.map_or((0, 0), |sample| (sample.files, sample.resident / 1024));
    eprintln!(
        "{name} {:>5} s: {} connections, {} MiB compared, {} differences, {} unexpected endings, {files} files, {resident} KiB",
        now.as_secs(),
        tally.connections,
        tally.compared / (1024 * 1024),
        tally.differences,
        tally.unexpected_endings
    );
}

/// A whole number and a unit: s, m or h.
fn time(text: &str) -> Result<Duration, String> {
    const LONGEST: u64 = 7 * 24 * 3600;
    let seconds = |number: &str, unit: u64| number.parse::<u64>().ok()?.checked_mul(unit);
    let units = [('s', 1), ('m', 60), ('h', 3600)];
    let parsed = units.iter().find_map(|(unit, length)| seconds(text.strip_suffix(*unit)?, *length));
    match parsed {
        Some(0) => Err("there is nothing to see in no time".to_owned()),
        Some(seconds) if seconds <= LONGEST => Ok(Duration::from_secs(seconds)),
        Some(_) => Err("a week (168h) is the longest".to_owned()),
        None => Err("it takes a number and s, m or h: 90s, 10m, 2h".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_and_an_end() {
        assert_eq!(time("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(time("10m"), Ok(Duration::from_mins(10)));
        assert_eq!(time("168h"), Ok(Duration::from_hours(168)));
        for wrong in
            ["", "m", "10", "0s", "-1s", "1.5m", "169h", "99999999999999999999h", "18446744073709551615h"]
        {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
