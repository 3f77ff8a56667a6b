//! Bytes of a peer made safe to show: nothing in the result can move a cursor, ring a bell or reorder text.

use std::fmt::Write;

/// Shows bytes so that each input has a text of its own and no text can act on a terminal.
///
/// Printable UTF-8 stands as it is. A newline, carriage return, tab and backslash become `\n`, `\r`, `\t` and `\\`.
/// Other ASCII controls, and bytes that are no UTF-8, become `\xNN`. Other characters that do not print (C1 controls,
/// bidirectional overrides, zero-width and unassigned ones) become `\u{N}`.
pub(crate) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            escape_character(character, &mut text);
        }
        for &byte in chunk.invalid() {
            hex(byte, &mut text);
        }
    }
    text
}

/// Text of our own that may quote a peer, a name server or an argument: as it is, but for what does not print.
///
/// Unlike [`escape`] it leaves `\\` alone, so that what was escaped before does not grow.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character == '\\' { shown.push(character) } else { escape_character(character, &mut shown) }
    }
    shown
}

fn escape_character(character: char, text: &mut String) {
    match character {
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        '\\' => text.push_str("\\\\"),
        ' '..='~' => text.push(character),
        '\0'..='\x7f' => hex(character as u8, text),
        // The standard library's table of what prints: no controls, formats (Cf) or separators, nothing unassigned.
        _ => text.extend(character.escape_debug()),
    }
}

fn hex(byte: u8, text: &mut String) {
    // Writing to a string cannot fail.
    let _ = write!(text, "\\x{byte:02x}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_acts_on_a_terminal_is_spelt_out() {
        let cases: [(&[u8], &str); 10] = [
            (b"plain 'text' \"as is\"", "plain 'text' \"as is\""),
            ("Grüße, 日本 🦀".as_bytes(), "Grüße, 日本 🦀"),
            (b"line\r\n\t", "line\\r\\n\\t"),
            (b"C:\\x1b", "C:\\\\x1b"),
            (b"\x1b[2J\x07", "\\x1b[2J\\x07"),
            (b"\x1b]52;c;aGk=\x1b\\", "\\x1b]52;c;aGk=\\x1b\\\\"),
            ("\u{9b}2J\u{7f}".as_bytes(), "\\u{9b}2J\\x7f"),
            ("\u{202e}drow\u{2066}\u{200f}".as_bytes(), "\\u{202e}drow\\u{2066}\\u{200f}"),
            (b"\xff\xc3\x28\x9b", "\\xff\\xc3(\\x9b"),
            ("\u{2028}\u{feff}\u{e0041}".as_bytes(), "\\u{2028}\\u{feff}\\u{e0041}"),
        ];
        for (bytes, text) in cases {
            assert_eq!(escape(bytes), text);
        }
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
            let text = escape(&bytes);
            prop_assert!(!text.chars().any(acts));
            prop_assert_eq!(unescape(&text), bytes);
        }

        #[test]
        fn escaped_characters_hold_nothing_that_acts_and_read_back_the_same(text in any::<String>()) {
            let shown = escape(text.as_bytes());
            prop_assert!(!shown.chars().any(acts));
            prop_assert_eq!(unescape(&shown), text.into_bytes());
        }
    }
}
