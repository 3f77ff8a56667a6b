//! Where the attacks happen: a network of their own, and processes that end with us.
//!
//! The command starts itself again in new namespaces. So nothing is sent on this machine's network, nobody else's
//! ports are taken, and the kernel ends every process that is left when the attacks are over or are interrupted.

use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use signal_hook::consts::{SIGINT, SIGTERM};
use xtask_tools::run;

use super::row::Row;
use super::{Args, compare, here, memory_group, watchdog};
use crate::programs;

/// Builds what is attacked, then starts this command again, aside.
pub(super) fn enter(args: &Args, rows: &[&Row]) -> Result<()> {
    programs::build_ours()?;
    if !args.against.is_empty() {
        compare::prepare(args)?;
    }
    if rows.iter().any(|row| row.needs_tests()) {
        run::shown(run::cargo().args(["test", "--quiet", "--no-run", "-p", "echoline-server"]))?;
    }
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&interrupted))?;
    }
    let scratch = tempfile::tempdir().context("cannot make a temporary directory")?;
    let most = watchdog::most(args) + Duration::from_secs(60);
    let status = wait(&mut again(args, scratch.path())?, &interrupted, most);
    memory_group::sweep(scratch.path());
    drop(scratch);
    match status? {
        Some(status) if status.success() => Ok(()),
        Some(status) => bail!("some row did not hold ({status})"),
        None => std::process::exit(130),
    }
}

/// `None`: interrupted. It ends by itself, by its own watchdog if need be; an error says that it did not.
fn wait(child: &mut Child, interrupted: &AtomicBool, most: Duration) -> Result<Option<ExitStatus>> {
    let deadline = Instant::now() + most;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let late = Instant::now() > deadline;
        if late || interrupted.load(Ordering::Relaxed) {
            child.kill()?;
            child.wait()?;
            ensure!(!late, "the rows were not done within {} minutes", most.as_secs() / 60);
            return Ok(None);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn again(args: &Args, scratch: &Path) -> Result<Child> {
    let mut words: Vec<String> = vec!["faults".to_owned()];
    words.extend(args.rows.iter().map(u8::to_string));
    words.extend(args.engine.map(|engine| format!("--engine={}", engine.name())));
    words.extend(
        args.against
            .iter()
            .filter_map(|other| Some(format!("--against={}", other.to_possible_value()?.get_name()))),
    );
    words.extend(
        [("--quick", args.quick), ("--json", args.json)]
            .iter()
            .filter(|(_, set)| *set)
            .map(|(flag, _)| (*flag).to_owned()),
    );
    let own = std::env::current_exe().context("cannot find this program's own file")?;
    let (prefix, reason) = match aside() {
        Ok(prefix) => (prefix, None),
        Err(reason) => (Vec::new(), Some(format!("{reason:#}"))),
    };
    // Whatever ends us ends them.
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).args(prefix).arg(own).args(words);
    command.arg("--inside").arg(scratch);
    if let Some(reason) = reason {
        command.arg("--not-aside").arg(reason);
    }
    command.spawn().context("cannot start `setpriv` (Debian package util-linux)")
}

/// The words that put a command aside: as root, or else as root of a new user namespace.
fn aside() -> Result<Vec<&'static str>> {
    const NEW: [&str; 7] = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--"];
    let mut words = NEW.to_vec();
    if !rustix::process::geteuid().is_root() {
        words.splice(1..1, ["--user", "--map-root-user"]);
    }
    let tried = Command::new(words[0]).args(&words[1..]).arg("true").output();
    let tried = tried.context("cannot start `unshare` (Debian package util-linux)")?;
    ensure!(tried.status.success(), "no namespaces here: {}", crate::running::first_line(&tried.stderr));
    Ok(words)
}

/// Inside: loopback is up, and what is written vanishes with us.
pub(super) fn settle(scratch: &Path) -> Result<()> {
    run::captured(Command::new("ip").args(["link", "set", "lo", "up"]))?;
    run::captured(Command::new("mount").args(["-t", "tmpfs", "faults"]).arg(scratch))?;
    here::plain_tcp();
    Ok(())
}

impl Row {
    fn needs_tests(&self) -> bool {
        self.tested
    }
}
