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
use redact::Redactor;
use report::Report;
use std::time::Instant;

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    let Some(config) = args.config() else { return machine::describe(args.json, args.redact) };
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
