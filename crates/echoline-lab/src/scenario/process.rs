//! A command of a scenario: its output as it comes, and its end.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal};

use crate::enter::code_of;
use crate::error::LabError;
use crate::lab::Lab;

/// As much output as a scenario can look at.
const MOST_OUTPUT: usize = 1 << 20;

/// A shell command on a host, with what it has printed so far.
pub(super) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    output: Arc<Output>,
}

#[derive(Default)]
struct Output {
    so_far: Mutex<SoFar>,
    more: Condvar,
}

#[derive(Default)]
struct SoFar {
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    /// How many of the two streams have ended.
    ended: u8,
}

impl Process {
    pub(super) fn start(lab: &Lab, on: &str, command: &str) -> Result<Self, LabError> {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).process_group(0);
        shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = lab.spawn(on, &mut shell)?;
        let output = Arc::new(Output::default());
        if let Some(stdout) = child.stdout.take() {
            follow(stdout, &output, |so_far| &mut so_far.stdout)?;
        }
        if let Some(stderr) = child.stderr.take() {
            follow(stderr, &output, |so_far| &mut so_far.stderr)?;
        }
        Ok(Self { stdin: child.stdin.take(), child, output })
    }

    /// Writes to its standard input. One that no longer reads shows it by its end.
    pub(super) fn send(&mut self, text: &str) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(text.as_bytes()).and_then(|()| stdin.flush());
        }
    }

    pub(super) fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Standard output and standard error so far, for a person.
    pub(super) fn text(&self) -> (String, String) {
        let so_far = self.so_far();
        (readable(&so_far.stdout), readable(&so_far.stderr))
    }

    /// Waits until this holds of standard output, or the deadline passes, or the output ends.
    pub(super) fn wait_for(&self, deadline: Instant, holds: impl Fn(&[u8]) -> bool) -> bool {
        let mut so_far = self.so_far();
        loop {
            if holds(&so_far.stdout) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || so_far.ended == 2 {
                return false;
            }
            so_far = self.output.more.wait_timeout(so_far, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits until its output has ended and then itself; `None` if the deadline passes first.
    pub(super) fn wait(&mut self, deadline: Instant) -> Option<i32> {
        let mut so_far = self.output.so_far.lock().unwrap_or_else(PoisonError::into_inner);
        while so_far.ended < 2 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            so_far = self.output.more.wait_timeout(so_far, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        drop(so_far);
        // A process that closed its output has little left to do; look rather than block for ever.
        while Instant::now() < deadline {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(code_of(status)),
                Ok(None) => thread::sleep(Duration::from_millis(2)),
                Err(_) => return None,
            }
        }
        None
    }

    fn so_far(&self) -> MutexGuard<'_, SoFar> {
        self.output.so_far.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The shell and all that it started: they share a group of their own.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = rustix::process::kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

fn follow(
    mut stream: impl Read + Send + 'static,
    output: &Arc<Output>,
    kept: fn(&mut SoFar) -> &mut Vec<u8>,
) -> Result<(), LabError> {
    let output = Arc::clone(output);
    let read = move || {
        let mut buffer = [0; 8192];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            let mut so_far = output.so_far.lock().unwrap_or_else(PoisonError::into_inner);
            let kept = kept(&mut so_far);
            let room = MOST_OUTPUT - kept.len();
            kept.extend(&buffer[..length.min(room)]);
            output.more.notify_all();
        }
        output.so_far.lock().unwrap_or_else(PoisonError::into_inner).ended += 1;
        output.more.notify_all();
    };
    let started = thread::Builder::new().name("output".into()).spawn(read);
    started.map(drop).map_err(|e| LabError::io("start a thread that reads a command's output", e))
}

/// Bytes for a person: what is no text is escaped.
fn readable(bytes: &[u8]) -> String {
    let chunks = bytes.utf8_chunks();
    chunks.map(|chunk| format!("{}{}", chunk.valid(), chunk.invalid().escape_ascii())).collect()
}
