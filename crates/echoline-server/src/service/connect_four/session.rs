//! The protocol I32CFSP as a state machine: lines in, answers out, no I/O.

use super::board::{Board, Move, Side, Size, number, words};

/// The longest name, in bytes.
pub const MAX_NAME: usize = 64;

/// So many moves a cell of the board, and the game is a draw: with pops it could go on for ever.
const MOVES_A_CELL: u32 = 10;

const ERROR: &[u8] = b"ERROR\r\n";

/// What there is to do after a line or a move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Send this.
    Reply(Vec<u8>),
    /// Send `OKAY` in a send of its own, then find a move for this board and give it to [`Session::on_move`].
    Okay(Board),
    /// Send this and close.
    Last(Vec<u8>),
}

impl Answer {
    /// What is sent.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Reply(bytes) | Self::Last(bytes) => bytes,
            Self::Okay(_) => b"OKAY\r\n",
        }
    }
}

/// One conversation, from the greeting to the end of its one game.
#[derive(Debug, Clone)]
pub struct Session(State);

#[derive(Debug, Clone)]
enum State {
    Greeting,
    Choosing,
    /// The client is to move.
    Turn(Game),
    /// The server is to move.
    Thinking(Game),
    Over,
}

#[derive(Debug, Clone)]
struct Game {
    board: Board,
    moves: u32,
}

/// What a move leads to.
enum Outcome {
    GoesOn,
    Won(Side),
    Drawn,
}

impl Default for Session {
    fn default() -> Self {
        Self::new()
    }
}

impl Session {
    /// The client is to greet.
    #[must_use]
    pub const fn new() -> Self {
        Self(State::Greeting)
    }

    /// A line of the client's, with its LF or without. A line that has no place here ends the conversation.
    pub fn on_line(&mut self, line: &[u8]) -> Answer {
        let line = trimmed(line);
        let answer = match &mut self.0 {
            State::Greeting => {
                name_of(line).map(|name| self.become_and_reply(State::Choosing, welcome(name)))
            }
            State::Choosing => size_of(line).map(|size| {
                let game = Game { board: Board::new(size), moves: 0 };
                self.become_and_reply(State::Turn(game), b"READY\r\n".to_vec())
            }),
            State::Turn(game) if is_move(line) => {
                let game = game.clone();
                Some(self.on_client_move(game, Move::parse(line)))
            }
            State::Turn(_) | State::Thinking(_) | State::Over => None,
        };
        answer.unwrap_or_else(|| self.refuse())
    }

    /// The move that was found for [`Answer::Okay`]. One that is illegal, or that nobody asked for, ends the
    /// conversation as an unknown line would.
    pub fn on_move(&mut self, it: Move) -> Answer {
        let State::Thinking(game) = &mut self.0 else { return self.refuse() };
        let mut game = game.clone();
        let Some(outcome) = game.play(it) else { return self.refuse() };
        let text = |then: &str| format!("{it}\r\n{then}\r\n").into_bytes();
        match outcome {
            Outcome::GoesOn => self.become_and_reply(State::Turn(game), text("READY")),
            end => self.end(text(word_for(&end))),
        }
    }

    /// The line that has no end, or no place: `ERROR`, then the end.
    pub fn refuse(&mut self) -> Answer {
        self.end(ERROR.to_vec())
    }

    fn on_client_move(&mut self, mut game: Game, it: Option<Move>) -> Answer {
        let Some(outcome) = it.and_then(|it| game.play(it)) else {
            return Answer::Reply(b"INVALID\r\nREADY\r\n".to_vec());
        };
        match outcome {
            Outcome::GoesOn => {
                let board = game.board;
                self.0 = State::Thinking(game);
                Answer::Okay(board)
            }
            end => self.end(format!("{}\r\n", word_for(&end)).into_bytes()),
        }
    }

    fn become_and_reply(&mut self, state: State, reply: Vec<u8>) -> Answer {
        self.0 = state;
        Answer::Reply(reply)
    }

    fn end(&mut self, bytes: Vec<u8>) -> Answer {
        self.0 = State::Over;
        Answer::Last(bytes)
    }
}

impl Game {
    /// `None` if the move is illegal; then nothing has changed.
    fn play(&mut self, it: Move) -> Option<Outcome> {
        let winner = self.board.play(it).ok()?;
        self.moves += 1;
        // A side always has a move: on a full board without one, the other would own the whole bottom row, and has won.
        let stuck =
            self.moves >= MOVES_A_CELL * self.board.size().cells() || self.board.moves().next().is_none();
        Some(match winner {
            Some(side) => Outcome::Won(side),
            None if stuck => Outcome::Drawn,
            None => Outcome::GoesOn,
        })
    }
}

fn word_for(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::GoesOn => "OKAY",
        Outcome::Won(Side::Red) => "WINNER_RED",
        Outcome::Won(Side::Yellow) => "WINNER_YELLOW",
        Outcome::Drawn => "DRAW",
    }
}

fn welcome(name: &[u8]) -> Vec<u8> {
    [b"WELCOME ", name, b"\r\n"].concat()
}

/// Without its LF and the CRs at either end.
fn trimmed(line: &[u8]) -> &[u8] {
    let mut line = line.strip_suffix(b"\n").unwrap_or(line);
    while let Some(rest) = line.strip_prefix(b"\r").or_else(|| line.strip_suffix(b"\r")) {
        line = rest;
    }
    line
}

/// One word without white space or control bytes.
fn name_of(line: &[u8]) -> Option<&[u8]> {
    let mut words = words(line);
    let (b"I32CFSP_HELLO", Some(name), None) = (words.next()?, words.next(), words.next()) else {
        return None;
    };
    (name.len() <= MAX_NAME && name.iter().all(|byte| *byte > b' ' && *byte != 0x7f)).then_some(name)
}

fn size_of(line: &[u8]) -> Option<Size> {
    let mut words = words(line);
    if words.next() != Some(b"AI_GAME") {
        return None;
    }
    match (words.next(), words.next(), words.next()) {
        (None, ..) => Some(Size::STANDARD),
        (Some(columns), Some(rows), None) => Size::new(number(columns)?, number(rows)?),
        _ => None,
    }
}

/// Does it mean to be a move, possible or not?
fn is_move(line: &[u8]) -> bool {
    matches!(words(line).next(), Some(b"DROP" | b"POP"))
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
