//! Commands on a lab that runs in another terminal.

use std::env;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use echoline_diagnosis::ExitStatus;
use echoline_lab::{Change, Running};
use signal_hook::consts::SIGINT;

use super::args::{Attach, Enter};
use super::{end_as, system};
use crate::failure::Stop;
use crate::output::Output;

pub(super) fn change(attach: &Attach, change: &Change) -> Result<ExitStatus, Stop> {
    let applied = Running::find(attach.lab.as_deref())?.change(change)?;
    if attach.explain && !applied.is_empty() {
        Output::new()?.text(applied.join("\n"))?;
    }
    Ok(ExitStatus::Success)
}

pub(super) fn down(attach: &Attach) -> Result<ExitStatus, Stop> {
    Running::find(attach.lab.as_deref())?.down()?;
    Ok(ExitStatus::Success)
}

pub(super) fn enter(args: Enter) -> Result<ExitStatus, Stop> {
    let running = Running::find(args.lab.as_deref())?;
    let mut words = args.command.into_iter();
    let shell = || env::var_os("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let mut command = Command::new(words.next().unwrap_or_else(shell));
    // Ctrl-C is for the command; this one only waits for it.
    let ignored = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGINT, ignored).map_err(system("handle signals"))?;
    let status = running.spawn(&args.host, command.args(words))?.wait();
    end_as(status.map_err(system("wait for the command"))?)
}
