//! From the first listener to the summary.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use echoline_diagnosis::units::{Span, count, human_size};
use echoline_diagnosis::{Diagnosis, ExitStatus, chain, code};
use echoline_server::{Ending, Server, ServerError};

use super::args::Args;
use super::config::Config;
use super::listen::{self, Opened};
use super::log::{self, Log, LogFormat};
use super::reach::reach_of;
use super::render;
use super::report::Summary;
use super::signals::{self, Asked};
use crate::failure::Stop;
use crate::output::Output;
use crate::shortage;

/// What wakes the main thread.
enum Event {
    Signal(Asked),
    /// The server ended by itself: `--once` is served, or a worker failed.
    Ended(Result<(), ServerError>),
    Drained,
}

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    match start_and_serve(args) {
        Err(Stop::Failure(failure)) if args.log == LogFormat::Json => {
            log::refused(&failure);
            Ok(failure.exit())
        }
        ended => ended,
    }
}

fn start_and_serve(args: &Args) -> Result<ExitStatus, Stop> {
    let config = Config::resolve(args)?;
    // The memory of a held line grows by doubling.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    echoline_sys::keep_freed_memory(config.server.max_line.get().saturating_mul(2));
    let opened = listen::open(&config.targets)?;
    let log = Log::start(config.log, config.voice).map_err(no_thread)?;

    let (events, wakes) = mpsc::channel();
    signals::send_each(events.clone(), Event::Signal).map_err(no_thread)?;
    let missing_family = opened.missing_family;
    let server = Arc::new(start(&config, opened)?);
    let started = Instant::now();
    announce(&server, &config, missing_family, &log)?;
    let summary = || Summary {
        ran: started.elapsed(),
        stats: server.stats(),
        once: config.server.once,
        log_dropped: log.dropped(),
    };
    let ended = serve(&server, &config, &log, &events, &wakes, summary);

    log.settle();
    let summary = summary();
    summary.log();
    log.say(render::summary(&summary));
    if let Err(Stop::Failure(failure)) = &ended {
        log.failure(failure);
    }
    log.settle();
    match ended {
        Err(Stop::Failure(failure)) => Ok(failure.exit()),
        ended => ended,
    }
}

fn start(config: &Config, opened: Opened) -> Result<Server, Diagnosis> {
    let builder = Server::builder(config.server.clone());
    let builder = opened
        .listeners
        .into_iter()
        .fold(builder, |builder, (kind, listener)| builder.listen(kind, listener));
    builder.start().map_err(failed)
}

/// The endpoints on standard output for scripts, then who can reach them on standard error.
fn announce(server: &Server, config: &Config, missing_family: Option<&str>, log: &Log) -> Result<(), Stop> {
    // One write: whoever reads only the first line (`| head -1`) does not break the second.
    let lines: String =
        server.endpoints().iter().map(|bound| format!("{}={}\n", bound.service, bound.address)).collect();
    Output::new()?.text(lines)?;
    for (service, reach) in reach_of(server.endpoints()) {
        log.say(render::audience(&service, &reach));
        for one in &reach {
            tracing::info!(service, address = %one.address, who = one.who(), "listening");
        }
    }
    if let Some(family) = missing_family {
        log.say(format_args!("{family} is off on this machine and was left out."));
    }
    for warning in &config.warnings {
        log.say(warning);
        tracing::warn!("{warning}");
    }
    let (engine, limits) = (server.engine(), &config.server);
    match &engine.fallback {
        Some(reason) => log.say(format_args!("Engine: {}, because {reason}.", engine.name)),
        None => log.detail(format_args!("Engine: {}.", engine.name)),
    }
    log.detail(format_args!(
        "{}, at most {} and {} buffered.",
        count(limits.workers.get() as u64, "thread"),
        count(limits.max_connections as u64, "connection"),
        human_size(limits.max_buffered.get() as u64)
    ));
    tracing::info!(
        engine = engine.name,
        fallback = engine.fallback,
        threads = limits.workers,
        max_connections = limits.max_connections,
        max_buffered = limits.max_buffered,
        "started"
    );
    Ok(())
}

/// Serves until the end: by itself, by a drain, or at once by a second signal.
fn serve(
    server: &Arc<Server>,
    config: &Config,
    log: &Log,
    events: &Sender<Event>,
    wakes: &Receiver<Event>,
    summary: impl Fn() -> Summary,
) -> Result<ExitStatus, Stop> {
    spawn("echoline-wait", server, events.clone(), |server| Event::Ended(server.wait()))?;
    let mut cut_off_before_drain = None;
    // The signals' thread holds a sender, so there always is a next event.
    for event in wakes {
        match (event, cut_off_before_drain) {
            (Event::Ended(Err(error)), _) => return Err(failed(error).into()),
            (Event::Ended(Ok(())), None) => return Ok(ExitStatus::Success),
            // The drain reports for itself.
            (Event::Ended(Ok(())), Some(_)) => {}
            (Event::Signal(Asked::Counters), _) => {
                let summary = summary();
                summary.log_counters();
                log.say(render::summary(&summary));
            }
            (Event::Signal(Asked::End(signal)), None) => {
                let stats = server.stats();
                cut_off_before_drain = Some(stats.ended_by(Ending::CutOff));
                say_drain(signal, stats.open, config.drain, log);
                let grace = config.drain;
                spawn("echoline-drain", server, events.clone(), move |server| {
                    server.drain(grace);
                    Event::Drained
                })?;
            }
            (Event::Signal(Asked::End(signal)), Some(_)) => return Ok(end_at_once(server, signal, log)),
            (Event::Drained, before) => {
                let lost = server.stats().ended_by(Ending::CutOff) > before.unwrap_or_default();
                return Ok(if lost { ExitStatus::Refused } else { ExitStatus::Success });
            }
        }
    }
    Ok(ExitStatus::Success)
}

fn say_drain(signal: &str, open: u64, grace: Duration, log: &Log) {
    if signal == "SIGINT" && io::stderr().is_terminal() {
        // The terminal wrote ^C.
        log.say("");
    }
    tracing::info!(signal, open, grace_s = grace.as_secs_f64(), "draining");
    if open > 0 {
        log.say(format_args!(
            "{signal}: no new connections; {} may go on for {}. A second signal ends at once.",
            count(open, "conversation"),
            Span(grace)
        ));
    }
}

fn end_at_once(server: &Server, signal: &str, log: &Log) -> ExitStatus {
    let open = server.stats().open;
    server.stop();
    if open == 0 {
        // One Ctrl-C can come as two signals (timeout(1) sends it to the process and to its group): nothing was cut.
        return ExitStatus::Success;
    }
    log.say(format_args!("{signal} again: ended at once, {} cut off.", count(open, "conversation")));
    tracing::warn!(signal, cut_off = open, "ended at once");
    ExitStatus::Interrupted
}

/// Does a thing that blocks on a thread of its own, and sends what came of it.
fn spawn(
    name: &str,
    server: &Arc<Server>,
    events: Sender<Event>,
    job: impl FnOnce(&Server) -> Event + Send + 'static,
) -> Result<(), Stop> {
    let server = Arc::clone(server);
    let body = move || {
        let event = job(&server);
        // Nobody listens any more when a second signal was faster.
        let _ = events.send(event);
    };
    thread::Builder::new().name(name.to_owned()).spawn(body).map_err(no_thread)?;
    Ok(())
}

fn failed(error: ServerError) -> Diagnosis {
    let failure = |code: code::Code| Diagnosis::new(code, chain(&error));
    let failure = match &error {
        _ if shortage::lacks_files(&error) => failure(code::TOO_MANY_OPEN_FILES)
            .evidence("so", "each thread takes a few open files, and each connection one")
            .next("fewer --threads, or a higher limit: ulimit -n shows it"),
        ServerError::EngineUnavailable { .. } => {
            failure(code::ENGINE_UNAVAILABLE).next("--engine auto takes what works here and says why")
        }
        _ => failure(code::SERVER),
    };
    // The sentence is what it says.
    failure.with_source(error)
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn no_thread(error: io::Error) -> Diagnosis {
    echoline_check::no_thread("serve", &error)
}
