//! A server that runs: pinned to its core, in a process group of its own, ended with everything it started.

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
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
    child: Child,
    pub(crate) address: SocketAddr,
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
        // A group of its own: what it forks is counted and ended with it.
        command.process_group(0).stdin(Stdio::null()).stdout(talk.try_clone()?).stderr(talk);
        let child = command.spawn().context("cannot start `taskset` (Debian package util-linux)")?;
        let mut running = Self { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)) };
        running.await_ready(&log)?;
        Ok(running)
    }

    fn await_ready(&mut self, log: &PathBuf) -> Result<()> {
        let deadline = Instant::now() + READY_DEADLINE;
        while TcpStream::connect(self.address).is_err() {
            if let Some(status) = self.child.try_wait()? {
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
        match self.child.try_wait()? {
            Some(status) => bail!("ended in the middle of it ({status})"),
            None => Ok(()),
        }
    }

    /// What the server and all that it started have cost so far.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        cost::processor_time(self.child.id())
    }

    /// The memory of the server and all that it started, in bytes.
    pub(crate) fn memory(&self) -> Result<u64> {
        cost::memory(self.child.id())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) else { return };
        // Until it is waited for, the leader keeps the number of the group from being given to others.
        let _ = kill_process_group(group, Signal::TERM);
        let deadline = Instant::now() + END_DEADLINE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(group, Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

/// A port that was free a moment ago: most of these servers cannot pick one and say which.
fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}
