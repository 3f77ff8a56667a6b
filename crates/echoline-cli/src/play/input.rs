//! What is typed: on a terminal with line editing, or from a pipe.

use std::error::Error;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Stdin};

use echoline_diagnosis::escape::escape;
use echoline_diagnosis::{Diagnosis, code};
use echoline_server::connect_four::{Board, Move};
use rustyline::DefaultEditor;
use rustyline::error::{ReadlineError, Signal};

use crate::failure::Stop;

/// More than any move needs; what is longer is cut into several lines, none of which is a move.
const MAX_TYPED: u64 = 1024;

/// Where moves come from.
pub(super) enum Input {
    Terminal(Box<DefaultEditor>),
    Pipe(BufReader<Stdin>),
}

/// One line of it.
pub(super) enum Typed {
    Line(Vec<u8>),
    /// Ctrl-D, or the end of the pipe.
    End,
    Interrupted,
}

impl Input {
    pub(super) fn new() -> Result<Self, Stop> {
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            return Ok(Self::Terminal(Box::new(DefaultEditor::new().map_err(failed)?)));
        }
        Ok(Self::Pipe(BufReader::new(io::stdin())))
    }

    pub(super) fn next_line(&mut self) -> Result<Typed, Stop> {
        match self {
            Self::Terminal(editor) => loop {
                match editor.readline("Your move: ") {
                    Ok(line) => {
                        // A line that cannot be remembered can still be played.
                        let _ = editor.add_history_entry(&line);
                        return Ok(Typed::Line(line.into_bytes()));
                    }
                    Err(ReadlineError::Eof) => return Ok(Typed::End),
                    Err(ReadlineError::Interrupted | ReadlineError::Signal(Signal::Interrupt)) => {
                        return Ok(Typed::Interrupted);
                    }
                    Err(ReadlineError::Signal(Signal::Resize)) => {}
                    Err(error) => return Err(failed(error).into()),
                }
            },
            Self::Pipe(pipe) => {
                let mut line = Vec::new();
                let read = pipe.by_ref().take(MAX_TYPED).read_until(b'\n', &mut line).map_err(failed)?;
                Ok(if read == 0 { Typed::End } else { Typed::Line(line) })
            }
        }
    }
}

fn failed(error: impl Error + Send + Sync + 'static) -> Diagnosis {
    Diagnosis::new(code::INPUT, "cannot read moves from standard input")
        .caused_by(error)
        .next("give moves on a terminal, or through a pipe, one a line")
}

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wish {
    Move(Move),
    Nothing,
    Help,
    Leave,
}

pub(super) const HELP: &str = "\
Type a column's number to drop a piece there, p and a number to pop your piece out of its bottom.
? shows this again; q or Ctrl-D leaves the game.";

/// Reads a line; the error says why it is no move on this board.
pub(super) fn wish(line: &[u8], board: &Board) -> Result<Wish, String> {
    let text = line.trim_ascii().to_ascii_lowercase();
    match text.as_slice() {
        b"" => return Ok(Wish::Nothing),
        b"?" | b"help" => return Ok(Wish::Help),
        b"q" | b"quit" => return Ok(Wish::Leave),
        _ => {}
    }
    let letters = text.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    let (verb, digits) = text.split_at(letters);
    let number =
        std::str::from_utf8(digits.trim_ascii_start()).ok().and_then(|digits| digits.parse::<u8>().ok());
    let columns = board.size().columns();
    let (Some(number), b"" | b"d" | b"drop" | b"p" | b"pop") = (number, verb) else {
        return Err(format!(
            "\"{}\" is no move: a number drops, p and a number pops, ? helps",
            escape(line.trim_ascii())
        ));
    };
    if !(1..=columns).contains(&number) {
        return Err(format!("there is no column {number}: they go from 1 to {columns}"));
    }
    let pops = verb.starts_with(b"p");
    let it = if pops { Move::Pop(number - 1) } else { Move::Drop(number - 1) };
    match (board.allows(it), pops) {
        (true, _) => Ok(Wish::Move(it)),
        (false, true) => Err(format!("nothing of yours is at the bottom of column {number} to pop")),
        (false, false) => Err(format!("column {number} is full")),
    }
}

#[cfg(test)]
mod tests {
    use echoline_server::connect_four::Size;

    use super::*;

    #[test]
    fn moves_are_read_as_people_type_them() {
        let mut board = Board::new(Size::STANDARD);
        for it in [Move::Drop(2), Move::Drop(3)] {
            board.play(it).unwrap();
        }
        for text in ["3", " 3 \r\n", "d3", "D 3", "drop 3", "DROP 3\n"] {
            assert_eq!(wish(text.as_bytes(), &board), Ok(Wish::Move(Move::Drop(2))), "{text}");
        }
        for text in ["p3", "P 3", "pop 3", "POP  3"] {
            assert_eq!(wish(text.as_bytes(), &board), Ok(Wish::Move(Move::Pop(2))), "{text}");
        }
        for (text, wished) in
            [("", Wish::Nothing), (" \n", Wish::Nothing), ("?", Wish::Help), ("quit", Wish::Leave)]
        {
            assert_eq!(wish(text.as_bytes(), &board), Ok(wished), "{text}");
        }
    }

    #[test]
    fn what_is_no_move_says_why() {
        let mut board = Board::new(Size::new(4, 4).unwrap());
        for _ in 0..4 {
            board.play(Move::Drop(0)).unwrap();
        }
        let why = |text: &[u8]| wish(text, &board).unwrap_err();
        assert_eq!(why(b"1"), "column 1 is full");
        assert_eq!(why(b"5"), "there is no column 5: they go from 1 to 4");
        assert_eq!(why(b"p2"), "nothing of yours is at the bottom of column 2 to pop");
        for text in ["x", "3 3", "-1", "300", "pp3", "three"] {
            assert!(why(text.as_bytes()).contains("is no move"), "{text}");
        }
        assert!(why(b"\x1b[2J").starts_with("\"\\x1b[2J\" is no move"));
    }
}
