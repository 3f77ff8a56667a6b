//! The README's first command, as somebody meets it: in a fresh clone, on a terminal and through a pipe.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::run;

const COMMAND: &str = "cargo run --release -- connect";
/// From nothing to the prompt, the build included. The goal is 2 minutes on two idle cores.
const BUILD_DEADLINE: Duration = Duration::from_secs(300);
const ANSWER_DEADLINE: Duration = Duration::from_secs(10);

pub(crate) fn check() -> Result<()> {
    let scratch = tempfile::tempdir().context("cannot make a directory for the clone")?;
    let clone = scratch.path().join("echoline");
    // The commit, not the working tree: a file that was never added must be missed.
    run::shown(Command::new("git").args(["clone", "--quiet"]).arg(run::root()).arg(&clone))?;
    let start = Instant::now();
    on_a_terminal(&clone, start)?;
    through_a_pipe(&clone)
}

fn on_a_terminal(clone: &Path, start: Instant) -> Result<()> {
    // `script` gives the command a terminal of its own.
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", COMMAND, "/dev/null"]);
    let mut terminal = Terminal::start(&mut script, clone)?;
    terminal.wait_for("> ", BUILD_DEADLINE)?;
    eprintln!("{COMMAND}: at its prompt after {:.0} s, the build included", start.elapsed().as_secs_f64());
    terminal.send(b"hello\r")?;
    terminal.wait_for("6 bytes", ANSWER_DEADLINE)?;
    terminal.send(b"\x04")?;
    terminal.wait_for("identical", ANSWER_DEADLINE)?;
    terminal.end()
}

fn through_a_pipe(clone: &Path) -> Result<()> {
    let mut words = COMMAND.split(' ');
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words).current_dir(clone).env_remove("CARGO_TARGET_DIR");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start `{COMMAND}`"))?;
    // Dropping the handle is the end of input.
    child.stdin.take().context("no stdin")?.write_all(b"hello\r\n\n")?;
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "`printf 'hello\\r\\n\\n' | {COMMAND}` failed ({})", output.status);
    ensure!(
        output.stdout == b"hello\r\n\n",
        "`printf 'hello\\r\\n\\n' | {COMMAND}` wrote {:?} to stdout: not what was sent",
        String::from_utf8_lossy(&output.stdout)
    );
    eprintln!("{COMMAND}: identical through a pipe");
    Ok(())
}

/// A child on a terminal, and what it has written so far.
struct Terminal {
    child: Child,
    output: Receiver<Vec<u8>>,
    seen: Vec<u8>,
    /// How much of `seen` an earlier wait has used up.
    used: usize,
}

impl Terminal {
    fn start(command: &mut Command, directory: &Path) -> Result<Self> {
        let mut child = command
            .current_dir(directory)
            .env_remove("CARGO_TARGET_DIR")
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start `script` (Debian package bsdutils)")?;
        let mut stdout = child.stdout.take().context("no stdout")?;
        let (sender, output) = mpsc::channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(count @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, output, seen: Vec::new(), used: 0 })
    }

    fn wait_for(&mut self, wanted: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            let fresh = &self.seen[self.used..];
            if let Some(at) = fresh.windows(wanted.len()).position(|window| window == wanted.as_bytes()) {
                self.used += at + wanted.len();
                return Ok(());
            }
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.extend(bytes),
                Err(_) => bail!(
                    "`{COMMAND}` did not show {wanted:?} within {} s; it wrote:\n{}",
                    limit.as_secs(),
                    String::from_utf8_lossy(&self.seen).escape_debug()
                ),
            }
        }
    }

    fn send(&mut self, keys: &[u8]) -> Result<()> {
        let stdin = self.child.stdin.as_mut().context("stdin is closed")?;
        stdin.write_all(keys)?;
        Ok(stdin.flush()?)
    }

    fn end(mut self) -> Result<()> {
        let deadline = Instant::now() + ANSWER_DEADLINE;
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "`{COMMAND}` did not end after Ctrl-D");
            std::thread::sleep(Duration::from_millis(20));
        }
        let status = self.child.wait()?;
        ensure!(status.success(), "`{COMMAND}` ended with {status} after Ctrl-D");
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // A no-op for a child that has ended; else nothing of ours stays behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_shows_what_the_command_wrote_and_takes_what_is_typed() {
        if crate::debian::find("script").is_none() {
            return echoline_testing::skip(
                "a_terminal_shows_what_the_command_wrote_and_takes_what_is_typed",
                "script",
            );
        }
        let mut script = Command::new("script");
        script.args([
            "--quiet",
            "--return",
            "--command",
            "sh -c 'printf \"> \"; read word; echo got $word'",
            "/dev/null",
        ]);
        let mut terminal = Terminal::start(&mut script, Path::new("/")).expect("script starts");
        terminal.wait_for("> ", ANSWER_DEADLINE).expect("the prompt");
        terminal.send(b"hello\r").expect("typed");
        terminal.wait_for("got hello", ANSWER_DEADLINE).expect("the answer");
        terminal.end().expect("exit code 0");
    }
}
