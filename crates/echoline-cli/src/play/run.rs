//! The game, from the greeting to the last word.

use echoline_diagnosis::ExitStatus;
use echoline_server::connect_four::{Move, Side};

use super::args::Args;
use super::config::Config;
use super::dial::dial;
use super::input::{HELP, Input, Typed, Wish, wish};
use super::render;
use super::wire::{Game, Round};
use crate::failure::Stop;
use crate::output::Output;
use crate::talk::Talk;

pub(crate) fn run(args: &Args) -> Result<ExitStatus, Stop> {
    let talk = Talk::new(args.voice);
    let config = Config::resolve(args)?;
    let mut screen = Screen::new()?;
    let (connection, _embedded) = dial(&config, talk)?;
    let mut game = Game::begin(connection, &config)?;
    talk.say(format_args!("You are R and move first. {HELP}"));
    screen.show(&game, None)?;

    let mut input = Input::new()?;
    loop {
        let line = match input.next_line()? {
            Typed::Line(line) => line,
            Typed::End => return Ok(leave(game, talk)),
            Typed::Interrupted => return Ok(ExitStatus::Interrupted),
        };
        match wish(&line, game.board()) {
            Ok(Wish::Move(it)) => match game.play(it)? {
                Round::Refused => {
                    talk.say(format_args!("The server calls {it} invalid. It is still your turn."));
                }
                Round::Answered(answer) => screen.show(&game, Some(answer))?,
                Round::Over(answer, winner) => {
                    screen.show(&game, answer)?;
                    screen.output.text(last_word(winner))?;
                    game.leave();
                    return Ok(ExitStatus::Success);
                }
            },
            Ok(Wish::Nothing) => {}
            Ok(Wish::Help) => talk.say(HELP),
            Ok(Wish::Leave) => return Ok(leave(game, talk)),
            Err(why) => talk.say(why),
        }
    }
}

fn leave(game: Game, talk: Talk) -> ExitStatus {
    talk.say("You left before the end of the game.");
    game.leave();
    ExitStatus::Success
}

fn last_word(winner: Option<Side>) -> &'static str {
    match winner {
        Some(Side::Red) => "You won.",
        Some(Side::Yellow) => "The server won.",
        None => "A draw.",
    }
}

/// Standard output, with colours where it shows them.
struct Screen {
    output: Output,
    styled: bool,
}

impl Screen {
    fn new() -> Result<Self, Stop> {
        let styled = anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never;
        Ok(Self { output: Output::new()?, styled })
    }

    /// The board, under the move that the server has just made.
    fn show(&mut self, game: &Game, answer: Option<Move>) -> Result<(), Stop> {
        let said = answer.map_or_else(String::new, |it| format!("Server: {it}\n"));
        self.output.text(format!("{said}{}\n", render::board(game.board(), self.styled)))
    }
}
