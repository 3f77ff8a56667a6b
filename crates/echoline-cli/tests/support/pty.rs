//! The program on a terminal: types keys, watches the screen.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::Instant;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use super::{DEADLINE, ECHOLINE};

/// A command on a pseudo-terminal (pty(7)). Dropping it kills it.
pub(crate) struct Terminal {
    pub(crate) child: Child,
    keys: File,
    output: Receiver<Vec<u8>>,
    raw: Vec<u8>,
    seen: usize,
}

impl Terminal {
    /// `echoline connect`; `state` is where the history goes.
    pub(crate) fn connect(arguments: &[&str], state: &Path) -> Self {
        Self::start(&[&["connect"], arguments].concat(), state)
    }

    pub(crate) fn start(arguments: &[&str], state: &Path) -> Self {
        let keys = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&keys).unwrap();
        unlockpt(&keys).unwrap();
        let name = ptsname(&keys, Vec::new()).unwrap().into_string().unwrap();
        let terminal = || File::options().read(true).write(true).open(&name).unwrap();
        tcsetwinsize(terminal(), Winsize { ws_row: 24, ws_col: 160, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
        let child = Command::new(ECHOLINE)
            .args(arguments)
            .env("TERM", "xterm")
            .env("XDG_STATE_HOME", state)
            .env_remove("NO_COLOR")
            .stdin(terminal())
            .stdout(terminal())
            .stderr(terminal())
            .spawn()
            .unwrap();
        let keys = File::from(keys);
        let output = pieces(keys.try_clone().unwrap());
        Self { child, keys, output, raw: Vec::new(), seen: 0 }
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until the text appears behind what was waited for before.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        loop {
            let screen = self.screen();
            if let Some(found) = screen[self.seen..].find(text) {
                self.seen += found + text.len();
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(piece) => self.raw.extend_from_slice(&piece),
                Err(_) => panic!("{text:?} never came; the screen: {screen}"),
            }
        }
    }

    /// The exit code, and everything that came to the screen.
    #[track_caller]
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        loop {
            match self.output.recv_timeout(DEADLINE) {
                Ok(piece) => self.raw.extend_from_slice(&piece),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it goes on; the screen: {}", self.screen()),
            }
        }
        (self.child.wait().unwrap().code(), self.screen())
    }

    /// Every byte that the program wrote to the terminal.
    pub(crate) fn raw(&self) -> &[u8] {
        &self.raw
    }

    /// Without styles and cursor movements.
    fn screen(&self) -> String {
        let text = String::from_utf8_lossy(&self.raw);
        anstream::adapter::strip_str(&text).to_string().replace('\r', "")
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the other side of the terminal writes, until it is closed (EIO on Linux).
fn pieces(mut terminal: File) -> Receiver<Vec<u8>> {
    let (output, received) = mpsc::channel();
    std::thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = terminal.read(&mut piece) {
            if output.send(piece[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    received
}
