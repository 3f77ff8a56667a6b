//! The protocol from the client's side. The board is kept here as well, so a server that breaks the rules is found
//! out.

use std::time::{Duration, Instant};

use echoline::Connection;
use echoline_diagnosis::escape::escape;
use echoline_diagnosis::units::human_time;
use echoline_diagnosis::{Diagnosis, code};
use echoline_server::connect_four::{Board, MAX_LINE, Move, Side, Size};

use super::config::Config;
use crate::failure::Stop;

/// One game with a server.
pub(super) struct Game {
    connection: Connection,
    board: Board,
    /// How long one line of the server may take.
    wait: Duration,
    /// The command that begins another game with the same server.
    again: String,
}

/// What came of a move.
pub(super) enum Round {
    /// The server calls the move invalid; nothing has changed.
    Refused,
    /// The server answered with a move, and the game goes on.
    Answered(Move),
    /// The last move of the server, if it made one, and who won; nobody at a draw.
    Over(Option<Move>, Option<Side>),
}

impl Game {
    /// Greets the server and asks for a game.
    pub(super) fn begin(connection: Connection, config: &Config) -> Result<Self, Stop> {
        let Config { name, size, wait, .. } = config;
        let (size, wait) = (*size, *wait);
        let target = config.target.as_ref().map(|target| format!(" {target}")).unwrap_or_default();
        let again = format!("echoline play{target}");
        let mut game = Self { connection, board: Board::new(size), wait, again };
        game.send(format_args!("I32CFSP_HELLO {name}"))?;
        game.expect(&format!("WELCOME {name}"), "the greeting")?;
        // The short form is all that some servers know.
        if size == Size::STANDARD {
            game.send("AI_GAME")?;
        } else {
            game.send(format_args!("AI_GAME {} {}", size.columns(), size.rows()))?;
        }
        game.expect("READY", "the request for a game")?;
        Ok(game)
    }

    pub(super) fn board(&self) -> &Board {
        &self.board
    }

    /// Makes a move that the board allows, and takes the server's.
    pub(super) fn play(&mut self, it: Move) -> Result<Round, Stop> {
        self.send(it)?;
        let doing = &format!("{it}");
        let said = self.receive(doing)?;
        if said == b"INVALID" {
            self.expect("READY", doing)?;
            return Ok(Round::Refused);
        }
        let won = self.board.play(it).ok().flatten();
        if let Some(winner) = self.end(&said, won, "OKAY", doing)? {
            return Ok(Round::Over(None, winner));
        }
        let said = self.receive(doing)?;
        let played = Move::parse(&said).and_then(|it| Some((it, self.board.play(it).ok()?)));
        let Some((answer, won)) = played else {
            return Err(self.unexpected(&said, "a possible move", doing).into());
        };
        let doing = &format!("its move {answer}");
        let said = self.receive(doing)?;
        let end = self.end(&said, won, "READY", doing)?;
        Ok(end.map_or(Round::Answered(answer), |winner| Round::Over(Some(answer), winner)))
    }

    /// Ends the conversation in order.
    pub(super) fn leave(mut self) {
        // Whoever has gone already needs no goodbye.
        let _ = self.connection.finish();
    }

    /// Is this the end, and whose? `Some(None)` is a draw. The server's word must be what the board says.
    fn end(
        &self,
        said: &[u8],
        won: Option<Side>,
        if_not: &str,
        doing: &str,
    ) -> Result<Option<Option<Side>>, Stop> {
        let due = match won {
            None if said == b"DRAW" => return Ok(Some(None)),
            None => if_not,
            Some(Side::Red) => "WINNER_RED",
            Some(Side::Yellow) => "WINNER_YELLOW",
        };
        if said == due.as_bytes() { Ok(won.map(Some)) } else { Err(self.unexpected(said, due, doing).into()) }
    }

    fn send(&mut self, line: impl std::fmt::Display) -> Result<(), Stop> {
        Ok(self.connection.send(format!("{line}\r\n").as_bytes())?)
    }

    fn expect(&mut self, due: &str, doing: &str) -> Result<(), Stop> {
        let said = self.receive(doing)?;
        if said == due.as_bytes() { Ok(()) } else { Err(self.unexpected(&said, due, doing).into()) }
    }

    /// A line without its end.
    fn receive(&mut self, doing: &str) -> Result<Vec<u8>, Stop> {
        let deadline = Instant::now() + self.wait;
        let line = self.connection.recv_line_until(MAX_LINE, deadline);
        let peer = self.connection.peer();
        // Before that, it is the system that gave the connection up.
        let is_late = Instant::now() >= deadline;
        if line.as_ref().is_err_and(|error| is_late && error.code() == code::TIMED_OUT) {
            let message = format!("{peer} did not answer {doing} in {}", human_time(self.wait));
            return Err(Diagnosis::new(code::TIMED_OUT, message)
                .evidence(
                    "so",
                    "the server thinks for longer than --wait allows, is stuck, or cannot be reached",
                )
                .next("wait longer: --wait 1m")
                .into());
        }
        let Some(line) = line? else {
            let message = format!("{peer} finished before it answered {doing}");
            return Err(Diagnosis::new(code::CLOSED_EARLY, message)
                .evidence("so", "the server ended, or it closed a conversation that was silent for too long")
                .next(format!("begin a new game: {}", self.again))
                .into());
        };
        Ok(line.trim_matches('\r').as_bytes().to_vec())
    }

    fn unexpected(&self, said: &[u8], due: &str, doing: &str) -> Diagnosis {
        let peer = self.connection.peer();
        let message = format!("{peer} answered {doing} with \"{}\", where {due} was due", escape(said));
        let failure = Diagnosis::new(code::UNEXPECTED_REPLY, message);
        if said == b"ERROR" {
            return failure
                .evidence("so", "the server ends a conversation that it does not understand")
                .next("try the board of 7x6 and a plain name, which every server knows");
        }
        failure
            .evidence("so", "it is no Connect Four server, or it breaks the protocol I32CFSP")
            .next("check the port: a Connect Four server usually listens on 4444")
    }
}
