//! A conversation, from the flags to its report.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Instant;

use echoline_diagnosis::ExitStatus;

use super::args::Args;
use super::config::Config;
use super::conversation::{Exchanged, Options};
use super::dial::{Dialled, dial};
use super::exchange::exchange;
use super::interrupt::Interrupt;
use super::render::summary;
use super::report::{NotConnected, Report, SCHEMA};
use super::{screen, terminal};
use crate::failure::Stop;
use crate::output::Output;
use crate::talk::Talk;

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    let talk = Talk::new(args.voice);
    let mut output = Output::new()?;
    let config = Config::resolve(args, talk);
    let dialled = config.map_err(Stop::from).and_then(|config| Ok((dial(&config, talk)?, config)));
    let (dialled, config) = dialled.or_else(|stop| in_json(args, stop, &mut output))?;
    let report = converse(args, &config, &dialled, talk, &mut output)
        .or_else(|stop| in_json(args, stop, &mut output))?;
    if args.json {
        output.json(&report)?;
    }
    talk.say(summary(&report, talk.is_verbose(), config.options.wait));
    if report.is_interrupted() {
        return Ok(ExitStatus::Interrupted);
    }
    report.error.map_or(Ok(ExitStatus::Success), |failure| Err(failure.into()))
}

/// With `--json` a failure that leaves nothing to report is the document.
fn in_json<T>(args: &Args, stop: Stop, output: &mut Output) -> Result<T, Stop> {
    if let (true, Stop::Failure(failure)) = (args.json, &stop) {
        output.json(&NotConnected { schema: SCHEMA, result: failure.code(), error: failure })?;
    }
    Err(stop)
}

fn converse(
    args: &Args,
    config: &Config,
    dialled: &Dialled,
    talk: Talk,
    output: &mut Output,
) -> Result<Report, Stop> {
    let interrupt = Interrupt::on_signals(Arc::clone(&dialled.stream), talk)?;
    let begin = Instant::now();
    let Options { verify, wait, .. } = config.options;
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !args.json;
    let exchanged = if on_terminal {
        terminal::converse(&dialled.stream, &interrupt, config.options, talk)?
    } else {
        from_pipe(args, config, dialled, &interrupt, talk, output)?
    };
    Ok(Report::new(dialled, exchanged, verify, wait, begin.elapsed()))
}

fn from_pipe(
    args: &Args,
    config: &Config,
    dialled: &Dialled,
    interrupt: &Interrupt,
    talk: Talk,
    output: &mut Output,
) -> Result<Exchanged, Stop> {
    let escaped = std::io::stdout().is_terminal();
    let mut open_line = false;
    let pass_on = |bytes: &[u8]| {
        if args.json {
            return Ok(());
        }
        if escaped {
            output.bytes(screen::escape_lines(bytes).as_bytes())?;
        } else {
            output.bytes(bytes)?;
        }
        open_line = escaped && !bytes.ends_with(b"\n");
        output.flush()
    };
    let exchanged = exchange(std::io::stdin(), &dialled.stream, pass_on, interrupt, config.options)?;
    if open_line {
        output.text("")?;
    }
    // The terminal has just shown ^C.
    if interrupt.is_interrupted() && std::io::stderr().is_terminal() {
        talk.say("");
    }
    Ok(exchanged)
}
