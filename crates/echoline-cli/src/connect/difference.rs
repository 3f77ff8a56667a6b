//! What is wrong with what came back, named as exactly as the bytes allow.

use std::fmt;

use echoline_diagnosis::escape::escape;
use echoline_diagnosis::units::count;
use serde::Serialize;

use super::window::Position;

/// How many bytes around a difference are looked at to name it.
pub(super) const CONTEXT: usize = 64;

/// The first difference between what was sent and what came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(super) enum Difference {
    /// One byte came back as another.
    Altered { at: Position, sent: u8, received: u8 },
    /// Bytes came back that were not sent; what was sent goes on behind them.
    Added { at: Position, bytes: Vec<u8> },
    /// Bytes in the middle did not come back; the ones behind them did.
    LeftOut { at: Position, bytes: Vec<u8> },
    /// A line came back with another line ending, LF or CRLF.
    LineEnding { at: Position, sent: Ending, received: Ending },
    /// The reply stopped before its end.
    Missing { at: Position, bytes: u64 },
    /// More came back than was sent. `at` is the end of what was sent, `bytes` the first of them.
    Surplus { at: Position, bytes: Vec<u8>, endless: bool },
}

/// How a line ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Ending {
    Lf,
    Crlf,
}

impl Difference {
    /// The first bytes that came are not what was sent: they may be another protocol's. A few agree by chance.
    pub(super) fn is_at_the_start(&self) -> bool {
        let (Self::Altered { at, .. }
        | Self::Added { at, .. }
        | Self::LeftOut { at, .. }
        | Self::LineEnding { at, .. }
        | Self::Missing { at, .. }
        | Self::Surplus { at, .. }) = self;
        at.offset < 4
    }

    /// Names the difference at `at`, where what was sent goes on with `sent` and what came back with `received`.
    ///
    /// Both are the start of what follows, up to [`CONTEXT`] bytes; `received` is not empty, and its first byte is not
    /// the first of `sent`. Which bytes were added or left out is the reading after which the most bytes agree.
    pub(super) fn name(at: Position, sent: &[u8], received: &[u8]) -> Self {
        let Some((&first_sent, &first_received)) = sent.first().zip(received.first()) else {
            return Self::Surplus { at, bytes: received.to_vec(), endless: false };
        };
        if sent.starts_with(b"\n") && received.starts_with(b"\r\n") {
            return Self::LineEnding { at, sent: Ending::Lf, received: Ending::Crlf };
        }
        if sent.starts_with(b"\r\n") && received.starts_with(b"\n") {
            return Self::LineEnding { at, sent: Ending::Crlf, received: Ending::Lf };
        }
        let mut best = (
            agreeing(&sent[1..], &received[1..]),
            Self::Altered { at, sent: first_sent, received: first_received },
        );
        for skip in 1..received.len() {
            let agree = agreeing(sent, &received[skip..]);
            if agree > best.0 && convinces(agree, sent.len().min(received.len() - skip)) {
                best = (agree, Self::Added { at, bytes: received[..skip].to_vec() });
            }
        }
        for skip in 1..sent.len() {
            let agree = agreeing(&sent[skip..], received);
            if agree > best.0 && convinces(agree, received.len().min(sent.len() - skip)) {
                best = (agree, Self::LeftOut { at, bytes: sent[..skip].to_vec() });
            }
        }
        best.1
    }
}

fn agreeing(sent: &[u8], received: &[u8]) -> usize {
    sent.iter().zip(received).take_while(|(sent, received)| sent == received).count()
}

/// A byte or two agree by chance, unless nothing stands behind them.
fn convinces(agree: usize, of: usize) -> bool {
    agree >= 4 || agree == of
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, byte {}", self.line, self.byte)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Lf => "LF (0x0a)",
            Self::Crlf => "CRLF (0x0d 0x0a)",
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Altered { at, sent, received } => {
                write!(f, "{at}: sent {}, received {}", show(*sent), show(*received))
            }
            Self::Added { at, bytes } => {
                write!(f, "{at}: {} not sent: {}", came(bytes.len()), quote(bytes))
            }
            Self::LeftOut { at, bytes } => {
                let number = count(bytes.len() as u64, "byte");
                write!(f, "{at}: {number} did not come back: {}", quote(bytes))
            }
            Self::LineEnding { at, sent, received } => {
                write!(f, "{at}: the line ending was sent as {sent} and came back as {received}")
            }
            Self::Missing { at, bytes } => {
                write!(f, "{} missing from {at}", count(*bytes, "byte"))
            }
            Self::Surplus { at, bytes, .. } => {
                let place = match at.offset {
                    0 => "before anything was sent".to_owned(),
                    _ => format!("{at}, behind all that was sent"),
                };
                write!(f, "{place}: {} not sent: {}", came(bytes.len()), quote(bytes))
            }
        }
    }
}

/// "1 byte that was", "at least 64 bytes that were".
fn came(number: usize) -> String {
    let at_least = if number >= CONTEXT { "at least " } else { "" };
    let verb = if number == 1 { "was" } else { "were" };
    format!("{at_least}{} came that {verb}", count(number as u64, "byte"))
}

/// A byte with its number: `'l' (0x6c)`.
fn show(byte: u8) -> String {
    if byte.is_ascii_graphic() || byte == b' ' {
        format!("'{}' (0x{byte:02x})", char::from(byte))
    } else {
        format!("0x{byte:02x}")
    }
}

/// The first bytes, escaped and in quotes.
fn quote(bytes: &[u8]) -> String {
    const SHOWN: usize = 24;
    let shown = escape(&bytes[..bytes.len().min(SHOWN)]);
    if bytes.len() > SHOWN { format!("\"{shown}...\"") } else { format!("\"{shown}\"") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const AT: Position = Position { line: 3, byte: 7, offset: 90 };

    fn named(sent: &[u8], received: &[u8]) -> String {
        Difference::name(AT, sent, received).to_string()
    }

    #[test]
    fn every_difference_says_where_and_what() {
        assert_eq!(named(b"lo\nnext", b"Lo\nnext"), "line 3, byte 7: sent 'l' (0x6c), received 'L' (0x4c)");
        assert_eq!(named(b"\0x", b"\xffx"), "line 3, byte 7: sent 0x00, received 0xff");
        assert_eq!(named(b"lo\nnext", b"!lo\nnext"), "line 3, byte 7: 1 byte came that was not sent: \"!\"");
        assert_eq!(named(b"lo\nnext", b"o\nnext"), "line 3, byte 7: 1 byte did not come back: \"l\"");
        assert_eq!(named(b"lo\nnext\n", b"next\n"), "line 3, byte 7: 3 bytes did not come back: \"lo\\n\"");
        assert_eq!(
            named(b"hello\n", b"500 what?\r\n"),
            "line 3, byte 7: sent 'h' (0x68), received '5' (0x35)"
        );
        assert_eq!(
            named(b"", b"\x1b[2J"),
            "line 3, byte 7, behind all that was sent: 4 bytes came that were not sent: \"\\x1b[2J\""
        );
        assert_eq!(
            Difference::name(Position::START, b"", b"220 mail").to_string(),
            "before anything was sent: 8 bytes came that were not sent: \"220 mail\""
        );
        assert_eq!(
            Difference::Missing { at: AT, bytes: 4 }.to_string(),
            "4 bytes missing from line 3, byte 7"
        );
    }

    #[test]
    fn a_line_ending_is_told_apart_from_other_changes() {
        let to_crlf = Difference::name(AT, b"\nnext\n", b"\r\nnext\r\n");
        assert_eq!(to_crlf, Difference::LineEnding { at: AT, sent: Ending::Lf, received: Ending::Crlf });
        let to_lf = Difference::name(AT, b"\r\nnext", b"\nnext");
        assert_eq!(to_lf, Difference::LineEnding { at: AT, sent: Ending::Crlf, received: Ending::Lf });
        assert!(to_lf.to_string().contains("sent as CRLF (0x0d 0x0a) and came back as LF (0x0a)"));
        let lone = Difference::name(AT, b"\rx\n", b"x\n");
        assert_eq!(lone, Difference::LeftOut { at: AT, bytes: b"\r".to_vec() });
    }

    proptest! {
        /// With no byte twice there is one reading, and it is found.
        #[test]
        fn a_change_among_distinct_bytes_is_named_exactly(start in 32..100_u8, len in 8..40_u8, at in 0..4_usize, many in 1..4_usize) {
            let sent: Vec<u8> = (start..start + len).collect();
            let tail = &sent[at..];
            let mut altered = tail.to_vec();
            altered[0] = 255;
            prop_assert_eq!(Difference::name(AT, tail, &altered), Difference::Altered { at: AT, sent: tail[0], received: 255 });
            let extra = vec![254; many];
            let added = [&extra[..], tail].concat();
            prop_assert_eq!(Difference::name(AT, tail, &added), Difference::Added { at: AT, bytes: extra });
            let left_out = Difference::LeftOut { at: AT, bytes: tail[..many].to_vec() };
            prop_assert_eq!(Difference::name(AT, tail, &tail[many..]), left_out);
        }
    }
}
