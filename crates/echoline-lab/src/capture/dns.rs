//! As much of DNS (RFC 1035 section 4) as one line needs.

/// What a message to or from a name server asks or answers; `None` if it is no DNS.
pub(super) fn says(message: &[u8]) -> Option<String> {
    let flags = u16::from_be_bytes([*message.get(2)?, *message.get(3)?]);
    let questions = u16::from_be_bytes([*message.get(4)?, *message.get(5)?]);
    let answers = u16::from_be_bytes([*message.get(6)?, *message.get(7)?]);
    if questions != 1 {
        return None;
    }
    let (name, rest) = name(message.get(12..)?)?;
    let kind = match u16::from_be_bytes([*rest.first()?, *rest.get(1)?]) {
        1 => "A".to_owned(),
        5 => "CNAME".to_owned(),
        12 => "PTR".to_owned(),
        16 => "TXT".to_owned(),
        28 => "AAAA".to_owned(),
        65 => "HTTPS".to_owned(),
        other => format!("type {other}"),
    };
    if flags & 0x8000 == 0 {
        return Some(format!("DNS asks for {kind} of {name}"));
    }
    let outcome = match flags & 0xf {
        0 if answers == 0 => "no such record".to_owned(),
        0 if answers == 1 => "1 record".to_owned(),
        0 => format!("{answers} records"),
        2 => "the server failed".to_owned(),
        3 => "no such name".to_owned(),
        5 => "refused".to_owned(),
        other => format!("error {other}"),
    };
    Some(format!("DNS answers {kind} of {name}: {outcome}"))
}

/// The name of the question, which is never compressed, and what follows it.
fn name(mut bytes: &[u8]) -> Option<(String, &[u8])> {
    let mut name = String::new();
    loop {
        let (&length, rest) = bytes.split_first()?;
        match length {
            0 if name.is_empty() => return Some((".".into(), rest)),
            0 => return Some((name, rest)),
            1..=63 if name.len() < 1024 => {
                let label = rest.get(..length.into())?;
                if !name.is_empty() {
                    name.push('.');
                }
                name.push_str(&label.escape_ascii().to_string());
                bytes = &rest[length.into()..];
            }
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_question_and_its_answers_are_named() {
        let mut message = vec![0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        message.extend(b"\x04echo\x03lab\x04test\0\0\x01\0\x01");
        assert_eq!(says(&message).as_deref(), Some("DNS asks for A of echo.lab.test"));
        message[2] = 0x81;
        message[3] = 3;
        assert_eq!(says(&message).as_deref(), Some("DNS answers A of echo.lab.test: no such name"));
        message[3] = 0;
        message[7] = 2;
        assert_eq!(says(&message).as_deref(), Some("DNS answers A of echo.lab.test: 2 records"));
    }

    proptest! {
        #[test]
        fn no_message_makes_it_panic_or_write_control_bytes(message in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Some(line) = says(&message) {
                prop_assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
            }
        }
    }
}
