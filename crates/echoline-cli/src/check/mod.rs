//! `echoline check`: why can't these two programs talk?
//!
//! | module | what it holds |
//! |---|---|
//! | `args` | the flags, and what they mean together |
//! | `findings` | what was seen, as plain values |
//! | `probe` | all I/O: one file for each thing to look at |
//! | `gather` | the order in which the probes run |
//! | `machine` | this machine, when no host is given |
//! | `recognise` | the protocol that first bytes give away |
//! | `verdict` | what the findings come to: a pure function |
//! | `report`, `render`, `redact` | the whole as steps; as text and JSON; without names and addresses |

mod args;
mod findings;
mod firewall;
mod gather;
mod machine;
mod probe;
mod recognise;
mod redact;
mod render;
mod report;
mod verdict;

pub(crate) use args::Args;

use crate::exit::ExitStatus;
use crate::failure::Stop;
use crate::output::Output;
use crate::units::human_time;
use args::Config;
use redact::Redactor;
use report::Report;
use std::time::{Duration, Instant};

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    let Some(config) = args.config() else { return machine::describe(args.json, args.redact) };
    if let Some(pause) = args.watch
        && config.endpoint.is_ok()
    {
        return watch(&config, pause.0, args.redact);
    }
    let mut output = Output::new()?;
    let begin = Instant::now();
    let findings = gather::gather(&config);
    let report = Report::new(&findings, begin.elapsed());
    let mut redactor = args.redact.then(|| Redactor::new(&findings.target.host));
    if args.json {
        let mut document = serde_json::to_value(&report).unwrap_or_default();
        if let Some(redactor) = &mut redactor {
            redactor.value(&mut document);
        }
        output.json(&document)?;
    } else {
        let text = render::text(&report, args.voice.verbose);
        output.text(redactor.as_mut().map_or_else(|| text.clone(), |redactor| redactor.text(&text)))?;
    }
    Ok(report.exit())
}

/// One line for each verdict that differs from the one before, until somebody ends it.
fn watch(config: &Config, pause: Duration, redact: bool) -> Result<ExitStatus, Stop> {
    let mut output = Output::new()?;
    let begin = Instant::now();
    let mut last = None;
    loop {
        let started = begin.elapsed();
        let findings = gather::gather(config);
        let verdict = verdict::verdict(&findings);
        let now = (verdict.code, verdict.certainty);
        if last.replace(now) != Some(now) {
            let line = format!("after {}: {}", human_time(started), render::headline(&verdict));
            output.text(if redact { Redactor::new(&findings.target.host).text(&line) } else { line })?;
        }
        std::thread::sleep(pause.max(SHORTEST_PAUSE));
    }
}

/// Between two checks of the same host, however often somebody wants it.
const SHORTEST_PAUSE: Duration = Duration::from_millis(100);
