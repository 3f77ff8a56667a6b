//! A server that runs: pinned to its core, in a process group of its own, ended with everything it started.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use super::cost;
use super::load::first_line;
use super::servers::{Places, Server};

pub(crate) const SERVER_CORE: &str = "0";
pub(crate) const LOAD_CORE: &str = "1";
const READY_DEADLINE: Duration = Duration::from_secs(10);
const END_DEADLINE: Duration = Duration::from_secs(2);

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

/// `command`, pinned to `core`.
pub(crate) fn pinned(command: &Command, core: &str) -> Command {
    let mut taskset = Command::new("taskset");
    taskset.args(["--cpu-list", core]).arg(command.get_program()).args(command.get_args());
    taskset
}

impl Running {
    /// Starts `server` and returns once it accepts; an error says what it wrote before it gave up.
    pub(crate) fn start(server: &Server, places: &Places) -> Result<Self> {
        let port = free_port()?;
        let log = places.scratch.join(format!("{}-{port}.log", server.name));
        let talk = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = pinned(&(server.command)(places, port)?, SERVER_CORE);
        command.stdin(Stdio::null()).stdout(talk.try_clone()?).stderr(talk);
        let group =
            Group::spawn(&mut command).context("cannot start `taskset` (Debian package util-linux)")?;
        let mut running = Self { group, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) };
        running.await_ready(&log)?;
        Ok(running)
    }

    fn await_ready(&mut self, log: &PathBuf) -> Result<()> {
        let deadline = Instant::now() + READY_DEADLINE;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.group.ended()? {
                let said = std::fs::read(log).unwrap_or_default();
                bail!("does not start here ({status}): {}", first_line(&said));
            }
            if Instant::now() > deadline {
                bail!("accepted nobody on {} within {} s", self.address, READY_DEADLINE.as_secs());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
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

/// A port that was free a moment ago: most of these servers cannot pick one and say which.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}
