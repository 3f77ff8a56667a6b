//! A run from its flags to its exit code.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use echoline::{Endpoint, Family, Socket};
use echoline_diagnosis::units::{count, grouped};
use echoline_diagnosis::{Diagnosis, ExitStatus, code};
use echoline_server::{Server, ServiceKind};
use serde::Serialize;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::args::{Args, Other};
use super::config::{Config, Format};
use super::load::{Load, Pace, Shape};
use super::master::{self, Observer, own_fault};
use super::observe::Show;
use super::render::{html, text};
use super::report::{Report, SCHEMA};
use super::tape::Tape;
use super::{capacity, merge, warnings};
use crate::descriptors::{Short, make_room_for};
use crate::failure::{Stop, as_json};
use crate::output::Output;

pub(crate) fn run(mut args: Args) -> Result<ExitStatus, Stop> {
    if let Some(Other::Merge(args)) = args.other.take() {
        return merge::run(&args);
    }
    let format = Format::of(&args);
    let ended = run_load(args);
    if let Err(Stop::Failure(failure)) = &ended {
        let document = NotMeasured { schema: SCHEMA, error: failure };
        match format {
            Format::Text => {}
            Format::Json => Output::new()?.json(&document)?,
            Format::JsonStream => Output::new()?.json_line(&document)?,
        }
    }
    ended
}

/// The document of a run that has no report.
#[derive(Serialize)]
struct NotMeasured<'a> {
    schema: &'static str,
    #[serde(serialize_with = "as_json")]
    error: &'a Diagnosis,
}

fn run_load(args: Args) -> Result<ExitStatus, Stop> {
    let config = Config::new(args)?;
    let interrupt = on_interrupt().map_err(own_fault("cannot handle signals"))?;
    // First: what comes next relies on numbers that open files allow.
    make_room(&config.shape, config.target.is_none())?;
    let target = Target::new(&config)?;
    let mut show = Show::new(&config)?;
    let report = if config.find_capacity {
        capacity::search(|rate_per_s| {
            let shape = Shape { pace: Pace::Open { rate_per_s }, ..config.shape.clone() };
            measure(&config, &target, &shape, &interrupt, &mut show)
        })
    } else {
        measure(&config, &target, &config.shape, &interrupt, &mut show)
    };
    show.end();
    let report = report?;
    let mut out = Output::new()?;
    match config.format {
        Format::Text => out.text(text::render(&report))?,
        Format::Json => out.json(&report)?,
        Format::JsonStream => out.json_line(&Streamed { report: &report })?,
    }
    if let Some(file) = &config.html {
        html::write(&report, file)?;
    }
    Ok(status(&report, &config))
}

/// The last document of a stream.
#[derive(Serialize)]
struct Streamed<'a> {
    report: &'a Report,
}

/// The first signal ends the run early, with its report; the second ends the program.
fn on_interrupt() -> io::Result<Arc<AtomicBool>> {
    let interrupt = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(
            signal,
            ExitStatus::Interrupted as i32,
            Arc::clone(&interrupt),
        )?;
        signal_hook::flag::register(signal, Arc::clone(&interrupt))?;
    }
    Ok(interrupt)
}

/// What is loaded, and the server if it is ours.
struct Target {
    endpoint: Endpoint,
    family: Family,
    server: Option<Server>,
}

impl Target {
    fn new(config: &Config) -> Result<Self, Stop> {
        let family = config.family;
        if let Some(endpoint) = &config.target {
            return Ok(Self { endpoint: endpoint.clone(), family, server: None });
        }
        const EMBED: &str = "cannot start a server in this process";
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(own_fault(EMBED))?;
        let endpoint = listener.local_addr().map_err(own_fault(EMBED))?.into();
        let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let workers =
            NonZeroUsize::new(processors.saturating_sub(config.shape.threads)).unwrap_or(NonZeroUsize::MIN);
        let config = echoline_server::Config {
            workers,
            max_connections: config.shape.connections.saturating_mul(2).saturating_add(64),
            // All of them come from here.
            max_connections_per_source: None,
            ..echoline_server::Config::default()
        };
        let server = Server::builder(config).listen(ServiceKind::Echo, listener).start();
        let server = server.map_err(own_fault(EMBED))?;
        Ok(Self { endpoint, family: Family::Any, server: Some(server) })
    }
}

/// Each connection is an open file, and two where the server is in this process too.
fn make_room(shape: &Shape, embedded: bool) -> Result<(), Diagnosis> {
    let ends = if embedded { 2 } else { 1 };
    let files = shape.connections.saturating_mul(ends).saturating_add(shape.threads.saturating_mul(4));
    make_room_for(files).map_err(|Short { limit, .. }| {
        let connections = count(shape.connections as u64, "connection");
        let need = if shape.connections == 1 { "needs" } else { "need" };
        let message =
            format!("{connections} {need} more open files than the {} allowed here", grouped(limit));
        let failure = Diagnosis::new(code::TOO_MANY_OPEN_FILES, message);
        let failure = if embedded {
            failure.evidence("so", "both ends of each connection are in this process")
        } else {
            failure
        };
        failure.next("use fewer --connections").next("raise the limit: ulimit -Hn shows it, root can set it")
    })
}

fn measure(
    config: &Config,
    target: &Target,
    shape: &Shape,
    interrupt: &AtomicBool,
    observer: &mut dyn Observer,
) -> Result<Report, Stop> {
    // The library's own connect, so that a failure has its name, its addresses and its remedy; its address is loaded.
    let socket = Socket::new().family(target.family).connect_timeout(shape.connect_timeout);
    let first = socket.connect(&target.endpoint)?;
    let address = first.peer();
    let in_flight = u32::try_from(shape.depth).unwrap_or(u32::MAX);
    let tape = Arc::new(Tape::new(&shape.sizes, in_flight, shape.seed));
    let load = Load { address, shape: shape.clone(), tape };
    let (first, _) = first.into_stream();
    let measured = master::run(&load, first, interrupt, observer)?;
    let require = (!config.requirement.0.is_empty()).then(|| config.requirement.to_string());
    let mut report =
        Report::new(address.to_string(), target.server.is_some(), shape.options(require), &measured);
    report.warnings = warnings::of(&report, measured.clock_step);
    report.missed = config.requirement.missed(&report);
    Ok(report)
}

/// An interrupt first; then bytes that differ; then the bounds, which may allow errors of other kinds.
fn status(report: &Report, config: &Config) -> ExitStatus {
    let bounded = config.requirement.bounds_errors();
    let missed_errors = report.missed.iter().any(|missed| missed.required.starts_with("errors="));
    if report.interrupted {
        ExitStatus::Interrupted
    } else if missed_errors {
        ExitStatus::Missed
    } else if report.errors.of_bytes() > 0 || report.errors.total > 0 && !bounded || report.lines == 0 {
        ExitStatus::Refused
    } else if !report.missed.is_empty() || config.find_capacity && report.capacity_lines_per_s.is_none() {
        ExitStatus::Missed
    } else {
        ExitStatus::Success
    }
}
