//! Other servers under the same attacks: relays before an echo, and two small echoes on tokio.
//!
//! docs/FAULTS.md says what makes the comparison fair.

mod outside;
mod score;
mod servers;
mod sum;
mod wish;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;

use super::bench::Bench;
use super::row::{Kind, Row};
use super::run::provoke;
use super::victim::Subject;
use super::watchdog::UnderWay;
use super::{Args, Engine};
use crate::debian::{self, Package};
use crate::machine::Machine;
use crate::run;
use crate::running::Running;
use score::Score;
use wish::Wish;

pub(super) use outside::{beyond_the_limit, out_of_files};
pub(super) use servers::OTHERS;
pub(super) use sum::Sampler;

/// After so long no further row is begun: the whole takes a quarter of an hour on two cores that are ours alone.
const MOST: Duration = Duration::from_secs(30 * 60);

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
    which: Against,
    /// The name of its process, by which it is found behind whatever starts it.
    pub(crate) process: &'static str,
    packages: &'static [Package],
    /// It echoes nothing itself: an echo runs behind it.
    relays: bool,
    command: fn(&Start<'_>) -> Result<Command>,
    /// What prints its version.
    version: &'static [&'static str],
    /// Why a row says nothing about it.
    unfit: fn(u8) -> Option<&'static str>,
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

    fn absent(&self) -> Option<String> {
        let missing = debian::missing(&self.packages.iter().collect::<Vec<_>>());
        let package = missing.first()?;
        Some(format!("{} is not installed (Debian package {})", self.name, package.name))
    }

    fn version(&self) -> String {
        let Some((program, words)) = self.version.split_first() else {
            return "peers/Cargo.lock".to_owned();
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

fn chosen(args: &Args) -> impl Iterator<Item = &'static Other> {
    let all = args.against.contains(&Against::All);
    OTHERS.iter().filter(move |other| all || args.against.contains(&other.which))
}

/// Rows that mean something against any server.
pub(super) fn is_for_any(row: &Row) -> bool {
    matches!(row.kind, Kind::AnyServer(_))
}

/// Installs what is missing if that is asked for, and builds the echoes on tokio.
pub(super) fn prepare(args: &Args) -> Result<()> {
    let packages: Vec<_> = chosen(args).flat_map(|other| other.packages).collect();
    debian::provide(&packages, args.install)?;
    if chosen(args).any(|other| !other.relays) {
        run::build_peers()?;
    }
    Ok(())
}

/// Every row against every server, ours first.
pub(super) fn compare(
    args: &Args,
    rows: &[&Row],
    machine: Machine,
    bench: impl Fn(Subject) -> Bench,
    under_way: &UnderWay,
) -> Result<()> {
    let start = Instant::now();
    let engines = args.engine.map_or(vec![Engine::Portable, Engine::Uring], |engine| vec![engine]);
    let others: Vec<_> = chosen(args).collect();
    let subjects: Vec<_> = engines
        .into_iter()
        .map(Subject::Ours)
        .chain(others.iter().map(|other| Subject::Other(other)))
        .collect();
    let mut score = Score::new(machine);
    for other in &others {
        score.add_server(other.name, other.version());
    }
    for row in rows {
        for subject in &subjects {
            let bench = bench(*subject);
            under_way.is(row, &bench);
            let (unfit, absent) = match subject {
                Subject::Ours(_) => (None, None),
                Subject::Other(other) => ((other.unfit)(row.number), other.absent()),
            };
            let late = (start.elapsed() > MOST).then(|| "the time for the comparison was over".to_owned());
            let cell = match (unfit, absent.or(late)) {
                (Some(why), _) => score::unfit(row, &bench, why),
                (None, Some(why)) => score::not_shown(row, &bench, why),
                (None, None) => score::of(&bench, provoke(row, &bench)),
            };
            eprintln!("{}", cell.progress());
            score.add(cell);
        }
    }
    score.print(args.json)
}
