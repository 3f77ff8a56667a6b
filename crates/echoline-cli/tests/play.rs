//! `echoline play`: games through a pipe and on a terminal, and servers that break the protocol.
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::Command;
use std::thread;
use std::time::Duration;

use support::pty::Terminal;
use support::{ECHOLINE, Ended, Serving, echoline, finish};

fn play(arguments: &[&str], typed: &str) -> Ended {
    finish(Command::new(ECHOLINE).arg("play").args(arguments), typed.as_bytes())
}

#[test]
fn a_seed_makes_the_same_game_and_a_typo_ends_nothing() {
    let moves = "1\nx\n8\n1\n";
    let games = [play(&["--seed", "5"], moves), play(&["--seed", "5"], moves)];
    for game in &games {
        assert_eq!(game.code, Some(0), "{}", game.stderr);
        assert_eq!(game.out().matches("Server: ").count(), 2, "{}", game.out());
        assert!(game.out().starts_with("1 2 3 4 5 6 7\n. . . . . . .\n"), "{}", game.out());
        assert!(game.stderr.contains("\"x\" is no move"), "{}", game.stderr);
        assert!(game.stderr.contains("there is no column 8: they go from 1 to 7"), "{}", game.stderr);
    }
    assert_eq!(games[0].stdout, games[1].stdout);
}

#[test]
fn a_game_that_is_lost_ends_well() {
    // Columns in turn, without a look at the board.
    let moves: String = (0..200).map(|at| format!("{}\n", at % 7 + 1)).collect();
    let game = play(&["-q", "--seed", "1"], &moves);
    assert_eq!((game.code, game.stderr.as_str()), (Some(0), ""));
    assert!(game.out().ends_with("The server won.\n"), "{}", game.out());
}

#[test]
fn play_and_serve_meet_on_a_wide_board() {
    let serving = Serving::start(&["connect-four=127.0.0.1:0"], 1);
    assert!(serving.lines[0].starts_with("connect-four=127.0.0.1:"));
    let address = serving.address(0).to_string();
    let game = play(&["--size", "10x5", &address], "10\npop 10\n");
    assert_eq!(game.code, Some(0), "{}", game.stderr);
    assert!(game.out().starts_with(" 1  2  3  4  5  6  7  8  9 10\n"), "{}", game.out());
    assert!(game.stderr.contains("You left"), "{}", game.stderr);
}

#[test]
fn a_server_that_drips_is_waited_for_no_longer_than_one_line_may_take() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        while stream.write_all(b"W").is_ok() {
            thread::sleep(Duration::from_millis(100));
        }
    });
    let game = play(&["--wait", "500ms", &address], "1\n");
    assert_eq!(game.code, Some(1), "{game:?}");
    let told = format!("{address} did not answer the greeting in 500 ms   [timed-out]\n");
    assert!(game.stderr.contains(&told), "{}", game.stderr);
    assert!(game.stderr.contains("next  wait longer: --wait 1m"), "{}", game.stderr);
}

/// Answers each line with the next of these, then finishes.
fn scripted(answers: &[&str]) -> SocketAddr {
    let answers: Vec<_> = answers.iter().map(|&text| text.to_owned()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(stream.try_clone().unwrap());
        for answer in answers {
            lines.read_line(&mut String::new()).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        }
        lines.read_line(&mut String::new()).unwrap();
    });
    address
}

#[test]
fn a_server_that_breaks_the_protocol_is_named() {
    const WELCOME: &str = "WELCOME guest\r\n";
    let endless = "x".repeat(400);
    let cases: [(&[&str], &str, &str); 8] = [
        (
            &["HTTP/1.1 400\x1b[2J\r\n"],
            "unexpected-reply",
            "answered the greeting with \"HTTP/1.1 400\\x1b[2J\", where WELCOME guest",
        ),
        (&[WELCOME, "ERROR\r\n"], "unexpected-reply", "answered the request for a game with \"ERROR\""),
        (&[WELCOME, "READY\r\n", "WINNER_RED\r\n"], "unexpected-reply", "\"WINNER_RED\", where OKAY was due"),
        (
            &[WELCOME, "READY\r\n", "OKAY\r\nPOP 3\r\nREADY\r\n"],
            "unexpected-reply",
            "\"POP 3\", where a possible move",
        ),
        (
            &[WELCOME, "READY\r\n", "OKAY\r\nDROP 3\r\nWINNER_YELLOW\r\n"],
            "unexpected-reply",
            "where READY was due",
        ),
        (&[WELCOME, "READY\r\n"], "closed-early", "finished before it answered DROP 4"),
        (&[], "closed-early", "finished before it answered the greeting"),
        (&[&endless], "line-too-long", "sent 256 bytes without an LF"),
    ];
    for (answers, code, message) in cases {
        let address = scripted(answers).to_string();
        let game = play(&["-q", &address], "4\n");
        let again = format!("begin a new game: echoline play {address}\n");
        assert_eq!(game.stderr.contains(&again), code == "closed-early", "{}", game.stderr);
        assert_eq!(game.code, Some(1), "{}", game.stderr);
        assert!(
            game.stderr.contains(&format!("[{code}]")) && game.stderr.contains(message),
            "{message}: {}",
            game.stderr
        );
        assert!(!game.stderr.contains('\x1b'));
    }
}

#[test]
fn a_move_that_the_server_calls_invalid_may_be_made_again() {
    let address =
        scripted(&["WELCOME guest\r\n", "READY\r\n", "INVALID\r\nREADY\r\n", "OKAY\r\nDROP 4\r\nDRAW\r\n"]);
    let game = play(&[&address.to_string()], "4\n4\n");
    assert_eq!(game.code, Some(0), "{}", game.stderr);
    assert!(game.stderr.contains("calls DROP 4 invalid"), "{}", game.stderr);
    assert!(game.out().ends_with("A draw.\n"), "{}", game.out());
}

#[test]
fn wrong_usage_is_told_before_anything_is_sent() {
    for arguments in
        [&["--size", "3x6"][..], &["--name", "two words"], &["--seed", "1", "localhost"], &["--size", "7"]]
    {
        let ended = echoline(&[&["play"], arguments].concat());
        assert_eq!(ended.code, Some(2), "{arguments:?}");
    }
}

#[test]
fn on_a_terminal_a_person_plays_and_leaves() {
    let state = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(&["play", "--seed", "1"], state.path());
    terminal.wait_for("Your move: ");
    terminal.press("z\r");
    terminal.wait_for("\"z\" is no move");
    terminal.wait_for("Your move: ");
    terminal.press("4\r");
    terminal.wait_for("Server: DROP");
    terminal.wait_for("Your move: ");
    terminal.press("\x04");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(0), "{screen}");
    assert!(screen.contains("You left before the end of the game."), "{screen}");
}

#[test]
fn on_a_terminal_ctrl_c_interrupts_and_a_server_that_ended_is_told() {
    let state = tempfile::tempdir().unwrap();
    let mut terminal = Terminal::start(&["play"], state.path());
    terminal.wait_for("Your move: ");
    terminal.press("\x03");
    assert_eq!(terminal.end().0, Some(130));

    let serving = Serving::start(&["connect-four=127.0.0.1:0"], 1);
    let address = serving.address(0).to_string();
    let mut terminal = Terminal::start(&["play", &address], state.path());
    terminal.wait_for("Your move: ");
    // Which kills it.
    drop(serving);
    terminal.press("4\r");
    let (code, screen) = terminal.end();
    assert_eq!(code, Some(1), "{screen}");
    assert!(screen.contains("[closed-early]") || screen.contains("[reset]"), "{screen}");
}
