//! Bytes of a peer, made safe for a terminal or a log.

use std::fmt::{self, Write};

/// Shows `bytes` on one line: printable UTF-8 as it is; a control byte, a broken byte, or a character that steers
/// the terminal or the direction of writing, as an escape (`\n`, `\x1b`, `\u{202e}`); a backslash doubled.
///
/// ```
/// assert_eq!(echoline_diagnosis::escape::escape(b"caf\xc3\xa9 \x1b[2J\xff\r\n").to_string(), r"café \x1b[2J\xff\r\n");
/// ```
pub fn escape(bytes: &[u8]) -> Escaped<'_> {
    Escaped { bytes, double_backslash: true }
}

/// The result of [`escape`]; write it with `{}`.
#[derive(Debug, Clone, Copy)]
pub struct Escaped<'a> {
    bytes: &'a [u8],
    double_backslash: bool,
}

impl Escaped<'_> {
    /// Leaves a backslash as it is: nicer to read, but then `\n` may be an LF or what somebody wrote.
    #[must_use]
    pub fn with_plain_backslash(self) -> Self {
        Self { double_backslash: false, ..self }
    }
}

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.bytes.utf8_chunks() {
            for char in chunk.valid().chars() {
                match char {
                    '\\' if self.double_backslash => f.write_str("\\\\")?,
                    '\n' => f.write_str("\\n")?,
                    '\r' => f.write_str("\\r")?,
                    '\t' => f.write_str("\\t")?,
                    '\0'..='\x1f' | '\x7f' => write!(f, "\\x{:02x}", u32::from(char))?,
                    _ if steers(char) => write!(f, "\\u{{{:x}}}", u32::from(char))?,
                    _ => f.write_char(char)?,
                }
            }
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// Shows a JSON document with every character that steers a terminal, or the direction of writing, as `\u....`: for a
/// parser it is the same document. A writer of JSON escapes the controls below U+0020 and no others.
///
/// ```
/// let document = "{\"greeting\": \"\u{9b}2J\u{202e}abc\"}";
/// assert_eq!(echoline_diagnosis::escape::json(document).to_string(), r#"{"greeting": "\u009b2J\u202eabc"}"#);
/// ```
pub fn json(document: &str) -> EscapedJson<'_> {
    EscapedJson(document)
}

/// The result of [`json`]; write it with `{}`.
#[derive(Debug, Clone, Copy)]
pub struct EscapedJson<'a>(&'a str);

impl fmt::Display for EscapedJson<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Outside of strings JSON is ASCII without controls but white space, so none of these is met there.
        let mut rest = self.0;
        while let Some(at) = rest.find(|char| char == '\x7f' || steers(char)) {
            let (before, from) = rest.split_at(at);
            f.write_str(before)?;
            let mut chars = from.chars();
            let mut units = [0; 2];
            for unit in chars.next().map(|char| char.encode_utf16(&mut units)).into_iter().flatten() {
                write!(f, "\\u{unit:04x}")?;
            }
            rest = chars.as_str();
        }
        f.write_str(rest)
    }
}

/// C1 controls, line and paragraph separators, invisible and bidirectional formatting, that of shorthand, music and
/// hieroglyphs too, tag characters.
fn steers(char: char) -> bool {
    matches!(char,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_comes_through() {
        let hostile = "\x1b]0;title\x07\u{9b}31m\u{202e}abc\u{2066}\u{200d}\x08\x7f\0";
        let shown = escape(hostile.as_bytes()).to_string();
        assert_eq!(shown, r"\x1b]0;title\x07\u{9b}31m\u{202e}abc\u{2066}\u{200d}\x08\x7f\x00");
        assert!(escape(b"\xc2\x41\xe2\x80").to_string() == r"\xc2A\xe2\x80");
        let invisible = "\u{ad}\u{13430}\u{1bca0}\u{1d173}\u{e0041}";
        assert_eq!(escape(invisible.as_bytes()).to_string(), r"\u{ad}\u{13430}\u{1bca0}\u{1d173}\u{e0041}");
    }

    #[test]
    fn a_json_document_loses_what_steers_a_terminal_and_nothing_else() {
        let document = "{\"a\\n\": [\"\u{7f}\u{9b}\u{e0041}caf\u{e9}\u{202e}\", 1.5, null]}\n";
        let shown = json(document).to_string();
        assert_eq!(shown, "{\"a\\n\": [\"\\u007f\\u009b\\udb40\\udc41caf\u{e9}\\u202e\", 1.5, null]}\n");
    }

    /// What `escape` writes, read back; also proves that no two inputs share a text.
    fn unescape(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            if character != '\\' {
                bytes.extend(character.to_string().bytes());
                continue;
            }
            match rest.next().unwrap() {
                'n' => bytes.push(b'\n'),
                'r' => bytes.push(b'\r'),
                't' => bytes.push(b'\t'),
                '\\' => bytes.push(b'\\'),
                'x' => {
                    let digits: String = rest.by_ref().take(2).collect();
                    bytes.push(u8::from_str_radix(&digits, 16).unwrap());
                }
                'u' => {
                    let digits: String = rest.by_ref().skip(1).take_while(|&c| c != '}').collect();
                    let code = u32::from_str_radix(&digits, 16).unwrap();
                    bytes.extend(char::from_u32(code).unwrap().to_string().bytes());
                }
                other => panic!("unknown escape {other}"),
            }
        }
        bytes
    }

    fn acts(character: char) -> bool {
        character.is_control()
            || matches!(character, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    }

    proptest! {
        #[test]
        fn escaped_bytes_hold_nothing_that_acts_and_read_back_the_same(bytes in any::<Vec<u8>>()) {
            let text = escape(&bytes).to_string();
            prop_assert!(!text.chars().any(acts));
            prop_assert_eq!(unescape(&text), bytes);
        }

        #[test]
        fn escaped_characters_hold_nothing_that_acts_and_read_back_the_same(
            characters in prop::collection::vec(
                prop_oneof![any::<char>(), prop::char::range('\0', '\u{9f}'), prop::char::range('\u{200b}', '\u{206f}'), Just('\u{feff}')],
                0..40,
            )
        ) {
            let text = String::from_iter(characters);
            let shown = escape(text.as_bytes()).to_string();
            prop_assert!(!shown.chars().any(acts));
            prop_assert_eq!(unescape(&shown), text.into_bytes());
        }
    }
}
