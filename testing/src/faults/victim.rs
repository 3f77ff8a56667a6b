//! The server under attack: a process of its own, and what it tells of itself.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process, setpriority_process};
use serde_json::Value;

use super::Engine;
use super::others::{Other, Sampler};
use crate::running::cost::{self, children};
use crate::running::{Running, free_port};

const ANSWER: Duration = Duration::from_secs(20);
/// More than the drain of a server may take.
const END: Duration = Duration::from_secs(15);

/// Which server is attacked.
#[derive(Clone, Copy)]
pub(crate) enum Subject {
    Ours(Engine),
    Other(&'static Other),
}

/// How the server is started.
pub(crate) struct Setup<'a> {
    /// Flags of `echoline serve`; other servers get what comes closest.
    pub(crate) flags: &'a [&'a str],
    pub(crate) listen: &'a str,
    /// A program that starts the server: its words, to which the server's are added.
    pub(crate) through: &'a [&'a str],
    /// Standard error; a file that can be read if there is none.
    pub(crate) talk: Option<Stdio>,
}

impl Default for Setup<'_> {
    fn default() -> Self {
        Self { flags: &[], listen: "127.0.0.1:0", through: &[], talk: None }
    }
}

pub(crate) struct Victim {
    running: Running,
    /// The server itself, whatever started it.
    pid: Pid,
    pub(crate) address: SocketAddr,
    log: PathBuf,
    is_ours: bool,
    read: RefCell<Records>,
    /// Since `watch_peak`.
    sampler: RefCell<Option<Sampler>>,
    /// The echo behind a relay.
    _behind: Option<Running>,
}

/// The log as far as it was read.
#[derive(Default)]
struct Records {
    offset: u64,
    rest: String,
}

/// Counters of the server by their names in its log.
#[derive(Debug, Default)]
pub(crate) struct Counters(BTreeMap<String, u64>);

/// How a server ended.
pub(crate) struct End {
    /// `None`: it did not.
    pub(crate) status: Option<ExitStatus>,
}

impl Victim {
    pub(crate) fn start(
        subject: Subject,
        echoline: &Path,
        scratch: &Path,
        mut setup: Setup<'_>,
    ) -> Result<Self> {
        // Unique among servers that may still be around: a port that is free now.
        let number = free_port()?;
        let log = scratch.join(format!("{number}.log"));
        let talk = match setup.talk.take() {
            Some(talk) => talk,
            None => File::create(&log).with_context(|| format!("cannot write {}", log.display()))?.into(),
        };
        let out = scratch.join(format!("{number}.out"));
        let (running, pid, behind) = match subject {
            Subject::Ours(engine) => {
                let mut command = through(setup.through, ours(echoline, engine, setup.flags));
                command.arg(setup.listen);
                let mut running = favoured(|| Running::start_telling(&command, &out, &log, talk))?;
                let leader = running.group().leader();
                let pid = if setup.through.is_empty() { leader } else { descendant(leader) };
                (running, pid, None)
            }
            Subject::Other(other) => {
                let ip = setup.listen.parse::<SocketAddr>().context("not an address to listen on")?.ip();
                let listen = SocketAddr::new(ip, number);
                let (command, behind) =
                    favoured(|| other.start(listen, setup.flags, setup.through, echoline, scratch))?;
                let command = through(setup.through, command);
                let mut running = favoured(|| Running::start_on(&command, number, &out, &log, talk))?;
                let pid = named(running.group().leader(), other.process);
                (running, pid, behind)
            }
        };
        let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).context("a process without a number")?;
        let address = running.address;
        let is_ours = matches!(subject, Subject::Ours(_));
        let (read, sampler) = Default::default();
        Ok(Self { running, pid, address, log, is_ours, read, sampler, _behind: behind })
    }

    pub(crate) fn is_ours(&self) -> bool {
        self.is_ours
    }

    pub(crate) fn pid(&self) -> Pid {
        self.pid
    }

    /// The server's own process; another server may be several.
    fn processes(&self) -> Vec<Pid> {
        let mut found = vec![self.number()];
        let mut next = 0;
        while let (false, Some(parent)) = (self.is_ours, found.get(next)) {
            found.extend(children(*parent));
            next += 1;
        }
        found.into_iter().filter_map(|pid| Pid::from_raw(i32::try_from(pid).ok()?)).collect()
    }

    fn number(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(crate) fn signal(&self, signal: Signal) -> Result<()> {
        for process in self.processes() {
            let sent = kill_process(process, signal);
            // One for a single connection may have ended meanwhile.
            if process == self.pid {
                sent.context("the server is gone")?;
            }
        }
        Ok(())
    }

    /// The numbers of its threads. A signal to one of them is that thread's before it is any other's
    /// (`complete_signal` of the kernel).
    pub(crate) fn threads(&self) -> Result<Vec<Pid>> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid)).context("the server is gone")?;
        let numbers = tasks.flatten().filter_map(|task| task.file_name().to_str()?.parse().ok());
        Ok(numbers.filter_map(Pid::from_raw).collect())
    }

    /// The server stands still until this is dropped.
    pub(crate) fn pause(&self) -> Result<Paused> {
        self.signal(Signal::STOP)?;
        let paused = Paused(self.processes());
        // The signal alone returns before the threads stand still.
        let deadline = Instant::now() + Duration::from_secs(2);
        while !paused.0.iter().all(|process| stands_still(*process)) {
            if Instant::now() > deadline {
                bail!("the server does not stop within 2 s");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(paused)
    }

    /// What the server has counted so far: it answers SIGUSR1 with a record in its log.
    pub(crate) fn counters(&self) -> Result<Counters> {
        if !self.is_ours {
            bail!("only our own server tells what it counts");
        }
        let mut records = self.read.borrow_mut();
        records.read(&self.log)?;
        self.signal(Signal::USR1)?;
        let deadline = Instant::now() + ANSWER;
        loop {
            let added = records.read(&self.log)?;
            if let Some(found) = added.iter().rev().find_map(|line| Counters::of(line)) {
                return Ok(found);
            }
            if Instant::now() > deadline {
                bail!("the server wrote no record `counters` within {} s", ANSWER.as_secs());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Waits until a counter says so; the counters then, or the last ones.
    pub(crate) fn until(&self, patience: Duration, holds: impl Fn(&Counters) -> bool) -> Result<Counters> {
        let deadline = Instant::now() + patience;
        loop {
            let counters = self.counters()?;
            if holds(&counters) || Instant::now() > deadline {
                return Ok(counters);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// All that the server has written to standard error so far.
    pub(crate) fn log(&self) -> Result<String> {
        let bytes =
            std::fs::read(&self.log).with_context(|| format!("cannot read {}", self.log.display()))?;
        String::from_utf8(bytes).context("the log is not UTF-8")
    }

    /// Resident memory now, in bytes.
    pub(crate) fn resident(&self) -> Result<u64> {
        memory_of(self.is_ours)(self.number())
    }

    /// The most resident memory since `watch_peak`, in bytes.
    pub(crate) fn peak(&self) -> Result<u64> {
        let now = self.resident()?;
        Ok(self.sampler.borrow().as_ref().map_or(now, |sampler| sampler.most().max(now)))
    }

    pub(crate) fn watch_peak(&self) {
        *self.sampler.borrow_mut() = Some(Sampler::start(self.number(), memory_of(self.is_ours)));
    }

    /// Threads, descriptors and everything else that /proc knows.
    pub(crate) fn open_files(&self) -> Result<usize> {
        let mut count = 0;
        for process in self.processes() {
            match std::fs::read_dir(format!("/proc/{process}/fd")) {
                Ok(entries) => count += entries.count(),
                // One for a single connection may have ended meanwhile.
                Err(_) if process != self.pid => {}
                Err(error) => return Err(error).context("the server is gone"),
            }
        }
        Ok(count)
    }

    pub(crate) fn processor_time(&self) -> Result<Duration> {
        cost::processor_time(self.number())
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn end(mut self) -> Result<End> {
        if !self.is_ours {
            return Ok(End { status: self.running.group().end(END)? });
        }
        let _ = kill_process(self.pid, Signal::TERM);
        self.wait()
    }

    /// How it ended, by itself or by a signal that it has already.
    pub(crate) fn wait(mut self) -> Result<End> {
        Ok(End { status: self.running.group().wait(END)? })
    }

    /// An error if it has ended.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        self.running.still_runs()
    }

    /// An error if it ends so soon: who has just lost a connection may have lost it to the server's end.
    pub(crate) fn ended_within(&mut self, patience: Duration) -> Result<()> {
        self.running.group().wait(patience)?;
        self.still_runs()
    }
}

/// Ours is one process; another server may be several that share pages.
fn memory_of(is_ours: bool) -> fn(u32) -> Result<u64> {
    if is_ours { cost::resident } else { cost::memory }
}

/// What is started meanwhile comes before other programs of this machine, if we may: they are no part of an attack.
fn favoured<T>(start: impl FnOnce() -> T) -> T {
    let raised = setpriority_process(None, -15).is_ok();
    let started = start();
    if raised {
        let _ = setpriority_process(None, 0);
    }
    started
}

fn ours(echoline: &Path, engine: Engine, flags: &[&str]) -> Command {
    let mut command = Command::new(echoline);
    command.args(["serve", "--log", "json"]);
    if !flags.contains(&"--drain") {
        command.args(["--drain", "1s"]);
    }
    if !flags.contains(&"--engine") {
        command.args(["--engine", engine.name()]);
    }
    command.args(flags);
    command
}

/// `command`, started by a program whose words come first.
fn through(words: &[&str], command: Command) -> Command {
    let Some((program, rest)) = words.split_first() else { return command };
    let mut whole = Command::new(program);
    whole.args(rest).arg(command.get_program()).args(command.get_args());
    whole
}

/// The first of this name among `leader` and what it has started in a line; the last of the line if there is none.
fn named(leader: u32, name: &str) -> u32 {
    let mut pid = leader;
    let is_it = |pid: u32| {
        std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|comm| comm.trim_end() == name)
    };
    while !is_it(pid) {
        match children(pid).first() {
            Some(child) => pid = *child,
            None => break,
        }
    }
    pid
}

/// The youngest of what `leader` has started, itself if that is nothing.
pub(crate) fn descendant(leader: u32) -> u32 {
    let mut pid = leader;
    while let Some(child) = children(pid).first() {
        pid = *child;
    }
    pid
}

/// Lets the server go on when dropped.
pub(crate) struct Paused(Vec<Pid>);

/// Whether all threads of a process are stopped: `T`, or `t` under a tracer (proc(5), `/proc/PID/stat`).
fn stands_still(process: Pid) -> bool {
    let tasks = format!("/proc/{}/task", process.as_raw_nonzero());
    let state = |task: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(task.path().join("stat")).ok()?;
        stat.rsplit_once(')')?.1.trim_start().chars().next()
    };
    std::fs::read_dir(tasks)
        .is_ok_and(|tasks| tasks.flatten().all(|task| matches!(state(task), Some('T' | 't'))))
}

impl Drop for Paused {
    fn drop(&mut self) {
        for process in &self.0 {
            let _ = kill_process(*process, Signal::CONT);
        }
    }
}

impl Records {
    /// The whole lines that were added.
    fn read(&mut self, log: &Path) -> Result<Vec<String>> {
        let mut file = File::open(log).with_context(|| format!("cannot read {}", log.display()))?;
        file.seek(SeekFrom::Start(self.offset))?;
        let mut added = String::new();
        self.offset += file.read_to_string(&mut added).context("the log is not UTF-8")? as u64;
        self.rest.push_str(&added);
        let whole = self.rest.rfind('\n').map_or(0, |at| at + 1);
        let lines = self.rest[..whole].lines().map(str::to_owned).collect();
        self.rest.drain(..whole);
        Ok(lines)
    }
}

impl fmt::Display for Counters {
    /// Those that are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = self.0.iter().filter(|(_, value)| **value > 0);
        let shown: Vec<_> = shown.map(|(key, value)| format!("{key} {value}")).collect();
        f.write_str(&shown.join(", "))
    }
}

impl Counters {
    fn of(line: &str) -> Option<Self> {
        let record: Value = serde_json::from_str(line).ok()?;
        if record.get("message")?.as_str()? != "counters" {
            return None;
        }
        let numbers =
            record.as_object()?.iter().filter_map(|(key, value)| Some((key.clone(), value.as_u64()?)));
        Some(Self(numbers.collect()))
    }

    /// An error says that the server has no such counter.
    pub(crate) fn get(&self, name: &str) -> Result<u64> {
        self.0.get(name).copied().ok_or_else(|| anyhow!("the server's log has no counter {name}"))
    }

    /// For conditions: a counter that is not there is none.
    pub(crate) fn is(&self, name: &str, holds: impl Fn(u64) -> bool) -> bool {
        self.0.get(name).is_some_and(|value| holds(*value))
    }
}
