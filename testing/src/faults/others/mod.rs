//! Other servers: relays before an echo, and two small echoes on tokio.

mod servers;
mod sum;
mod wish;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use clap::ValueEnum;
use xtask_tools::debian::{self, Package};

use crate::running::Running;
use wish::Wish;

pub(super) use servers::OTHERS;
pub(super) use sum::Sampler;

/// What the table of sources of another server may use, where it has one.
pub(super) const TABLE: u64 = 10 << 20;

/// Whom to attack beside ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Against {
    Socat,
    Haproxy,
    Nginx,
    TokioBytes,
    TokioLines,
    All,
}

/// A server that is not ours.
pub(crate) struct Other {
    pub(crate) name: &'static str,
    pub(super) which: Against,
    /// The name of its process, by which it is found behind whatever starts it.
    pub(crate) process: &'static str,
    pub(super) packages: &'static [Package],
    /// It echoes nothing itself: an echo runs behind it.
    pub(super) relays: bool,
    command: fn(&Start<'_>) -> Result<Command>,
    /// What prints its version.
    version: &'static [&'static str],
    /// Why a row says nothing about it.
    pub(super) unfit: fn(u8) -> Option<&'static str>,
}

/// What a command of another server is made from.
struct Start<'a> {
    wish: Wish,
    listen: SocketAddr,
    /// The echo behind a relay.
    echo: SocketAddr,
    /// A configuration file may stand here.
    file: PathBuf,
    scratch: &'a Path,
}

impl Other {
    /// The command that starts it on `listen`, and the echo behind it, which ends when dropped.
    pub(super) fn start(
        &self,
        listen: SocketAddr,
        words: &[&str],
        through: &[&str],
        echoline: &Path,
        scratch: &Path,
    ) -> Result<(Command, Option<Running>)> {
        let wish = Wish::of(words, through)?;
        let behind = self.relays.then(|| echo(echoline, scratch, listen.port())).transpose()?;
        let echo = behind.as_ref().map_or(listen, |echo| echo.address);
        let file = scratch.join(format!("{}-{}.conf", self.name, listen.port()));
        let command = (self.command)(&Start { wish, listen, echo, file, scratch })?;
        Ok((command, behind))
    }

    pub(super) fn absent(&self) -> Option<String> {
        let missing = debian::missing(&self.packages.iter().collect::<Vec<_>>());
        let package = missing.first()?;
        Some(format!("{} is not installed (Debian package {})", self.name, package.name))
    }

    pub(super) fn version(&self) -> String {
        let Some((program, words)) = self.version.split_first() else {
            return "testing/Cargo.lock".to_owned();
        };
        let Some(program) = debian::find(program) else { return "not installed".to_owned() };
        let output = Command::new(program).args(words).stdin(Stdio::null()).output();
        let said = output.map(|output| [output.stdout, output.stderr].concat()).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let line = said.lines().find(|line| line.contains("version"));
        line.unwrap_or("unknown").chars().filter(|character| !character.is_control()).take(80).collect()
    }
}

/// The echo behind a relay: ours, with every limit out of the way, so that what is seen is the relay's.
fn echo(echoline: &Path, scratch: &Path, number: u16) -> Result<Running> {
    let mut command = Command::new(echoline);
    command.args(["serve", "--quiet", "--engine", "portable", "--drain", "0s"]);
    command.args(["--max-connections", "19000", "--max-connections-per-source", "0", "--min-progress", "0"]);
    command.args(["--idle-timeout", "0", "--keepalive", "0", "--user-timeout", "0", "127.0.0.1:0"]);
    let (out, log) = (scratch.join(format!("{number}.echo")), scratch.join(format!("{number}.echo.log")));
    let talk = std::fs::File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    Running::start_telling(&command, &out, &log, talk.into()).context("the echo behind the relay")
}
