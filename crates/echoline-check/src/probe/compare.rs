//! How an answer that is not identical relates to what was sent: a pure function of the two.

use crate::evidence::{Answer, LineEnds, What};

/// How an answer that is not identical relates to what was sent.
pub(super) fn compare(what: What, sent: &[u8], got: &[u8]) -> Answer {
    if line_ends(sent, got).is_some() {
        return Answer::LineEndings;
    }
    if let Some(added) = added(sent, got) {
        return added;
    }
    let bare =
        |text: &[u8]| text.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect::<Vec<u8>>();
    if bare(sent) == bare(got) {
        return Answer::LineEndings;
    }
    let at = sent.iter().zip(got).position(|(a, b)| a != b).unwrap_or(sent.len().min(got.len()));
    let core = sent.strip_suffix(b"\n").unwrap_or(sent);
    let (lower_core, lower_got) = (core.to_ascii_lowercase(), got.to_ascii_lowercase());
    let contains = lower_got.windows(lower_core.len().max(1)).any(|window| window == lower_core);
    // Much of the line came back, or all of it in other letters; and what has echoed once is an echo service.
    if what != What::Line || contains || at > core.len() / 2 {
        Answer::Altered { at }
    } else {
        Answer::Different
    }
}

/// Each line of it is there, in its order, and more.
fn added(sent: &[u8], got: &[u8]) -> Option<Answer> {
    let mut rest = got;
    for line in sent.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        rest = behind(rest, text)?;
        if text.len() < line.len() {
            rest = behind(rest, b"\n")?;
        }
    }
    let at = sent.iter().zip(got).position(|(a, b)| a != b).unwrap_or(sent.len());
    Some(Answer::Added { at, bytes: got.len().saturating_sub(sent.len()) })
}

/// What follows the first place where `text` has `what`.
fn behind<'a>(text: &'a [u8], what: &[u8]) -> Option<&'a [u8]> {
    let at = text.windows(what.len().max(1)).position(|window| window == what)?;
    Some(&text[at + what.len()..])
}

/// The conversion of line endings that makes of one the other.
pub(super) fn line_ends(sent: &[u8], got: &[u8]) -> Option<LineEnds> {
    let bare = replaced(sent, b"\r\n", b"\n");
    let conversions = [
        (LineEnds::CrLfToLf, bare.clone()),
        (LineEnds::LfToCrLf, replaced(sent, b"\n", b"\r\n")),
        (LineEnds::LfToCrLf, replaced(&bare, b"\n", b"\r\n")),
        (LineEnds::CrToLf, replaced(sent, b"\r", b"\n")),
        (LineEnds::CrToLf, replaced(&bare, b"\r", b"\n")),
        (LineEnds::CrLost, replaced(sent, b"\r", b"")),
    ];
    let mut found = conversions.into_iter().filter(|(_, text)| text == got && text != sent);
    found.next().map(|(ends, _)| ends)
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut whole = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.first() {
        if let Some(behind) = rest.strip_prefix(from) {
            whole.extend_from_slice(to);
            rest = behind;
        } else {
            whole.push(*first);
            rest = &rest[1..];
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use echoline_diagnosis::escape::escape;

    use super::*;

    #[test]
    fn what_comes_back_is_named_by_how_it_differs() {
        let sent = b"echoline check 0123abcd\n";
        for (got, expected) in [
            (&b"echoline check 0123abcd\r\n"[..], Answer::LineEndings),
            (b"echoline check 0123abcd\n\n", Answer::Added { at: 24, bytes: 1 }),
            (b"echoline check 0123abcd\r", Answer::LineEndings),
            (b"ECHOLINE CHECK 0123ABCD\n", Answer::Altered { at: 0 }),
            (b"You said: ECHOLINE CHECK 0123ABCD\n", Answer::Altered { at: 0 }),
            (b"You said: echoline check 0123abcd\n", Answer::Added { at: 0, bytes: 10 }),
            (b"\"echoline check 0123abcd\", no?\r\n", Answer::Added { at: 0, bytes: 8 }),
            (b"echoline check 0123abcd\necholine check 0123abcd\n", Answer::Added { at: 24, bytes: 24 }),
            (b"echoline check 0123abc?\n", Answer::Altered { at: 22 }),
            (b"HTTP/1.1 400 Bad Request\r\n", Answer::Different),
            (b"e", Answer::Different),
        ] {
            assert_eq!(compare(What::Line, sent, got), expected, "{}", escape(got));
        }
        let pair = compare(What::Pair, b"first\nsecond\n", b"first\n> second\n");
        assert_eq!(pair, Answer::Added { at: 6, bytes: 2 });
        let swapped = compare(What::Pair, b"first\nsecond\n", b"second\nfirst\nmore\n");
        assert_eq!(swapped, Answer::Altered { at: 0 });
        assert_eq!(compare(What::HalfClose, b"tail", b"tailbye\n"), Answer::Added { at: 4, bytes: 4 });
        assert_eq!(compare(What::BinaryLine, b"\x80\n", b"?"), Answer::Altered { at: 0 });
    }

    #[test]
    fn a_conversion_of_line_endings_is_named_and_a_line_that_is_the_same_has_none() {
        let sent = b"a CR \r and CR LF\r\nLF\n";
        for (got, expected) in [
            (&b"a CR \r and CR LF\nLF\n"[..], Some(LineEnds::CrLfToLf)),
            (b"a CR \r and CR LF\r\nLF\r\n", Some(LineEnds::LfToCrLf)),
            (b"a CR \r and CR LF\r\r\nLF\r\n", Some(LineEnds::LfToCrLf)),
            (b"a CR \n and CR LF\n\nLF\n", Some(LineEnds::CrToLf)),
            (b"a CR \n and CR LF\nLF\n", Some(LineEnds::CrToLf)),
            (b"a CR  and CR LF\nLF\n", Some(LineEnds::CrLost)),
            (b"a CR \r and CR LF\r\nLF\r", None),
            (sent, None),
        ] {
            assert_eq!(line_ends(sent, got), expected, "{}", escape(got));
        }
    }
}
