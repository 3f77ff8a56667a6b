//! The flags of `echoline play`, as they were written, and what they mean together.

use crate::destination::{Families, elsewhere};
use crate::talk::Voice;
use echoline::{Endpoint, Family, Port, Socket};
use echoline_diagnosis::Diagnosis;
use echoline_diagnosis::units::{Span, number, patience};
use echoline_server::connect_four::{MAX_EDGE, MAX_NAME, MIN_EDGE, PORT, Size};
use std::time::Duration;

/// Play Connect Four against a server
///
/// You are red (R) and move first. Type a column's number to drop a piece there, or p and the number to pop your own
/// piece out of the bottom of that column. Moves can come through a pipe too, one a line. The protocol is I32CFSP.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A name or an address, or HOST:PORT; without it, a server is started in this process
    host: Option<String>,

    /// The port [default: 4444]
    #[arg(requires = "host")]
    port: Option<String>,

    /// Columns and rows of the board, each 4 to 20
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "7x6", value_parser = size)]
    size: Size,

    /// How the server may call you: no white space
    #[arg(long, default_value = "guest", value_parser = name)]
    name: String,

    /// The server in this process answers the same moves with the same game
    #[arg(long, conflicts_with = "host", value_parser = number::<u64>(0..=u64::MAX))]
    seed: Option<u64>,

    #[command(flatten)]
    families: Families,

    /// How long finding the name and connecting may take together
    #[arg(short = 'w', long, value_name = "TIME", default_value = "5s", value_parser = patience)]
    connect_timeout: Span,

    /// How long the server may take for an answer
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = patience)]
    wait: Span,

    #[command(flatten)]
    pub(super) voice: Voice,
}

const EXAMPLES: &str = "\
Examples:
  echoline play                          a game inside this process
  echoline play 192.0.2.7                against the server on another machine, port 4444
  echoline play --size 10x8 localhost    a wider board
  echoline play --seed 1 < moves.txt     the same game every time";

/// Whom to play against and how.
pub(super) struct Config {
    /// `None`: a server of our own.
    pub(super) target: Option<Endpoint>,
    pub(super) socket: Socket,
    pub(super) family: Family,
    pub(super) size: Size,
    pub(super) name: String,
    pub(super) seed: Option<u64>,
    pub(super) wait: Duration,
}

impl Args {
    pub(super) fn config(&self) -> Result<Config, Diagnosis> {
        let target = elsewhere(self.host.as_deref(), self.port.as_deref(), Port::from(PORT))?;
        let family = self.families.family();
        let socket = Socket::new().family(family).connect_timeout(self.connect_timeout.0);
        let (size, name, seed, wait) = (self.size, self.name.clone(), self.seed, self.wait.0);
        Ok(Config { target, socket, family, size, name, seed, wait })
    }
}

fn size(text: &str) -> Result<Size, String> {
    text.split_once('x')
        .and_then(|(columns, rows)| Size::new(columns.parse().ok()?, rows.parse().ok()?))
        .ok_or_else(|| format!("columns and rows, each {MIN_EDGE} to {MAX_EDGE}, such as 7x6"))
}

fn name(text: &str) -> Result<String, String> {
    let plain = |char: char| !char.is_whitespace() && !char.is_control();
    if (1..=MAX_NAME).contains(&text.len()) && text.chars().all(plain) {
        Ok(text.to_owned())
    } else {
        Err(format!("a name has 1 to {MAX_NAME} bytes and no white space"))
    }
}
