use proptest::prelude::*;

use super::super::board::{MAX_EDGE, MIN_EDGE};
use super::super::play::{Effort, choose};
use super::*;

fn answers(session: &mut Session, line: &str) -> String {
    String::from_utf8(session.on_line(line.as_bytes()).bytes().to_vec()).unwrap()
}

/// A session in each state, by the lines that lead there.
fn in_state(lines: &[&str]) -> Session {
    let mut session = Session::new();
    for line in lines {
        assert!(!matches!(session.on_line(line.as_bytes()), Answer::Last(_)), "{line}");
    }
    session
}

const GREETING: &[&str] = &[];
const CHOOSING: &[&str] = &["I32CFSP_HELLO boo"];
const TURN: &[&str] = &["I32CFSP_HELLO boo", "AI_GAME"];
const THINKING: &[&str] = &["I32CFSP_HELLO boo", "AI_GAME", "DROP 1"];

#[test]
fn the_lines_of_the_protocol_get_their_answers() {
    let mut session = Session::new();
    assert_eq!(answers(&mut session, "\r\rI32CFSP_HELLO boo\r\r\n"), "WELCOME boo\r\n");
    assert_eq!(answers(&mut session, "AI_GAME 4 20\n"), "READY\r\n");
    assert_eq!(answers(&mut session, "DROP 4\r\n"), "OKAY\r\n");
    let Answer::Reply(reply) = session.on_move(Move::Drop(0)) else { panic!("the game goes on") };
    assert_eq!(reply, b"DROP 1\r\nREADY\r\n");
    for invalid in ["DROP 5", "DROP 0", "DROP", "DROP x", "DROP 1 1", "POP 1", "POP 2", "DROP 99999999999"] {
        assert_eq!(answers(&mut session, invalid), "INVALID\r\nREADY\r\n", "{invalid}");
    }
    assert_eq!(answers(&mut session, "POP 4"), "OKAY\r\n");
}

#[test]
fn every_line_out_of_its_order_is_an_error_and_the_end() {
    let kinds = ["I32CFSP_HELLO boo", "AI_GAME", "DROP 1", "POP 1"];
    let places: [(&[&str], &[&str]); 4] = [
        (GREETING, &["I32CFSP_HELLO boo"]),
        (CHOOSING, &["AI_GAME"]),
        (TURN, &["DROP 1", "POP 1"]),
        (THINKING, &[]),
    ];
    for (state, expected) in places {
        for line in kinds {
            let mut session = in_state(state);
            let refused = session.on_line(line.as_bytes()) == Answer::Last(ERROR.to_vec());
            assert_eq!(refused, !expected.contains(&line), "{line} after {state:?}");
            if refused {
                for after in kinds {
                    assert_eq!(session.on_line(after.as_bytes()), Answer::Last(ERROR.to_vec()));
                }
            }
        }
        let moved = in_state(state).on_move(Move::Drop(0));
        assert_eq!(matches!(moved, Answer::Reply(_)), state == THINKING);
    }
}

#[test]
fn what_is_no_protocol_is_an_error_in_every_state() {
    let long = format!("I32CFSP_HELLO {}", "x".repeat(MAX_NAME + 1));
    let wrong = [
        "",
        " ",
        "\0",
        "HELLO",
        "i32cfsp_hello boo",
        "I32CFSP_HELLO",
        "I32CFSP_HELLO boo bar",
        "I32CFSP_HELLO a\tb",
        &long,
        "AI_GAME 7",
        "AI_GAME 3 6",
        "AI_GAME 7 21",
        "AI_GAME 7 6 1",
        "AI_GAME x 6",
        "AI_GAME -7 6",
        "AI_GAME 263 6",
        "DROPS 1",
        "drop 1",
        "READY",
        "GET / HTTP/1.1",
    ];
    for state in [GREETING, CHOOSING, TURN, THINKING] {
        for line in wrong {
            assert_eq!(
                in_state(state).on_line(line.as_bytes()),
                Answer::Last(ERROR.to_vec()),
                "{line:?} after {state:?}"
            );
        }
    }
    let longest = format!("I32CFSP_HELLO {}", "x".repeat(MAX_NAME));
    assert!(answers(&mut Session::new(), &longest).starts_with("WELCOME xxx"));
}

#[test]
fn a_win_stands_in_place_of_okay_or_of_ready() {
    let mut session = in_state(TURN);
    for column in ["1", "1", "1"] {
        assert_eq!(answers(&mut session, &format!("DROP {column}")), "OKAY\r\n");
        session.on_move(Move::Drop(6));
    }
    let mut other = session.clone();
    assert_eq!(session.on_line(b"DROP 1"), Answer::Last(b"WINNER_RED\r\n".to_vec()));
    assert_eq!(other.on_line(b"DROP 2").bytes(), b"OKAY\r\n");
    assert_eq!(other.on_move(Move::Drop(6)), Answer::Last(b"DROP 7\r\nWINNER_YELLOW\r\n".to_vec()));
}

#[test]
fn a_game_that_never_ends_is_a_draw_in_place_of_okay_or_of_ready() {
    // Both drop and pop, each in its own column, for ever.
    let mut session = in_state(&["I32CFSP_HELLO boo", "AI_GAME 4 4"]);
    let mut moves = 0;
    let last = loop {
        assert!(moves < 1_000, "it goes on for ever");
        moves += 1;
        if let last @ Answer::Last(_) = session.on_line(if moves % 4 == 1 { b"DROP 1" } else { b"POP 1" }) {
            break last;
        }
        moves += 1;
        if let last @ Answer::Last(_) =
            session.on_move(if moves % 4 == 2 { Move::Drop(3) } else { Move::Pop(3) })
        {
            break last;
        }
    };
    assert_eq!(moves, MOVES_A_CELL * 16);
    assert_eq!(last, Answer::Last(b"POP 4\r\nDRAW\r\n".to_vec()));
}

proptest! {
    /// Whatever comes, each answer is whole lines that end with CRLF, and after the last one there is only ERROR.
    #[test]
    fn any_lines_get_answers_of_whole_lines(
        columns in MIN_EDGE..=MAX_EDGE, rows in MIN_EDGE..=MAX_EDGE, greets in any::<bool>(),
        lines in prop::collection::vec(prop_oneof![
            8 => (prop::sample::select(vec!["DROP", "POP"]), 0..22_u8).prop_map(|(verb, column)| format!("{verb} {column}").into_bytes()),
            1 => any::<Vec<u8>>(),
        ], 0..60),
    ) {
        let mut session = Session::new();
        if greets {
            session = in_state(&["I32CFSP_HELLO x", &format!("AI_GAME {columns} {rows}")]);
        }
        let mut over = false;
        for line in lines {
            let mut answer = session.on_line(&line);
            prop_assert!(!over || answer == Answer::Last(ERROR.to_vec()));
            if let Answer::Okay(board) = &answer {
                prop_assert_eq!(board.turn(), Side::Yellow);
                answer = session.on_move(choose(board, Effort::looks(100), 1).unwrap());
                prop_assert!(answer.bytes() != ERROR, "a move of ours is legal");
            }
            let bytes = answer.bytes();
            prop_assert!(bytes.ends_with(b"\r\n") && bytes.split(|&byte| byte == b'\n').rev().skip(1).all(|line| line.ends_with(b"\r")));
            over |= matches!(answer, Answer::Last(_));
        }
    }
}
