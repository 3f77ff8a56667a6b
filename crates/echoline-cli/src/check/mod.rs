//! `echoline check`: why can't these two programs talk?
//!
//! | module | what it holds |
//! |---|---|
//! | `args` | the flags, and what they mean together |
//! | `findings` | what was seen, as plain values |
//! | `probe` | all I/O: one file for each thing to look at |
//! | `gather` | the order in which the probes run |
//! | `machine` | this machine, when no host is given |
//! | `firewall` | what rules do with a connection: a pure function |
//! | `verdict` | what the findings come to: a pure function |
//! | `words` | what their sentences have in common |
//! | `quote` | what the other side said, as one word of a line |
//! | `report`, `render`, `redact` | the whole as steps; as text and JSON; without names and addresses |

mod args;
mod findings;
mod firewall;
mod gather;
mod machine;
mod probe;
mod quote;
mod redact;
mod render;
mod report;
mod verdict;
mod words;

pub(crate) use args::Args;

use crate::failure::Stop;
use crate::output::Output;
use crate::place::Place;
use crate::talk::Talk;
use args::Config;
use echoline_diagnosis::ExitStatus;
use echoline_diagnosis::units::human_time;
use redact::Redactor;
use report::Report;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    let begin = Instant::now();
    if let Some(listen) = args.listen() {
        let host = match &listen.place {
            Ok(Place::At(endpoint)) => endpoint.host().to_string(),
            Ok(_) => String::new(),
            Err(_) => listen.asked.clone(),
        };
        let findings = probe::look_at_listening(&listen.asked, listen.place, listen.family, listen.timeout);
        return print(args, Report::of_listening(&findings, begin.elapsed()), &host);
    }
    let Some(config) = args.config() else { return machine::describe(args.json, args.redact) };
    if let Some(pause) = args.watch
        && config.endpoint.is_ok()
    {
        return watch(&config, pause.0, args.redact);
    }
    if let Some(idle) = config.idle {
        Talk::new(args.voice).say(format_args!(
            "If all is well, some connections are held silent, for {} at most; Ctrl-C ends it earlier with what is known.",
            human_time(idle)
        ));
    }
    let findings = gather::gather(&config);
    print(args, Report::new(&findings, begin.elapsed()), &findings.target.host)
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
fn watch(config: &Config, pause: Duration, redact: bool) -> Result<ExitStatus, Stop> {
    let mut output = Output::new()?;
    let begin = Instant::now();
    let mut last = None;
    // One for all of it: a token stands for the same thing in every line.
    let host =
        config.endpoint.as_ref().map_or_else(|_| String::new(), |endpoint| endpoint.host().to_string());
    let mut redactor = redact.then(|| Redactor::new(&host));
    loop {
        let started = begin.elapsed();
        let findings = gather::gather(config);
        let mut verdict = verdict::verdict(&findings);
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
