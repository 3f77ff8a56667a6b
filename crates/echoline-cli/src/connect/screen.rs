//! How a conversation looks on a terminal. Nothing that a server says gets there unescaped.

use std::borrow::Cow;
use std::io;
use std::time::Duration;

use echoline_diagnosis::escape::escape;
use echoline_diagnosis::units::{count, human_time};

use super::conversation::Ending;

/// What came back for one line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) bytes: Vec<u8>,
    /// More came than is kept.
    pub(super) dropped: u64,
    /// Calls of `recv` that it took.
    pub(super) reads: u64,
    /// From our send to its last byte.
    pub(super) took: Duration,
}

/// Lines as they are, everything else in them escaped.
pub(super) fn escape_lines(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|&byte| byte == b'\n') {
        match line.strip_suffix(b"\n") {
            Some(line) => {
                text += &escape(line).to_string();
                text.push('\n');
            }
            None => text += &escape(line).to_string(),
        }
    }
    text
}

/// `hello            6 bytes, 1 read, 0.09 ms`: the reply, then what was measured.
///
/// The line ending that was sent is not shown; any other is, unless nothing is compared.
pub(super) fn reply(reply: &Reply, line_ending: &[u8], verify: bool) -> String {
    const WIDTH: usize = 16;
    let shown = lines(&reply.bytes, verify);
    let ended = shown.strip_suffix(if verify { line_ending } else { b"\n" });
    let text = match ended {
        // Several lines stand as lines.
        Some(lines) => escape_lines(lines),
        None => escape(&shown).to_string(),
    };
    let bytes = count(reply.bytes.len() as u64 + reply.dropped, "byte");
    let dim = anstyle::Style::new().dimmed();
    let measured = format!("{dim}{bytes}, {}, {}{dim:#}", count(reply.reads, "read"), human_time(reply.took));
    let last = text.rsplit('\n').next().unwrap_or_default().chars().count();
    format!("{text}{:pad$} {measured}", "", pad = WIDTH.saturating_sub(last))
}

/// Where nothing is compared, CRLF ends a line like LF.
fn lines(bytes: &[u8], verify: bool) -> Cow<'_, [u8]> {
    if verify { Cow::Borrowed(bytes) } else { Cow::Owned(without_cr(bytes)) }
}

fn without_cr(bytes: &[u8]) -> Vec<u8> {
    let ends_a_line = |at: usize| bytes[at] == b'\r' && bytes.get(at + 1) == Some(&b'\n');
    (0..bytes.len()).filter(|&at| !ends_a_line(at)).map(|at| bytes[at]).collect()
}

/// What is wrong with an answer, in the line under it.
pub(super) fn problem(problem: &Ending, wait: Duration) -> String {
    let text = match problem {
        Ending::Different(difference, _) => format!("not identical: {difference}"),
        Ending::ClosedEarly(Some(missing)) => format!("the connection ended: {missing}"),
        Ending::Broken(error, _) => format!("the {}", broke(error)),
        Ending::NoReply { from, .. } if from.byte == 1 => format!("no reply in {}", human_time(wait)),
        Ending::NoReply { missing, .. } => {
            format!("{} still missing after {}", count(*missing, "byte"), human_time(wait))
        }
        _ => "the conversation ended".to_owned(),
    };
    let red = anstyle::AnsiColor::Red.on_default();
    format!("{red}{text}{red:#}")
}

/// How a connection broke, as the rest of a sentence.
pub(super) fn broke(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::TimedOut => "connection is lost: what was sent is no longer acknowledged".to_owned(),
        _ => format!("connection broke: {error}"),
    }
}

/// Bytes that nothing of ours asked for.
pub(super) fn unasked(bytes: &[u8], verify: bool) -> String {
    const SHOWN: usize = 1024;
    let (shown, rest) = bytes.split_at(bytes.len().min(SHOWN));
    let mut text = escape_lines(&lines(shown, verify));
    if !rest.is_empty() {
        text += &format!("... and {} more", count(rest.len() as u64, "byte"));
    }
    if verify {
        let text = text.trim_end_matches('\n');
        return format!("{text:<16} {}, not asked for\n", count(bytes.len() as u64, "byte"));
    }
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bytes: &[u8], line_ending: &[u8]) -> String {
        let reply = Reply { bytes: bytes.to_vec(), dropped: 0, reads: 1, took: Duration::from_micros(90) };
        anstream::adapter::strip_str(&super::reply(&reply, line_ending, true)).to_string()
    }

    #[test]
    fn a_reply_shows_its_bytes_reads_and_time() {
        assert_eq!(shown(b"hello\n", b"\n"), "hello            6 bytes, 1 read, 0.09 ms");
        assert_eq!(shown(b"hello\r\n", b"\r\n"), "hello            7 bytes, 1 read, 0.09 ms");
        assert_eq!(shown(b"", b"\n"), "                 0 bytes, 1 read, 0.09 ms");
        assert_eq!(
            shown(b"a line of 25 characters..\n", b"\n"),
            "a line of 25 characters.. 26 bytes, 1 read, 0.09 ms"
        );
    }

    #[test]
    fn a_line_ending_that_was_not_sent_is_shown() {
        assert_eq!(shown(b"a\n\nb\n\n", b"\n"), "a\n\nb\n                 6 bytes, 1 read, 0.09 ms");
        assert_eq!(shown(b"hello\r\n", b"\n"), "hello\\r          7 bytes, 1 read, 0.09 ms");
        assert_eq!(shown(b"hello\n", b"\r\n"), "hello\\n          6 bytes, 1 read, 0.09 ms");
    }

    #[test]
    fn what_a_server_says_cannot_act_on_the_terminal() {
        assert_eq!(shown(b"\x1b[2J\xc2\x9b\n", b"\n"), "\\x1b[2J\\u{9b}    7 bytes, 1 read, 0.09 ms");
        assert_eq!(escape_lines(b"a\r\n\x1b]0;x\x07\n\xe2\x80\xae"), "a\\r\n\\x1b]0;x\\x07\n\\u{202e}");
        assert_eq!(unasked(b"220 mail\x07\r\n", false), "220 mail\\x07\n");
        assert_eq!(unasked(b"220 mail\n", true), "220 mail         9 bytes, not asked for\n");
    }
}
