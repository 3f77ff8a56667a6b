//! `connect` as a person meets it, on a pseudo-terminal.

#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::path::Path;
use std::sync::mpsc;

use rustix::process::{Pid, Signal, kill_process};

use support::hostile::Server;
use support::pty::Terminal;

const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const UP: &str = "\x1b[A";

/// On the terminal, up to the first prompt.
fn conversation(arguments: &[&str], state: &Path) -> Terminal {
    let mut terminal = Terminal::connect(arguments, state);
    terminal.wait_for("Type a line; Ctrl-D ends.\n");
    terminal.wait_for("> ");
    terminal
}

fn state() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

#[test]
fn lines_come_back_with_bytes_reads_and_time() {
    let state = state();
    let mut terminal = Terminal::connect(&[], state.path());
    terminal.wait_for("No host given: started an echo server in this process.\n");
    terminal.wait_for("Connected 127.0.0.1:");
    terminal.wait_for("Type a line; Ctrl-D ends.\n");
    terminal.wait_for("> ");
    terminal.press("hello\r");
    terminal.wait_for("\nhello            6 bytes, 1 read, ");
    terminal.wait_for(" ms\n");
    terminal.wait_for("> ");
    terminal.press("Grüße\r");
    terminal.wait_for("\nGrüße            8 bytes, 1 read, ");
    terminal.wait_for("> ");
    terminal.press("\r");
    terminal.wait_for("\n                 1 byte, 1 read, ");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    terminal.wait_for("3 lines, 15 bytes, identical. Round trip ");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(!screen.contains("closed the connection"), "{screen}");
}

#[test]
fn a_line_typed_in_one_run_is_there_in_the_next() {
    let state = state();
    for keys in ["remember me\r", &format!("{UP}\r")] {
        let mut terminal = conversation(&[], state.path());
        terminal.press(keys);
        terminal.wait_for("\nremember me      12 bytes, 1 read, ");
        terminal.wait_for("> ");
        terminal.press(CTRL_D);
        assert_eq!(terminal.end().0, Some(0));
    }
    assert!(state.path().join("echoline/history").is_file());
}

#[test]
fn a_history_that_cannot_be_kept_stops_nothing() {
    let mut terminal = conversation(&[], Path::new("/proc/no/such/place"));
    terminal.press("hello\r");
    terminal.wait_for("6 bytes, 1 read, ");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    terminal.wait_for("1 line, 6 bytes, identical.");
    assert_eq!(terminal.end().0, Some(0));
}

#[test]
fn with_crlf_the_line_has_one_byte_more() {
    let state = state();
    let mut terminal = conversation(&["-C"], state.path());
    terminal.press("hello\r");
    terminal.wait_for("\nhello            7 bytes, 1 read, ");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    assert_eq!(terminal.end().0, Some(0));
}

#[test]
fn ctrl_c_at_the_prompt_ends_with_the_summary() {
    let state = state();
    let mut terminal = conversation(&[], state.path());
    terminal.press("hello\r");
    terminal.wait_for("6 bytes, 1 read, ");
    terminal.wait_for("> ");
    terminal.press(CTRL_C);
    terminal.wait_for("Interrupted: sent 1 line, 6 bytes; received 1 line, 6 bytes. Round trip ");
    assert_eq!(terminal.end().0, Some(130));
}

#[test]
fn an_interrupt_while_waiting_ends_with_the_summary() {
    let state = state();
    let mut terminal = conversation(&["--trace", "--wait", "1h", &Server::silent().address()], state.path());
    terminal.press("hello\r");
    terminal.wait_for("send 6 bytes\n");
    kill_process(Pid::from_child(&terminal.child), Signal::INT).unwrap();
    terminal.wait_for("Interrupted: sent 1 line, 6 bytes; received nothing.\n");
    assert_eq!(terminal.end().0, Some(130));
}

#[test]
fn the_trace_shows_each_call() {
    let state = state();
    let mut terminal = Terminal::connect(&["--trace"], state.path());
    terminal.wait_for("connect(127.0.0.1:");
    terminal.wait_for("ends.\n");
    terminal.wait_for("> ");
    terminal.press("hello\r");
    terminal.wait_for("send 6 bytes\n");
    terminal.wait_for("recv(4096) -> 6 bytes\n");
    terminal.wait_for("hello            6 bytes, 1 read, ");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    terminal.wait_for("shutdown(write): our side has finished\n");
    terminal.wait_for("recv(4096) -> 0: the other side has finished\n");
    terminal.wait_for("close\n");
    assert_eq!(terminal.end().0, Some(0));
}

#[test]
fn a_reply_that_differs_is_named_under_it_and_at_the_end() {
    let state = state();
    let server = Server::replying(|text| text.replace('l', "L"));
    let mut terminal = conversation(&[&server.address()], state.path());
    terminal.press("hello\r");
    terminal.wait_for("\nheLLo            6 bytes, 1 read, ");
    terminal.wait_for("not identical: line 1, byte 3: sent 'l' (0x6c), received 'L' (0x4c)\n");
    terminal.wait_for("> ");
    terminal.press("same\r");
    terminal.wait_for("\nsame             5 bytes, 1 read, ");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    terminal.wait_for(
        "did not return what was sent: line 1, byte 3: sent 'l' (0x6c), received 'L' (0x4c)   [altered]\n",
    );
    assert_eq!(terminal.end().0, Some(1));
}

#[test]
fn what_a_server_says_cannot_act_on_the_terminal() {
    let state = state();
    let server = Server::replying(|text| format!("\x1b]0;owned\x07\x1b[31m\u{9b}2J\u{202e}{text}"));
    let mut terminal = conversation(&[&server.address()], state.path());
    terminal.press("hello\r");
    terminal.wait_for("\\x1b]0;owned\\x07\\x1b[31m\\u{9b}2J\\u{202e}hello 28 bytes, 1 read, ");
    terminal.wait_for("not identical: ");
    for hostile in ["\x1b]0;", "\x07", "\x1b[31m\u{9b}", "\u{9b}", "\u{202e}"] {
        let raw = terminal.raw();
        assert!(
            !raw.windows(hostile.len()).any(|part| part == hostile.as_bytes()),
            "{hostile:?} got through"
        );
    }
}

#[test]
fn no_reply_is_said_and_the_next_line_can_be_typed() {
    let state = state();
    let mut terminal = conversation(&["--wait", "200ms", &Server::silent().address()], state.path());
    terminal.press("hello\r");
    terminal.wait_for("\nno reply in 200 ms\n");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    terminal.wait_for("did not answer in 200 ms: 6 bytes missing from line 1, byte 1   [no-reply]\n");
    assert_eq!(terminal.end().0, Some(1));
}

#[test]
fn a_server_that_leaves_while_the_user_types_is_told_at_once() {
    let state = state();
    let (leave, left) = mpsc::channel();
    let mut terminal = conversation(&[&Server::leaving_after_one(left).address()], state.path());
    terminal.press("hello\r");
    terminal.wait_for("6 bytes, 1 read, ");
    terminal.wait_for("> ");
    terminal.press("half a li");
    terminal.wait_for("half a li");
    leave.send(()).unwrap();
    terminal.wait_for("The server closed the connection. Enter or Ctrl-D leaves.\n");
    terminal.press("\r");
    terminal.wait_for("finished while our input was still open   [closed-early]\n");
    assert_eq!(terminal.end().0, Some(1));
}

#[test]
fn a_reset_says_what_is_missing() {
    let state = state();
    let mut terminal = conversation(&[&Server::resetting().address()], state.path());
    terminal.press("hello\r");
    terminal.wait_for("the connection ended: 6 bytes missing from line 1, byte 1\n");
    terminal.wait_for("reset the connection, with 6 bytes missing from line 1, byte 1   [reset]\n");
    assert_eq!(terminal.end().0, Some(1));
}

#[test]
fn a_service_that_speaks_first_is_shown_at_once() {
    for (arguments, greeting, ending, code) in [
        (
            &[][..],
            "220 mail\\r       10 bytes, not asked for\n",
            "is no echo service: it speaks SMTP or FTP (before anything was sent: 10 bytes came that were not sent: ",
            1,
        ),
        (&["--no-verify"], "220 mail\n", "Sent nothing; received 1 line, 10 bytes.\n", 0),
    ] {
        let state = state();
        let server = Server::speaking_first("220 mail\r\n");
        let mut terminal = Terminal::connect(&[arguments, &[&server.address()]].concat(), state.path());
        terminal.wait_for(greeting);
        // Once more behind the greeting if that came while there was one.
        terminal.wait_for("> ");
        terminal.press(CTRL_D);
        terminal.wait_for(ending);
        assert_eq!(terminal.end().0, Some(code));
    }
}

#[test]
fn with_json_there_is_no_prompt_on_a_terminal() {
    let state = state();
    let mut terminal = Terminal::connect(&["--json", "-q"], state.path());
    terminal.press("hello\n");
    terminal.press(CTRL_D);
    terminal.wait_for("\"result\": \"identical\"");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0));
    assert!(!screen.contains("> "), "{screen}");
}
