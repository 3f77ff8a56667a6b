//! `echoline connect`: the client.
//!
//! | module | what it holds |
//! |---|---|
//! | `args` | the flags, and what they mean together |
//! | `dial` | the connection, to a server elsewhere or in this process |
//! | `exchange`, `sender`, `receiver` | from a pipe: everything out and everything back, both at once |
//! | `terminal`, `inbox`, `screen` | on a terminal: a line, its answer, and how both look |
//! | `window`, `difference` | what was sent, compared with what comes back; what differs, named |
//! | `round_trip`, `report` | what was measured, and the whole as text and JSON |
//! | `crlf`, `trace`, `interrupt` | `-C`, `--trace` and Ctrl-C |

mod args;
mod crlf;
mod dial;
mod difference;
mod exchange;
#[cfg(feature = "fuzzing")]
pub(crate) mod fuzzing;
mod inbox;
mod interrupt;
mod receiver;
mod report;
mod round_trip;
mod screen;
mod sender;
mod terminal;
mod trace;
mod window;

pub(crate) use args::Args;

use crate::failure::Stop;
use crate::output::Output;
use crate::talk::Talk;
use args::Config;
use dial::{Dialled, dial};
use echoline_diagnosis::ExitStatus;
use exchange::{Exchanged, exchange};
use interrupt::Interrupt;
use report::{NotConnected, Report, SCHEMA};
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Instant;

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    let talk = Talk::new(args.voice);
    let mut output = Output::new()?;
    let config = args.config(talk);
    let dialled = config.map_err(Stop::from).and_then(|config| Ok((dial(&config, talk)?, config)));
    let (dialled, config) = dialled.or_else(|stop| in_json(args, stop, &mut output))?;
    let report = converse(args, &config, &dialled, talk, &mut output)
        .or_else(|stop| in_json(args, stop, &mut output))?;
    if args.json {
        output.json(&report)?;
    }
    talk.say(report.summary(talk.is_verbose(), config.exchange.wait));
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
    let exchange::Options { verify, wait, .. } = config.exchange;
    let on_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal() && !args.json;
    let exchanged = if on_terminal {
        terminal::converse(&dialled.stream, &interrupt, config.exchange, talk)?
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
    let exchanged = exchange(std::io::stdin(), &dialled.stream, pass_on, interrupt, config.exchange)?;
    if open_line {
        output.text("")?;
    }
    // The terminal has just shown ^C.
    if interrupt.is_interrupted() && std::io::stderr().is_terminal() {
        talk.say("");
    }
    Ok(exchanged)
}
