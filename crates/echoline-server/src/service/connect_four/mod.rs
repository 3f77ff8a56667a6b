//! Connect Four against the server: I32CFSP, the protocol that `docs/CONNECT-FOUR.md` describes.
//!
//! | module | what it holds |
//! |---|---|
//! | `board` | the rules |
//! | `play` | how the server finds its move |
//! | `session` | the protocol, without I/O |
//!
//! And here, the line service that joins the three. It is also the full example of a service of one's own:
//! nothing in it is open to this crate alone.
//!
//! ```
//! use echoline_server::connect_four::{ConnectFour, Effort, MAX_LINE};
//! use echoline_server::{Config, Lines, Server};
//! use std::io::{BufRead, BufReader, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let same_game_every_time = |_: &_| Lines::new(MAX_LINE, ConnectFour::new(Effort::DEFAULT, 42));
//! let server = Server::builder(Config::default())
//!     .listen_service("connect-four", same_game_every_time, listener)
//!     .start()?;
//!
//! let mut client = TcpStream::connect(server.endpoints()[0].address)?;
//! client.write_all(b"I32CFSP_HELLO boo\r\nAI_GAME\r\nDROP 4\r\n")?;
//! let lines: Vec<_> = BufReader::new(client).lines().take(5).collect::<Result<_, _>>()?;
//! assert_eq!(lines, ["WELCOME boo", "READY", "OKAY", "DROP 4", "READY"]);
//! # Ok(())
//! # }
//! ```

mod board;
mod play;
mod session;

pub use board::{Board, Illegal, MAX_EDGE, MIN_EDGE, Move, Side, Size};
pub use play::{Effort, choose};
pub use session::{Answer, MAX_NAME, Session};

use std::num::NonZeroUsize;

use crate::service::{LineService, Out};

/// The port where it is usually served.
pub const PORT: u16 = 4444;

/// The longest line, LF included: more than any request needs.
pub const MAX_LINE: NonZeroUsize = NonZeroUsize::new(256).unwrap();

/// One game with one client.
#[derive(Debug)]
pub struct ConnectFour {
    session: Session,
    effort: Effort,
    /// A seed for each move.
    seeds: fastrand::Rng,
}

impl ConnectFour {
    /// The same seed and the same moves of the client make the same game.
    #[must_use]
    pub fn new(effort: Effort, seed: u64) -> Self {
        Self { session: Session::new(), effort, seeds: fastrand::Rng::with_seed(seed) }
    }

    fn act(&mut self, answer: &Answer, out: &mut Out<'_>) {
        out.write(answer.bytes());
        match answer {
            Answer::Reply(_) => {}
            Answer::Last(_) => out.finish(),
            &Answer::Okay(board) => {
                // Clients exist that take whatever one read returns for the one line that they wait for.
                out.boundary();
                let (effort, seed) = (self.effort, self.seeds.u64(..));
                out.compute(move || {
                    choose(&board, effort, seed).map_or_else(Vec::new, |it| it.to_string().into_bytes())
                });
            }
        }
    }
}

impl LineService for ConnectFour {
    fn on_line(&mut self, line: &[u8], out: &mut Out<'_>) {
        let answer = self.session.on_line(line);
        self.act(&answer, out);
    }

    fn on_long_line(&mut self, out: &mut Out<'_>) {
        let answer = self.session.refuse();
        self.act(&answer, out);
    }

    fn on_computed(&mut self, result: Vec<u8>, out: &mut Out<'_>) {
        let answer = match Move::parse(&result) {
            Some(it) => self.session.on_move(it),
            None => self.session.refuse(),
        };
        self.act(&answer, out);
    }
}
