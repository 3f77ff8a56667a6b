//! A server that runs: pinned to its core, in a process group of its own, ended with everything it started.

pub(crate) mod cost;

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process_group, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity};

const READY_DEADLINE: Duration = Duration::from_secs(60);
const END_DEADLINE: Duration = Duration::from_secs(2);

/// The processors of a server and of whoever loads it, by their numbers.
#[derive(Clone, Copy)]
pub(crate) struct Cores {
    pub(crate) server: usize,
    pub(crate) load: usize,
}

pub(crate) struct Running {
    group: Group,
    pub(crate) address: SocketAddr,
}

/// A process and what it starts. Dropping it ends all of them.
pub(crate) struct Group {
    leader: Child,
    /// Set once the leader was waited for: from then on its number may be somebody else's.
    ended: Option<ExitStatus>,
}

/// The first two that this process might use when it first asked, before it moved to one of them. Whoever has one only
/// shares it.
pub(crate) fn cores() -> Cores {
    static FOUND: OnceLock<Cores> = OnceLock::new();
    *FOUND.get_or_init(|| {
        let mine = sched_getaffinity(None).unwrap_or_else(|_| CpuSet::new());
        let mut usable = (0..CpuSet::MAX_CPU).filter(|core| mine.is_set(*core));
        let server = usable.next().unwrap_or(0);
        Cores { server, load: usable.next().unwrap_or(server) }
    })
}

impl Group {
    /// Starts `command` as the leader of a group of its own: what it forks is counted and ended with it.
    pub(crate) fn spawn(command: &mut Command) -> std::io::Result<Self> {
        Ok(Self { leader: command.process_group(0).spawn()?, ended: None })
    }

    pub(crate) fn leader(&self) -> u32 {
        self.leader.id()
    }

    /// How the leader ended, if it has.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>> {
        if self.ended.is_none() {
            self.ended = self.leader.try_wait()?;
        }
        Ok(self.ended)
    }

    /// Asks the group to end and waits for its leader, at most `patience`.
    pub(crate) fn end(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        self.signal(Signal::TERM);
        self.wait(patience)
    }

    /// How the leader ended, if it does within `patience`.
    pub(crate) fn wait(&mut self, patience: Duration) -> Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        while self.ended()?.is_none() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(self.ended)
    }

    /// Until it is waited for, the leader keeps the number of the group from being given to others.
    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.leader.id()).ok().and_then(Pid::from_raw);
        if let (None, Some(group)) = (self.ended, group) {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !matches!(self.end(END_DEADLINE), Ok(Some(_))) {
            self.signal(Signal::KILL);
            let _ = self.leader.wait();
        }
    }
}

/// `command`, with its directory and environment, pinned to `core`.
pub(crate) fn pinned(command: &Command, cores: &[usize]) -> Command {
    let cores: Vec<_> = cores.iter().map(usize::to_string).collect();
    let mut taskset = Command::new("taskset");
    taskset.args(["--cpu-list", &cores.join(",")]).arg(command.get_program()).args(command.get_args());
    if let Some(directory) = command.get_current_dir() {
        taskset.current_dir(directory);
    }
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => taskset.env(name, value),
            None => taskset.env_remove(name),
        };
    }
    taskset
}

impl Running {
    /// Starts a server that was told to listen on `port`, and returns once it accepts.
    pub(crate) fn start(name: &str, command: &Command, port: u16, scratch: &Path) -> Result<Self> {
        let log = scratch.join(format!("{name}-{port}.log"));
        let talk = create(&log)?;
        Self::start_at(command, port, talk.try_clone()?.into(), &log, talk.into())
    }

    /// As `start`, where what it says on standard output goes to the file `out`, and on standard error to `talk`.
    pub(crate) fn start_on(
        command: &Command,
        port: u16,
        out: &Path,
        log: &Path,
        talk: Stdio,
    ) -> Result<Self> {
        Self::start_at(command, port, create(out)?.into(), log, talk)
    }

    fn start_at(command: &Command, port: u16, out: Stdio, log: &Path, talk: Stdio) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut running = Self::spawn(command, out, talk, address)?;
        running.ready(log, || TcpStream::connect(address).is_ok().then_some(address))?;
        Ok(running)
    }

    /// Starts a server that picks its port, and returns once it has said on standard output which, as
    /// `echo=127.0.0.1:5151`. What it says on standard error goes to `talk`.
    pub(crate) fn start_telling(command: &Command, out: &Path, log: &Path, talk: Stdio) -> Result<Self> {
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut running = Self::spawn(command, create(out)?.into(), talk, nowhere)?;
        running.address = running.ready(log, || {
            let said = std::fs::read_to_string(out).ok()?;
            said.lines().next()?.split_once('=')?.1.parse().ok()
        })?;
        Ok(running)
    }

    fn spawn(command: &Command, out: Stdio, talk: Stdio, address: SocketAddr) -> Result<Self> {
        let mut command = pinned(command, &[cores().server]);
        command.stdin(Stdio::null()).stdout(out).stderr(talk);
        let group =
            Group::spawn(&mut command).context("cannot start `taskset` (Debian package util-linux)")?;
        Ok(Self { group, address })
    }

    /// Waits until `look` finds the server ready; an error says what it wrote before it gave up.
    fn ready<T>(&mut self, log: &Path, look: impl Fn() -> Option<T>) -> Result<T> {
        let deadline = Instant::now() + READY_DEADLINE;
        loop {
            if let Some(found) = look() {
                return Ok(found);
            }
            if let Some(status) = self.group.ended()? {
                let said = std::fs::read(log).unwrap_or_default();
                bail!("does not start here ({status}): {}", first_line(&said));
            }
            if Instant::now() > deadline {
                bail!("was not ready within {} s", READY_DEADLINE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn group(&mut self) -> &mut Group {
        &mut self.group
    }

    /// An error if the server has ended: figures of a dead one are none.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        match self.group.ended()? {
            Some(status) => bail!("ended in the middle of it ({status})"),
            None => Ok(()),
        }
    }

    /// What the server and all that it started have cost so far.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        cost::processor_time(self.group.leader())
    }

    /// The memory of the server and all that it started, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        cost::memory(self.group.leader())
    }
}

fn create(file: &Path) -> Result<File> {
    File::create(file).with_context(|| format!("cannot write {}", file.display()))
}

/// As many open files as this user may have, for us and for every server that we start.
pub(crate) fn raise_open_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("cannot raise the limit of open files to its hard limit")
}

/// The first line that says something, safe to print.
pub(crate) fn first_line(talk: &[u8]) -> String {
    let talk = String::from_utf8_lossy(talk);
    let first = talk.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    first.chars().filter(|character| !character.is_control()).collect()
}

/// A port that was free a moment ago: most of these servers cannot pick one and say which.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}
