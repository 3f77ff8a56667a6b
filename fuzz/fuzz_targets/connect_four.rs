//! Any bytes, in any pieces, against the protocol: it never panics, every answer is whole lines that end with CRLF,
//! every move of ours is legal, and nothing but ERROR follows the last word.
//!
//! The first byte is the size of the pieces in which the rest arrives.

#![no_main]

use std::num::NonZeroUsize;

use echoline::line::{Cut, Framer};
use echoline_server::connect_four::{Answer, Effort, MAX_LINE, Session, choose};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((&piece, stream)) = bytes.split_first() else { return };
    let piece = NonZeroUsize::new(piece.into()).unwrap_or(NonZeroUsize::MIN);
    let whole = talk(stream, NonZeroUsize::MAX);
    assert_eq!(talk(stream, piece), whole, "pieces change nothing");
});

/// Everything that the server says to such a stream.
fn talk(stream: &[u8], piece: NonZeroUsize) -> Vec<u8> {
    let (mut framer, mut session, mut said) = (Framer::new(MAX_LINE), Session::new(), Vec::new());
    for mut rest in stream.chunks(piece.get()) {
        while !rest.is_empty() {
            let answer = match framer.next_line(rest) {
                Cut::Partial => break,
                Cut::OverLong(_) => session.refuse(),
                Cut::Lines(taken) => {
                    let line = &rest[..taken];
                    rest = &rest[taken..];
                    session.on_line(line)
                }
                Cut::HeldLines(taken) => {
                    let mut line = framer.take_held();
                    line.extend_from_slice(&rest[..taken]);
                    rest = &rest[taken..];
                    session.on_line(&line)
                }
            };
            if !say(&mut session, answer, &mut said) {
                return said;
            }
        }
    }
    let tail = framer.finish();
    if !tail.is_empty() {
        let answer = session.on_line(&tail);
        say(&mut session, answer, &mut said);
    }
    said
}

/// Takes an answer; `false` after the last one.
fn say(session: &mut Session, answer: Answer, said: &mut Vec<u8>) -> bool {
    assert!(answer.bytes().ends_with(b"\r\n"));
    assert!(answer.bytes().split(|byte| *byte == b'\n').rev().skip(1).all(|line| line.ends_with(b"\r")));
    said.extend_from_slice(answer.bytes());
    match answer {
        Answer::Reply(_) => true,
        Answer::Okay(board) => {
            let it = choose(&board, Effort::looks(200), 1).expect("there is always a move");
            let answer = session.on_move(it);
            assert_ne!(answer.bytes(), b"ERROR\r\n", "{it} is legal");
            say(session, answer, said)
        }
        Answer::Last(_) => {
            assert_eq!(session.on_line(b"DROP 1\r\n").bytes(), b"ERROR\r\n");
            false
        }
    }
}
