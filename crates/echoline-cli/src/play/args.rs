//! The flags of `echoline play`, as they were written.

use echoline_diagnosis::units::{Span, number, patience};
use echoline_server::connect_four::{MAX_EDGE, MAX_NAME, MIN_EDGE, Size};

use crate::destination::Families;
use crate::talk::Voice;

/// Play Connect Four against a server
///
/// You are red (R) and move first. Type a column's number to drop a piece there, or p and the number to pop your own
/// piece out of the bottom of that column. Moves can come through a pipe too, one a line. The protocol is I32CFSP.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// A name or an address, or HOST:PORT; without it, a server is started in this process
    pub(super) host: Option<String>,

    /// The port [default: 4444]
    #[arg(requires = "host")]
    pub(super) port: Option<String>,

    /// Columns and rows of the board, each 4 to 20
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "7x6", value_parser = size)]
    pub(super) size: Size,

    /// How the server may call you: no white space
    #[arg(long, default_value = "guest", value_parser = name)]
    pub(super) name: String,

    /// The server in this process answers the same moves with the same game
    #[arg(long, conflicts_with = "host", value_parser = number::<u64>(0..=u64::MAX))]
    pub(super) seed: Option<u64>,

    #[command(flatten)]
    pub(super) families: Families,

    /// How long finding the name and connecting may take together
    #[arg(short = 'w', long, value_name = "TIME", default_value = "5s", value_parser = patience)]
    pub(super) connect_timeout: Span,

    /// How long the server may take for an answer
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = patience)]
    pub(super) wait: Span,

    #[command(flatten)]
    pub(super) voice: Voice,
}

const EXAMPLES: &str = "\
Examples:
  echoline play                          a game inside this process
  echoline play 192.0.2.7                against the server on another machine, port 4444
  echoline play --size 10x8 localhost    a wider board
  echoline play --seed 1 < moves.txt     the same game every time";

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
