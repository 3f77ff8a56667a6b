//! Labs of this user that run already: finding them, asking them, and entering them.
//!
//! Nothing is written down anywhere: a lab is found by its first process, so none is ever found that has ended.

mod control;

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags};
use rustix::thread::ThreadNameSpaceType;

use crate::change::Change;
use crate::enter;
use crate::error::LabError;
use crate::place;
use crate::watch::{Port, Watch};

pub use self::control::Control;

/// A lab that `echoline lab up` keeps running.
#[derive(Debug)]
pub struct Running {
    init: Pid,
    /// Keeps the number from meaning another process.
    process: OwnedFd,
    name: String,
    hosts: Vec<String>,
}

impl Running {
    /// The running lab of this name, or whose first process has this number; without a name, the only one.
    ///
    /// # Errors
    /// None runs, or several do and none was named.
    pub fn find(name: Option<&str>) -> Result<Self, LabError> {
        let mut found = Self::all();
        if let Some(name) = name {
            found.retain(|running| running.name == name || running.process().to_string() == name);
        }
        match (found.len(), name) {
            (1, _) => Ok(found.remove(0)),
            (0, None) => {
                Err(LabError::Misuse("no lab of yours is running: start one with `echoline lab up home`"))
            }
            (0, Some(name)) => Err(LabError::NotRunning { name: name.into(), known: names(&Self::all()) }),
            (_, None) => Err(LabError::BadChange(format!(
                "several labs are running ({}): say which with --lab",
                names(&found)
            ))),
            (_, Some(name)) => Err(LabError::BadChange(format!(
                "several labs called {name} are running: say which with --lab PROCESS ({})",
                found.iter().map(|running| running.process().to_string()).collect::<Vec<_>>().join(", ")
            ))),
        }
    }

    /// Fails if a lab of this name runs already: two could not be told apart.
    ///
    /// # Errors
    /// It runs, in which process, and how to end it.
    pub fn none_called(name: &str) -> Result<(), LabError> {
        let Some(running) = Self::all().into_iter().find(|running| running.name == name) else {
            return Ok(());
        };
        Err(LabError::Running { name: running.name.clone(), process: running.process() })
    }

    /// Every running lab of this user.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let Ok(processes) = fs::read_dir("/proc") else { return Vec::new() };
        let pids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
        let mut all: Vec<_> = pids.filter_map(Self::of_process).collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }

    fn of_process(pid: i32) -> Option<Self> {
        let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
        if !enter::is_init(&environment) {
            return None;
        }
        let init = Pid::from_raw(pid)?;
        let process = rustix::process::pidfd_open(init, PidfdFlags::empty()).ok()?;
        let mut running = Self { init, process, name: String::new(), hosts: Vec::new() };
        let mut about = running.request("about").ok()?.into_iter();
        running.name = about.next()?;
        running.hosts = about.collect();
        Some(running)
    }

    /// The number of its first process, as its user sees it.
    fn process(&self) -> i32 {
        self.init.as_raw_nonzero().get()
    }

    /// The name of its topology.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Asks the lab for something in one line, such as `change link wan cut`; returns the lines of the answer.
    fn request(&self, text: &str) -> Result<Vec<String>, LabError> {
        let mut lines = Vec::new();
        self.stream(text, |line| {
            lines.push(line.to_owned());
            true
        })?;
        Ok(lines)
    }

    /// As [`Running::request`], but hands on each line as it comes, until `take` returns false.
    fn stream(&self, text: &str, mut take: impl FnMut(&str) -> bool) -> Result<(), LabError> {
        let lost = |e| LabError::io("ask the running lab", e);
        // The way leads through the lab's own mounts, so only who may enter it can ask.
        let path = PathBuf::from(format!("/proc/{}/root{}", self.init.as_raw_nonzero(), control::SOCKET));
        let mut stream = UnixStream::connect(path).map_err(lost)?;
        writeln!(stream, "{text}").map_err(lost)?;
        for line in BufReader::new(stream).lines() {
            let line = line.map_err(lost)?;
            match line.split_at_checked(1) {
                Some((" ", line)) if !take(line) => return Ok(()),
                Some((" ", _)) => {}
                Some(("!", message)) => return Err(LabError::answered(message.trim_start())),
                _ => return Ok(()),
            }
        }
        Err(LabError::Misuse("the lab ended"))
    }

    /// Changes the lab; returns each `ip` and `nft` command that did it, by hand.
    ///
    /// # Errors
    /// What the lab said, or that it has ended.
    pub fn change(&self, change: &Change) -> Result<Vec<String>, LabError> {
        self.request(&format!("change {change}"))
    }

    /// Ends the lab, and waits until its first process is gone.
    ///
    /// # Errors
    /// The lab did not end within ten seconds.
    pub fn down(&self) -> Result<(), LabError> {
        // It may end before its answer is read; whether it ended, the process itself says.
        let asked = self.request("down");
        let mut fds = [rustix::event::PollFd::new(&self.process, rustix::event::PollFlags::IN)];
        let patience = rustix::event::Timespec { tv_sec: 10, tv_nsec: 0 };
        match rustix::event::poll(&mut fds, Some(&patience)) {
            Ok(0) => Err(asked.err().unwrap_or(LabError::Misuse("the lab did not end within 10 s"))),
            Ok(_) => Ok(()),
            Err(error) => Err(LabError::io("wait for the lab to end", error)),
        }
    }

    /// Starts a command on one of the lab's hosts, on the caller's terminal.
    ///
    /// The calling process moves into the lab for good; call it before any thread starts.
    ///
    /// # Errors
    /// No such host, or a lab that may not be entered.
    pub fn spawn(&self, host: &str, command: &mut Command) -> Result<Child, LabError> {
        if !self.hosts.iter().any(|known| known == host) {
            let known = self.hosts.join(", ");
            return Err(LabError::Unknown { what: "host", name: host.into(), known });
        }
        self.move_in(ThreadNameSpaceType::PROCESS_ID)?;
        // From here on the kernel refuses this process new threads: its children live in another pid namespace.
        place::spawn_here(host, command)
    }

    /// Hears what passes these links; without names, those at routers, or else all.
    ///
    /// The calling process moves into the lab for good; call it before any thread starts, and drop the watch once the
    /// lab [has ended](Running::has_ended): until then it keeps the lab's network.
    ///
    /// # Errors
    /// No link of that name, or a lab that may not be entered.
    pub fn watch(&self, links: &[String]) -> Result<Watch, LabError> {
        let ports = self.request(format!("ports {}", links.join(" ")).trim_end())?;
        let port = |line: &String| {
            let (link, interface) = line.split_once(' ')?;
            Some(Port { link: link.into(), interface: interface.into() })
        };
        let ports = ports.iter().filter_map(port).collect();
        self.move_in(ThreadNameSpaceType::empty())?;
        Watch::start(ports)
    }

    /// Whether the lab is gone by now.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        let mut fds = [rustix::event::PollFd::new(&self.process, rustix::event::PollFlags::IN)];
        let now = rustix::event::Timespec { tv_sec: 0, tv_nsec: 0 };
        !matches!(rustix::event::poll(&mut fds, Some(&now)), Ok(0))
    }

    /// Moves the calling thread into the lab's namespaces.
    fn move_in(&self, more: ThreadNameSpaceType) -> Result<(), LabError> {
        let mut kinds = more
            | ThreadNameSpaceType::MOUNT
            | ThreadNameSpaceType::NETWORK
            | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
            | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION;
        let user = |pid: &str| fs::read_link(format!("/proc/{pid}/ns/user")).ok();
        // From inside the lab itself, the user namespace is ours already, and the kernel refuses to enter it again.
        if user("self") != user(&self.init.as_raw_nonzero().to_string()) {
            kinds |= ThreadNameSpaceType::USER;
        }
        let directory = std::env::current_dir();
        rustix::thread::move_into_thread_name_spaces(self.process.as_fd(), kinds)
            .map_err(|e| LabError::io("enter the running lab", e))?;
        if let Ok(directory) = directory {
            // Entering mounts moves a process to their root; what lies hidden there is no reason to fail.
            let _ = std::env::set_current_dir(directory);
        }
        Ok(())
    }
}

fn names(all: &[Running]) -> String {
    if all.is_empty() {
        return "none".into();
    }
    all.iter().map(|running| running.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// A lab answers at once or is stuck.
const PATIENCE: Duration = Duration::from_secs(10);
