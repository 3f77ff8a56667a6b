//! One check and its output, or one check after the other.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use echoline_check::{Cancel, HostOptions, Options, Place, Report};
use echoline_diagnosis::ExitStatus;
use echoline_diagnosis::units::human_time;
use signal_hook::consts::{SIGINT, SIGTERM};

use super::args::Args;
use super::redact::Redactor;
use super::{config, machine, render};
use crate::failure::Stop;
use crate::output::Output;
use crate::talk::Talk;

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    if let Some(listen) = config::listen(args) {
        let host = match &listen.place {
            Ok(Place::At(endpoint)) => endpoint.host().to_string(),
            Ok(_) => String::new(),
            Err(_) => listen.asked.clone(),
        };
        return print(args, echoline_check::run(&Options::Listen(listen), &Cancel::new()), &host);
    }
    let Some(options) = config::host(args) else { return machine::describe(args.json, args.redact) };
    if let Some(pause) = args.watch
        && options.endpoint.is_ok()
    {
        return watch(options, pause.0, args.redact);
    }
    let mut cancel = Cancel::new();
    if let Some(idle) = options.idle {
        cancel = until_interrupted();
        Talk::new(args.voice).say(format_args!(
            "If all is well, some connections are held silent, for {} at most; Ctrl-C ends it earlier with what is known.",
            human_time(idle)
        ));
    }
    let host = host_of(&options);
    print(args, echoline_check::run(&Options::Host(options), &cancel), &host)
}

/// A token that the first SIGINT or SIGTERM uses; the second ends the program.
fn until_interrupted() -> Cancel {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        // Without it a signal ends the program at once, which is no harm.
        let _ = signal_hook::flag::register_conditional_default(signal, Arc::clone(&interrupted));
        let _ = signal_hook::flag::register(signal, Arc::clone(&interrupted));
    }
    interrupted.into()
}

/// The host whose name is hidden.
fn host_of(options: &HostOptions) -> String {
    options.endpoint.as_ref().map_or_else(|_| options.asked.clone(), |endpoint| endpoint.host().to_string())
}

/// In the form that was asked for.
fn print(args: &Args, report: Report, host: &str) -> Result<ExitStatus, Stop> {
    let mut output = Output::new()?;
    let status = exit(&report);
    let text = |report: &Report| render::text(report, args.voice.verbose, std::io::stdout().is_terminal());
    let mut redactor = args.redact.then(|| Redactor::new(host));
    match (args.json, &mut redactor) {
        (true, None) => output.json(&report)?,
        (false, None) => output.text(text(&report))?,
        (json, Some(redactor)) => {
            let report = redactor.report(report);
            if json { output.json(&redactor.document(&report))? } else { output.text(text(&report))? }
        }
    }
    Ok(status)
}

/// What cannot be read, and what this machine has run out of, is no answer of the network.
fn exit(report: &Report) -> ExitStatus {
    if report.interrupted { ExitStatus::Interrupted } else { report.verdict.code().exit() }
}

/// One line for each verdict that differs from the one before, until somebody ends it.
fn watch(options: HostOptions, pause: Duration, redact: bool) -> Result<ExitStatus, Stop> {
    let mut output = Output::new()?;
    let begin = Instant::now();
    let mut last = None;
    // One for all of it: a token stands for the same thing in every line.
    let mut redactor = redact.then(|| Redactor::new(&host_of(&options)));
    let options = Options::Host(options);
    loop {
        let started = begin.elapsed();
        let mut verdict = echoline_check::run(&options, &Cancel::new()).verdict;
        let now = (verdict.code(), verdict.certainty());
        if last.replace(now) != Some(now) {
            if let Some(redactor) = &mut redactor {
                verdict = redactor.verdict(&verdict);
            }
            output.text(format!("after {}: {}", human_time(started), render::headline(&verdict)))?;
        }
        std::thread::sleep(pause.max(SHORTEST_PAUSE));
    }
}

/// Between two checks of the same host, however often somebody wants it.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
