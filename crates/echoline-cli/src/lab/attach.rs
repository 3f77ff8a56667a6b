//! Commands on a lab that runs in another terminal.

use super::args::{Attach, Enter};
use super::host;
use crate::failure::Stop;
use crate::output::Output;
use echoline_diagnosis::ExitStatus;
use echoline_diagnosis::{Diagnosis, code};
use echoline_lab::Running;
use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

pub(super) fn change(attach: &Attach, text: &str) -> Result<ExitStatus, Stop> {
    let change = host::parse(text)?;
    let applied = Running::find(attach.lab.as_deref())?.request(&format!("change {change}"))?;
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
    let failed = |error: std::io::Error| Diagnosis::new(code::LAB_SYSTEM, error.to_string());
    signal_hook::flag::register(signal_hook::consts::SIGINT, ignored).map_err(failed)?;
    let mut child = running.spawn(&args.host, command.args(words))?;
    let status = child.wait().map_err(failed)?;
    std::process::exit(status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)))
}
