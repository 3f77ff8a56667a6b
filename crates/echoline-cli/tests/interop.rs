//! Programs that we did not write, at both ends.

#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread;

use echoline_testing::{have, skip};
use rustix::process::{Pid, Signal, kill_process_group};

use support::random::random_lines;
use support::{ECHOLINE, Ended, Serving, finish};

/// More than every buffer on the way: each side has to read while it writes.
const MUCH: usize = 8 << 20;

/// Sends `input` through a client that ends its output at the end of its input, and compares what it prints.
#[track_caller]
fn assert_returns(command: &mut Command, input: &[u8]) {
    let ended = finish(command, input);
    assert_eq!(ended.code, Some(0), "{command:?}: {}", ended.stderr);
    assert!(
        ended.stdout == input,
        "{command:?} sent {} bytes and got {} others",
        input.len(),
        ended.stdout.len()
    );
}

/// A short conversation and a long one; neither is text, and neither ends with a newline.
#[track_caller]
fn assert_client_is_served(client: impl Fn(SocketAddr) -> Command) {
    let serving = Serving::echo(&[]);
    assert_returns(&mut client(serving.address(0)), b"hello\r\n\0\xff\n\nunfinished");
    assert_returns(&mut client(serving.address(0)), &random_lines(1, MUCH));
}

#[test]
fn ncat_gets_its_bytes_back_from_our_server() {
    if !have("ncat") {
        return skip("ncat_gets_its_bytes_back_from_our_server", "ncat");
    }
    assert_client_is_served(|address| {
        let mut ncat = Command::new("ncat");
        ncat.args([address.ip().to_string(), address.port().to_string()]);
        ncat
    });
}

#[test]
fn openbsd_nc_gets_its_bytes_back_from_our_server() {
    if !have("nc.openbsd") {
        return skip("openbsd_nc_gets_its_bytes_back_from_our_server", "netcat-openbsd");
    }
    assert_client_is_served(|address| {
        let mut nc = Command::new("nc.openbsd");
        // -N: finish the output at the end of input.
        nc.args(["-N", &address.ip().to_string(), &address.port().to_string()]);
        nc
    });
}

#[test]
fn socat_gets_its_bytes_back_from_our_server() {
    if !have("socat") {
        return skip("socat_gets_its_bytes_back_from_our_server", "socat");
    }
    assert_client_is_served(|address| {
        let mut socat = Command::new("socat");
        // -t: after one side has ended, how long the other may take; half a second unless told.
        socat.args(["-t", "20", "-", &format!("TCP:{address}")]);
        socat
    });
}

/// The server that sends a line back in pieces would show these clients only the first piece.
const ONE_RECV_A_LINE: &str = "
import socket, sys
client = socket.create_connection((sys.argv[1], int(sys.argv[2])))
for text in ['hello', '', 'x' * 1000, 'Gr\u{fc}\u{df}e']:
    client.send((text + '\\r\\n').encode())
    reply = client.recv(4096)
    assert reply == (text + '\\r\\n').encode(), reply
client.shutdown(socket.SHUT_WR)
assert client.recv(4096) == b''
";

const MAKEFILE: &str = "
import socket, sys
client = socket.create_connection((sys.argv[1], int(sys.argv[2])))
lines = client.makefile('rw', encoding='utf-8', newline='\\n')
for number in range(1000):
    text = f'line {number} ' + '\u{e9}' * (number % 50) + '\\n'
    lines.write(text)
    lines.flush()
    reply = lines.readline()
    assert reply == text, (text, reply)
lines.close()
client.close()
";

#[track_caller]
fn assert_python_is_served(script: &str) {
    let serving = Serving::echo(&[]);
    let address = serving.address(0);
    let mut python = Command::new("python3");
    python.args(["-c", script, &address.ip().to_string(), &address.port().to_string()]);
    let ended = finish(&mut python, b"");
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
}

#[test]
fn a_python_client_that_receives_once_a_line_gets_whole_lines() {
    if !have("python3") {
        return skip("a_python_client_that_receives_once_a_line_gets_whole_lines", "python3");
    }
    assert_python_is_served(ONE_RECV_A_LINE);
}

#[test]
fn a_python_client_with_makefile_gets_its_lines() {
    if !have("python3") {
        return skip("a_python_client_with_makefile_gets_its_lines", "python3");
    }
    assert_python_is_served(MAKEFILE);
}

/// Another program's server. Dropping it ends it and what it started.
struct Foreign {
    child: Child,
    address: String,
}

impl Foreign {
    /// Starts it and waits for the line on `stdout` or `stderr` that holds its port behind `before_port`.
    fn start(command: &mut Command, before_port: &str, on_stdout: bool) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let said: Box<dyn Read> = if on_stdout {
            Box::new(child.stdout.take().unwrap())
        } else {
            Box::new(child.stderr.take().unwrap())
        };
        let mut lines = BufReader::new(said).lines();
        let line =
            lines.find_map(|line| Some(line.unwrap()).filter(|line| line.contains(before_port))).unwrap();
        let (_, port) = line.rsplit_once(before_port).unwrap();
        Self { child, address: format!("127.0.0.1:{}", port.trim()) }
    }

    /// Our client sends this and more, and everything comes back.
    #[track_caller]
    fn assert_echoes(&self, input: &[u8]) {
        let ended: Ended = finish(Command::new(ECHOLINE).args(["connect", &self.address]), input);
        assert_eq!((ended.stdout == input, ended.code), (true, Some(0)), "{}", ended.stderr);
        assert!(ended.stderr.contains(", identical"), "{}", ended.stderr);
    }
}

impl Foreign {
    /// As `assert_echoes`, for a server that stops at the end of our input and forgets what it still has to say, as
    /// `ncat -c` does with every client: the input stays open until all is back.
    ///
    /// Ncat writes to its command without reading from it meanwhile, so with more under way than the two pipes hold
    /// (64 KiB each, pipe(7)) both wait for ever: the window stays below that.
    #[track_caller]
    fn assert_echoes_while_open(&self, input: &[u8]) {
        let mut child = Command::new(ECHOLINE)
            .args(["connect", "-q", "--window", "32KiB", &self.address])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut back = vec![0; input.len()];
        thread::scope(|scope| {
            scope.spawn(|| stdin.write_all(input).unwrap());
            stdout.read_exact(&mut back).unwrap();
        });
        drop(stdin);
        assert_eq!((back == input, child.wait().unwrap().code()), (true, Some(0)));
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        // The group, which the child leads: Ncat serves each client from a process of its own.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

const SOCKETSERVER: &str = "
import socketserver
class Echo(socketserver.StreamRequestHandler):
    def handle(self):
        for line in self.rfile:
            self.wfile.write(line)
with socketserver.ThreadingTCPServer(('127.0.0.1', 0), Echo) as server:
    server.daemon_threads = True
    print('port', server.server_address[1], flush=True)
    server.serve_forever()
";

#[test]
fn our_client_gets_its_bytes_back_from_a_python_socketserver() {
    if !have("python3") {
        return skip("our_client_gets_its_bytes_back_from_a_python_socketserver", "python3");
    }
    let server = Foreign::start(Command::new("python3").args(["-c", SOCKETSERVER]), "port ", true);
    server.assert_echoes(b"hello\r\n\0\xff\n\nunfinished");
    server.assert_echoes(&random_lines(2, MUCH));
}

#[test]
fn our_client_gets_its_bytes_back_from_socat() {
    if !have("socat") {
        return skip("our_client_gets_its_bytes_back_from_socat", "socat");
    }
    let mut socat = Command::new("socat");
    socat.args(["-d", "-d", "-t", "20", "TCP-LISTEN:0,bind=127.0.0.1,fork", "EXEC:cat"]);
    let server = Foreign::start(&mut socat, "listening on AF=2 127.0.0.1:", false);
    server.assert_echoes(b"hello\r\n\0\xff\n\nunfinished");
    server.assert_echoes(&random_lines(3, MUCH));
}

#[test]
fn our_client_gets_its_bytes_back_from_ncat() {
    if !have("ncat") {
        return skip("our_client_gets_its_bytes_back_from_ncat", "ncat");
    }
    // Ncat does not tell which port it got for 0: pick one on a loopback address of this process's own.
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    let own = Ipv4Addr::new(127, high | 2, middle, low);
    let port = TcpListener::bind((own, 0)).unwrap().local_addr().unwrap().port();
    let mut ncat = Command::new("ncat");
    ncat.args(["-v", "-l", "-k", "-c", "cat", &own.to_string(), &port.to_string()]);
    let mut server = Foreign::start(&mut ncat, &format!("Listening on {own}:"), false);
    server.address = format!("{own}:{port}");
    server.assert_echoes_while_open(b"hello\r\n\0\xff\n\nunfinished");
    // Each window waits for a delayed acknowledgement, so an eighth is enough to wait for.
    server.assert_echoes_while_open(&random_lines(4, MUCH / 8));
}
