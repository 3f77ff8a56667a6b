//! What a program says about itself by its first bytes.

/// The protocol, where the bytes leave little doubt.
pub fn recognise(bytes: &[u8]) -> Option<&'static str> {
    const BEGINNINGS: [(&[u8], &str); 11] = [
        (b"SSH-", "SSH"),
        (b"HTTP/", "HTTP"),
        (b"+OK", "POP3"),
        (b"* OK", "IMAP"),
        (b"RFB 0", "VNC (RFB)"),
        (b"AMQP", "AMQP"),
        (b"-ERR", "Redis"),
        // A TLS alert or handshake record, RFC 8446 section 5.1.
        (b"\x15\x03", "TLS"),
        (b"\x16\x03", "TLS"),
        (b"<!DOCTYPE HTML", "HTTP"),
        (b"@RSYNCD:", "rsync"),
    ];
    let upper = bytes[..bytes.len().min(200)].to_ascii_uppercase();
    if bytes.starts_with(b"220") {
        let says = |word: &[u8]| upper.windows(word.len()).any(|window| window == word);
        return Some(match (says(b"SMTP"), says(b"FTP")) {
            (true, _) => "SMTP",
            (_, true) => "FTP",
            _ => "SMTP or FTP",
        });
    }
    // MySQL and MariaDB: a length of three bytes, number 0, protocol 10, then the version as text.
    if bytes.len() > 6 && bytes[3..5] == [0, 10] && bytes[5].is_ascii_digit() {
        return Some("MySQL");
    }
    if is_chargen(bytes) {
        return Some("chargen (RFC 864)");
    }
    let known = BEGINNINGS.iter().find(|(beginning, _)| upper.starts_with(&beginning.to_ascii_uppercase()));
    known.map(|(_, name)| *name)
}

/// The printable ASCII characters in their order, round and round, from wherever the line begins (RFC 864).
fn is_chargen(bytes: &[u8]) -> bool {
    /// Half of a line: nobody types so much of it.
    const ENOUGH: usize = 36;
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let follows = |pair: &[u8]| matches!(pair, [b'~', b' ']) || pair[0].checked_add(1) == Some(pair[1]);
    let printable = line.iter().all(|byte| (b' '..=b'~').contains(byte));
    line.len() >= ENOUGH && printable && line.windows(2).all(follows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greetings_are_recognised_and_other_text_is_not() {
        for (bytes, expected) in [
            (&b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"[..], Some("SSH")),
            (b"220 mail.example ESMTP Postfix\r\n", Some("SMTP")),
            (b"220 (vsFTPd 3.0.3)\r\n", Some("FTP")),
            (b"220 ready\r\n", Some("SMTP or FTP")),
            (b"HTTP/1.1 400 Bad Request\r\n", Some("HTTP")),
            (b"<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\"\r\n", Some("HTTP")),
            (b"J\0\0\0\x0a8.0.36\0", Some("MySQL")),
            (b"\x15\x03\x01\x00\x02\x02\x46", Some("TLS")),
            (
                b"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghij\r\n$%",
                Some("chargen (RFC 864)"),
            ),
            (b"XYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~ !\"#$%&'()*+,-./", Some("chargen (RFC 864)")),
            (b"abcdefghijklmnopqrstuvwxyz\n", None),
            (b"hello\n", None),
            (b"", None),
        ] {
            assert_eq!(recognise(bytes), expected);
        }
    }
}
