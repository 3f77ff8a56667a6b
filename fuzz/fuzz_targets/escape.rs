//! Any bytes, escaped: nothing in the text acts on a terminal, and the text reads back to the bytes.

#![no_main]

use echoline::escape::escape;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let shown = escape(bytes).to_string();
    assert!(!shown.chars().any(acts), "{shown:?}");
    assert_eq!(read_back(&shown), bytes);
    let plain = escape(bytes).with_plain_backslash().to_string();
    assert!(!plain.chars().any(acts), "{plain:?}");
    assert_eq!(plain, shown.replace("\\\\", "\\"), "only backslashes differ");
});

/// Controls (Cc), formatting that is invisible or turns the direction (Cf), and separators of lines (Zl, Zp).
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e007f}')
}

fn read_back(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let escape = &rest[at + 1..];
        let hex = |digits: &str| u32::from_str_radix(digits, 16).expect("hexadecimal");
        rest = match escape.as_bytes()[0] {
            b'n' => put(&mut bytes, b"\n", &escape[1..]),
            b'r' => put(&mut bytes, b"\r", &escape[1..]),
            b't' => put(&mut bytes, b"\t", &escape[1..]),
            b'\\' => put(&mut bytes, b"\\", &escape[1..]),
            b'x' => put(&mut bytes, &[hex(&escape[1..3]) as u8], &escape[3..]),
            b'u' => {
                let (digits, after) = escape[2..].split_once('}').expect("a closing brace");
                let character = char::from_u32(hex(digits)).expect("a character");
                put(&mut bytes, character.to_string().as_bytes(), after)
            }
            other => panic!("unknown escape {other}"),
        };
    }
    bytes.extend_from_slice(rest.as_bytes());
    bytes
}

fn put<'a>(bytes: &mut Vec<u8>, piece: &[u8], rest: &'a str) -> &'a str {
    bytes.extend_from_slice(piece);
    rest
}
