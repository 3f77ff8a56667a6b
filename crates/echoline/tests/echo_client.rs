//! The example, driven through pipes as a shell would.
#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;

use echoline::{Error, Socket};

/// Runs the example with this input; what it wrote, and how it ended.
fn run(input: &str) -> Output {
    // Beside this test: target/PROFILE/deps/THIS and target/PROFILE/examples/echo_client.
    let test = std::env::current_exe().unwrap();
    let example: PathBuf = test.parent().unwrap().parent().unwrap().join("examples/echo_client");
    let mut child = Command::new(&example)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{}: {error}; cargo build -p echoline --examples", example.display()));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// An echo server for one client; its port.
fn server() -> (u16, thread::JoinHandle<Result<usize, Error>>) {
    let listener = Socket::new().listen(&"127.0.0.1:0".parse().unwrap()).unwrap();
    let port = listener.local().port();
    let serve = move || {
        let mut connection = listener.accept()?;
        let mut lines = 0;
        while let Some(line) = connection.recv_line()? {
            connection.send_line(&line)?;
            lines += 1;
        }
        Ok(lines)
    };
    (port, thread::spawn(serve))
}

#[test]
fn messages_come_back_as_responses_until_an_empty_one() {
    let (port, served) = server();
    let output = run(&format!("127.0.0.1\n{port}\nhello\ntwo words \\ \u{e9}\n\nnever sent\n"));
    let expected = format!(
        "Host: Port: Connected to 127.0.0.1:{port}. An empty message ends.\n\
         Message: Response: hello\nMessage: Response: two words \\ \u{e9}\nMessage: "
    );
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert!(output.status.success());
    assert_eq!(served.join().unwrap().unwrap(), 2);
}

#[test]
fn it_asks_again_for_a_blank_host_and_a_port_out_of_range() {
    let (port, served) = server();
    let output = run(&format!("\n  \n1.2.3.256\nlocalhost\nhttp\n70000\n-1\n\n{port}\n\n"));
    let expected = format!(
        "Host: the host is missing\nHost: the host is missing\nHost: 256 in 1.2.3.256 is above 255\nHost: \
         Port: port http is no number\nPort: port 70000 is above 65535\nPort: port -1 is below 0\n\
         Port: the port is missing\nPort: Connected to localhost:{port}. An empty message ends.\nMessage: "
    );
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
    assert!(output.status.success());
    assert_eq!(served.join().unwrap().unwrap(), 0);
}

#[test]
fn a_response_cannot_steer_the_terminal() {
    let (port, served) = server();
    let output = run(&format!("127.0.0.1\n{port}\nred \x1b[31m\n\n"));
    assert!(String::from_utf8(output.stdout).unwrap().contains("Response: red \\x1b[31m\n"));
    served.join().unwrap().unwrap();
}

#[test]
fn a_refusal_says_what_to_do_and_fails() {
    // A port that is bound but does not listen refuses, and nobody else can take it meanwhile.
    let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    bound.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    let port = bound.local_addr().unwrap().as_socket().unwrap().port();
    let output = run(&format!("127.0.0.1\n{port}\n"));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(
        said.starts_with(&format!("127.0.0.1:{port} refused the connection\nTry this: start the server")),
        "{said}"
    );
    assert!(!output.status.success());
}

#[test]
fn the_end_of_input_at_a_prompt_ends_it() {
    let output = run("localhost\n");
    assert_eq!(output.stdout, b"Host: Port: ");
    assert!(output.status.success());
}
