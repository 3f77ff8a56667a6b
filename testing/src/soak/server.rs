//! The server under the soak: started, asked where it listens, ended, and asked what it counted.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::plan::SERVICES;
use super::watch;
use crate::running::Group;

const READY_DEADLINE: Duration = Duration::from_secs(10);
/// Longer than the server lingers at a client that does not close (5 s).
const END_DEADLINE: Duration = Duration::from_secs(15);
/// The last record of the log is looked for in this many bytes, and no more is read.
const TAIL: u64 = 1024 * 1024;

pub(super) struct Server {
    pub(super) group: Group,
    /// One a service, in the order of [`SERVICES`].
    pub(super) addresses: Vec<SocketAddr>,
    log: PathBuf,
}

/// `echoline serve` with both services, as a user would run it: nothing but the engine and the log is chosen.
pub(super) fn ours(program: &Path, engine: &str) -> Command {
    let mut command = Command::new(program);
    command.args(["serve", "--log", "json", "--engine", engine]);
    command.args(SERVICES.map(|service| format!("{service}=127.0.0.1:0")));
    command
}

impl Server {
    /// Starts `command` and returns once it has said where each service listens. No client has come by then.
    pub(super) fn start(command: &mut Command, scratch: &Path) -> Result<Self> {
        let (out, log) = (scratch.join("endpoints"), scratch.join("log"));
        let file =
            |path: &Path| File::create(path).with_context(|| format!("cannot write {}", path.display()));
        command.stdin(Stdio::null()).stdout(file(&out)?).stderr(file(&log)?);
        let group = Group::spawn(command).context("cannot start the server")?;
        let mut server = Self { group, addresses: Vec::new(), log };
        let deadline = Instant::now() + READY_DEADLINE;
        while server.addresses.len() < SERVICES.len() {
            if let Some(status) = server.group.ended()? {
                bail!("the server does not start ({status}): {}", server.said());
            }
            ensure!(Instant::now() < deadline, "the server named no endpoints: {}", server.said());
            std::thread::sleep(Duration::from_millis(5));
            server.addresses = endpoints(&std::fs::read_to_string(&out)?);
        }
        Ok(server)
    }

    /// Ends it as a user would, and returns its last record: what it has counted.
    pub(super) fn end(&mut self) -> Result<Value> {
        match self.group.end(END_DEADLINE)? {
            None => bail!("the server went on for {} s after SIGTERM", END_DEADLINE.as_secs()),
            Some(status) => ensure!(status.success(), "the server ended with {status}: {}", self.said()),
        }
        let tail = watch::tail(&self.log, TAIL)?;
        let served = |line: &str| {
            let record: Value = serde_json::from_str(line).ok()?;
            (record["message"] == "served").then_some(record)
        };
        tail.lines()
            .rev()
            .find_map(served)
            .with_context(|| format!("no last record in its log: {}", self.said()))
    }

    /// The end of its log, safe to print.
    pub(super) fn said(&self) -> String {
        let tail = watch::tail(&self.log, 400).unwrap_or_default();
        let text: String = tail.trim().chars().filter(|character| !character.is_control()).collect();
        if text.is_empty() { "it said nothing".to_owned() } else { text }
    }
}

/// The whole lines of `said` that name an endpoint (`echo=127.0.0.1:5151`), one a service.
fn endpoints(said: &str) -> Vec<SocketAddr> {
    let of = |service: &&str| {
        said.split_inclusive('\n').find_map(|line| {
            let address = line.strip_prefix(*service)?.strip_prefix('=')?.strip_suffix('\n')?;
            address.parse().ok()
        })
    };
    SERVICES.iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_is_not_whole_names_no_endpoint() {
        assert!(endpoints("echo=127.0.0.1:51").is_empty());
        let both = endpoints("echo=127.0.0.1:5151\necho-bytes=127.0.0.1:7\n");
        assert_eq!(both.iter().map(SocketAddr::port).collect::<Vec<_>>(), [5151, 7]);
    }
}
