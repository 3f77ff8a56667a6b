//! Runs the program as a user would: a child process, its standard streams, its exit code.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

pub(crate) mod hostile;
pub(crate) mod load;
#[cfg(target_os = "linux")]
pub(crate) mod ordinary;
pub(crate) mod pty;
pub(crate) mod random;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use socket2::{Domain, Socket, Type};

/// Longer than anything here takes; a test that waits so long fails instead of hanging.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// The program.
pub(crate) const ECHOLINE: &str = env!("CARGO_BIN_EXE_echoline");

/// How a program ended and what it wrote.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Ended {
    /// Standard output as text.
    pub(crate) fn out(&self) -> &str {
        std::str::from_utf8(&self.stdout).unwrap()
    }
}

/// Runs the program to its end, with nothing on standard input.
pub(crate) fn echoline(arguments: &[&str]) -> Ended {
    finish(Command::new(ECHOLINE).args(arguments), b"")
}

/// Runs a command to its end with `input` on its standard input; kills it at the deadline.
pub(crate) fn finish(command: &mut Command, input: &[u8]) -> Ended {
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
    // A program that does not read its input closes it: that is no failure of the test.
    let feeder = thread::spawn(move || drop(stdin.write_all(&input)));
    let ended = end_of(child);
    feeder.join().unwrap();
    ended
}

/// A shell script as root of namespaces of its own; what is added as arguments is `$0`, `$1` and so on there.
pub(crate) fn unshared(namespaces: &[&str], script: &str) -> Command {
    let mut command = Command::new("unshare");
    command.arg("--map-root-user").args(namespaces).args(["sh", "-c", script]);
    command
}

/// Waits for the end of a child, reading what it writes to pipes that are still ours; kills it at the deadline.
pub(crate) fn end_of(child: Child) -> Ended {
    let pid = Pid::from_child(&child);
    let (end, ended) = mpsc::channel();
    thread::spawn(move || end.send(child.wait_with_output()));
    let Ok(output) = ended.recv_timeout(DEADLINE) else {
        // Nobody else has waited for it, so the number is still its own.
        kill_process(pid, Signal::KILL).unwrap();
        panic!("the program went on after {DEADLINE:?}");
    };
    let output = output.unwrap();
    Ended {
        code: output.status.code(),
        stdout: output.stdout,
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A running `echoline serve`. Dropping it kills it.
pub(crate) struct Serving {
    child: Child,
    /// Every line it printed on standard output so far: `echo=127.0.0.1:40213`.
    pub(crate) lines: Vec<String>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    said: Vec<String>,
}

impl Serving {
    /// Starts `echoline serve` and waits for as many endpoint lines as there will be.
    pub(crate) fn start(arguments: &[&str], endpoints: usize) -> Self {
        Self::spawn(Command::new(ECHOLINE).arg("serve").args(arguments), endpoints)
    }

    /// As [`Serving::start`], with a command that was prepared.
    pub(crate) fn spawn(command: &mut Command, endpoints: usize) -> Self {
        Self::attempt(command, endpoints).unwrap_or_else(|ended| panic!("no endpoint line: {ended:?}"))
    }

    /// As [`Serving::spawn`], of a server that may end instead.
    pub(crate) fn attempt(command: &mut Command, endpoints: usize) -> Result<Self, Ended> {
        let mut child =
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (lines(child.stdout.take().unwrap()), lines(child.stderr.take().unwrap()));
        let mut serving = Self { child, lines: Vec::new(), stdout, stderr, said: Vec::new() };
        for _ in 0..endpoints {
            let Ok(line) = serving.stdout.recv_timeout(DEADLINE) else { return Err(serving.end()) };
            serving.lines.push(line);
        }
        Ok(serving)
    }

    /// One echo on an IPv4 loopback port that the system picks.
    pub(crate) fn echo(arguments: &[&str]) -> Self {
        Self::start(&[&["127.0.0.1:0"], arguments].concat(), 1)
    }

    /// The address of an endpoint line.
    pub(crate) fn address(&self, line: usize) -> SocketAddr {
        self.lines[line].trim_end().split_once('=').unwrap().1.parse().unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Stops it, and waits until all its threads stand still: a signal alone returns before that.
    pub(crate) fn stop(&self) {
        self.signal(Signal::STOP);
        let stopped = waitpid(Some(Pid::from_child(&self.child)), WaitOptions::UNTRACED);
        assert!(stopped.unwrap().is_some_and(|(_, status)| status.stopped()));
    }

    /// Waits for the next line on standard error that contains this text, and returns it.
    pub(crate) fn wait_until_it_says(&mut self, text: &str) -> &str {
        loop {
            match self.stderr.recv_timeout(DEADLINE) {
                Ok(line) => self.said.push(line),
                Err(_) => panic!("it never said {text:?}, but {:?}", self.said),
            }
            if self.said.last().is_some_and(|line| line.contains(text)) {
                return &self.said[self.said.len() - 1];
            }
        }
    }

    /// Waits for the end. `stdout` holds what came after the endpoint lines.
    pub(crate) fn end(mut self) -> Ended {
        let rest = |stream: &Receiver<String>, before: Vec<String>| {
            let mut all = before;
            loop {
                match stream.recv_timeout(DEADLINE) {
                    Ok(line) => all.push(line),
                    Err(mpsc::RecvTimeoutError::Disconnected) => return all.concat(),
                    Err(mpsc::RecvTimeoutError::Timeout) => panic!("it went on after {DEADLINE:?}: {all:?}"),
                }
            }
        };
        let said = std::mem::take(&mut self.said);
        let (stderr, stdout) = (rest(&self.stderr, said), rest(&self.stdout, Vec::new()));
        let code = self.child.wait().unwrap().code();
        Ended { code, stdout: stdout.into_bytes(), stderr }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address at which nothing listens: bound, so that nobody else takes it.
pub(crate) fn bound() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

/// A client that gives up at the deadline.
pub(crate) fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, DEADLINE).expect("a server that listens");
    stream.set_read_timeout(Some(DEADLINE)).expect("a socket option");
    stream
}

/// Sends a line and receives its copy.
pub(crate) fn assert_echoes(stream: &TcpStream) {
    let (mut output, mut copy) = (stream, String::new());
    output.write_all(b"hello\r\n").expect("a server that reads");
    BufReader::new(stream).read_line(&mut copy).expect("a copy");
    assert_eq!(copy, "hello\r\n");
}

/// The lines of a stream as they come, each with its newline.
pub(crate) fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (line_out, received) = mpsc::channel();
    thread::spawn(move || {
        let mut stream = BufReader::new(stream);
        let mut line = String::new();
        while stream.read_line(&mut line).unwrap() > 0 {
            if line_out.send(std::mem::take(&mut line)).is_err() {
                return;
            }
        }
    });
    received
}
