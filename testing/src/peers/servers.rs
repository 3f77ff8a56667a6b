//! Every contender: how it is started, and which package brings it.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use xtask_tools::debian::{self, Package};

use super::workload::Workload;

/// Where the programs that we built stand, and where a server may write.
pub(crate) struct Places {
    pub(crate) ours: PathBuf,
    pub(crate) peers: PathBuf,
    pub(crate) sources: PathBuf,
    pub(crate) scratch: PathBuf,
}

/// One echo server.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    /// The Debian package of a program that is not ours.
    pub(crate) package: Option<Package>,
    /// How many silent connections it gets: 10,000, or what its files or processes allow.
    pub(crate) silent: usize,
    pub(crate) command: fn(&Places, u16) -> Result<Command>,
}

/// Enough to see what a process for each connection costs.
const A_PROCESS_EACH: usize = 500;

pub(crate) const FLOOR: &str = "floor";
/// What ratios are given against.
pub(crate) const REFERENCE: &str = "tokio-bytes";

pub(crate) const SERVERS: &[Server] = &[
    Server {
        name: "echoline-uring",
        package: None,
        silent: 10_000,
        command: |at, port| Ok(ours(at, "uring", port)),
    },
    Server {
        name: "echoline-portable",
        package: None,
        silent: 10_000,
        command: |at, port| Ok(ours(at, "portable", port)),
    },
    Server {
        name: REFERENCE,
        package: None,
        silent: 10_000,
        command: |at, port| Ok(built(at, "tokio-bytes", port)),
    },
    Server {
        name: "tokio-lines",
        package: None,
        silent: 10_000,
        command: |at, port| Ok(built(at, "tokio-lines", port)),
    },
    Server {
        name: "go",
        package: Some(Package { name: "golang-go", program: "go", needed_by: "the Go echo" }),
        // `io.Copy` splices: a pipe a connection, so three open files.
        silent: 5_000,
        command: |at, port| Ok(built(at, "go-echo", port)),
    },
    Server {
        name: "python-asyncio",
        package: Some(Package { name: "python3", program: "python3", needed_by: "the asyncio echo" }),
        silent: 10_000,
        command: |at, port| {
            let mut python = program("python3");
            python.arg(at.sources.join("asyncio_echo.py")).arg(here(port));
            Ok(python)
        },
    },
    Server {
        name: "socat-fork",
        package: Some(Package { name: "socat", program: "socat", needed_by: "socat as a server" }),
        silent: A_PROCESS_EACH,
        command: |_, port| {
            let listen = format!("TCP4-LISTEN:{port},bind=127.0.0.1,reuseaddr,fork,nodelay,backlog=4096");
            let mut socat = program("socat");
            socat.args([&listen, "PIPE"]);
            Ok(socat)
        },
    },
    Server {
        name: "ncat-exec-cat",
        package: Some(Package { name: "ncat", program: "ncat", needed_by: "ncat as a server" }),
        silent: A_PROCESS_EACH,
        command: |_, port| {
            let mut ncat = program("ncat");
            ncat.args(["--listen", "--keep-open", "--max-conns", "4096", "--exec", "/bin/cat", "127.0.0.1"]);
            ncat.arg(port.to_string());
            Ok(ncat)
        },
    },
    Server {
        name: "xinetd-internal",
        package: Some(Package { name: "xinetd", program: "xinetd", needed_by: "xinetd's internal echo" }),
        silent: A_PROCESS_EACH,
        command: xinetd,
    },
];

impl Server {
    /// Why this server cannot take part, if it cannot.
    pub(crate) fn absent(&self) -> Option<String> {
        let package = self.package.as_ref()?;
        debian::find(package.program)
            .is_none()
            .then(|| format!("{} is not installed (Debian package {})", package.program, package.name))
    }

    /// Why it is not asked to do `workload`, where asking makes no sense.
    pub(crate) fn unfit(&self, workload: Workload) -> Option<&'static str> {
        (self.silent == A_PROCESS_EACH && workload == Workload::Many)
            .then_some("a process a connection: 2,000 are not asked of it")
    }
}

fn ours(at: &Places, engine: &str, port: u16) -> Command {
    let mut command = Command::new(&at.ours);
    // One core, one worker; the limits let the silent workload in, which all comes from one address.
    command.args(["serve", "--quiet", "--threads", "1", "--engine", engine]);
    command.args(["--max-connections", "20000", "--max-connections-per-source", "0"]);
    command.arg(here(port));
    command
}

fn built(at: &Places, name: &str, port: u16) -> Command {
    let mut command = Command::new(at.peers.join(name));
    command.arg(here(port));
    command
}

fn xinetd(at: &Places, port: u16) -> Result<Command> {
    let file = at.scratch.join(format!("xinetd-{port}.conf"));
    let config = format!(
        "defaults\n{{\n instances = UNLIMITED\n per_source = UNLIMITED\n cps = 1000000 1\n log_type = FILE /dev/null\n}}\n\
         service echo\n{{\n type = INTERNAL UNLISTED\n id = echo-stream\n socket_type = stream\n protocol = tcp\n\
         user = {}\n wait = no\n port = {port}\n bind = 127.0.0.1\n disable = no\n}}\n",
        rustix::process::geteuid().as_raw()
    );
    std::fs::write(&file, config).with_context(|| format!("cannot write {}", file.display()))?;
    let mut command = program("xinetd");
    command.args(["-dontfork", "-f"]).arg(&file);
    command.arg("-pidfile").arg(at.scratch.join(format!("xinetd-{port}.pid")));
    Ok(command)
}

fn program(name: &str) -> Command {
    Command::new(debian::find(name).unwrap_or_else(|| name.into()))
}

fn here(port: u16) -> String {
    format!("127.0.0.1:{port}")
}
