//! DNS messages (RFC 1035, section 4): as much as a name server without zones of others needs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) const A: u16 = 1;
pub(super) const PTR: u16 = 12;
pub(super) const AAAA: u16 = 28;

const HEADER: usize = 12;
/// The longest name, with the lengths of its labels (RFC 1035, section 2.3.4): else an answer might not fit a datagram.
const LONGEST_NAME: usize = 255;
/// Seconds for which an answer may be kept: short, since a lab changes.
const TIME_TO_LIVE: u32 = 1;
/// A pointer to the question's name.
const SAME_NAME: [u8; 2] = [0xC0, HEADER as u8];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rcode {
    None = 0,
    FormatError = 1,
    ServerFailure = 2,
    NoSuchName = 3,
    NotImplemented = 4,
    Refused = 5,
}

/// A question.
pub(super) struct Query {
    /// In lower case, without the final dot.
    pub(super) name: String,
    pub(super) kind: u16,
    id: [u8; 2],
    recursion_desired: bool,
    question: Vec<u8>,
}

/// An answer under construction.
pub(super) struct Reply {
    bytes: Vec<u8>,
    answers: u16,
    question_end: usize,
}

impl Query {
    /// Reads a query; `Err(None)` is what no answer is due to, such as an answer.
    pub(super) fn parse(message: &[u8]) -> Result<Self, Option<Rcode>> {
        let Some(header) = message.get(..HEADER) else { return Err(None) };
        if header[2] & 0x80 != 0 {
            return Err(None);
        }
        if header[2] & 0x78 != 0 {
            return Err(Some(Rcode::NotImplemented));
        }
        if header[4..6] != [0, 1] {
            return Err(Some(Rcode::FormatError));
        }
        let (name, name_end) = name_at(message, HEADER).ok_or(Some(Rcode::FormatError))?;
        let tail = message.get(name_end..name_end + 4).ok_or(Some(Rcode::FormatError))?;
        Ok(Self {
            name,
            kind: u16::from_be_bytes([tail[0], tail[1]]),
            id: [header[0], header[1]],
            recursion_desired: header[2] & 1 == 1,
            question: message[HEADER..name_end + 4].to_vec(),
        })
    }

    pub(super) fn reply(&self, rcode: Rcode) -> Reply {
        let mut bytes = header(self.id, self.recursion_desired, rcode, 1).to_vec();
        bytes.extend(&self.question);
        let question_end = bytes.len();
        Reply { bytes, answers: 0, question_end }
    }
}

/// QR and AA are set, RA too: stub resolvers want it.
fn header(id: [u8; 2], recursion_desired: bool, rcode: Rcode, questions: u8) -> [u8; HEADER] {
    [id[0], id[1], 0x84 | u8::from(recursion_desired), 0x80 | rcode as u8, 0, questions, 0, 0, 0, 0, 0, 0]
}

/// The answer to a message that is no sound query.
pub(super) fn refuse(message: &[u8], rcode: Rcode) -> Option<Vec<u8>> {
    let id = message.get(..2)?;
    Some(header([id[0], id[1]], false, rcode, 0).to_vec())
}

impl Reply {
    /// Adds a record of the name that was asked for.
    pub(super) fn add_record(&mut self, kind: u16, data: &[u8]) {
        let Ok(length) = u16::try_from(data.len()) else { return };
        self.bytes.extend(SAME_NAME);
        self.bytes.extend(kind.to_be_bytes());
        self.bytes.extend([0, 1]);
        self.bytes.extend(TIME_TO_LIVE.to_be_bytes());
        self.bytes.extend(length.to_be_bytes());
        self.bytes.extend(data);
        self.answers = self.answers.saturating_add(1);
    }

    /// Adds a PTR record.
    pub(super) fn add_name(&mut self, name: &str) {
        let mut data = Vec::new();
        for label in name.split('.') {
            data.push(label.len() as u8);
            data.extend(label.as_bytes());
        }
        data.push(0);
        self.add_record(PTR, &data);
    }

    /// What does not fit is left out whole, and the client told to come by TCP.
    pub(super) fn fit(&mut self, limit: usize) {
        if self.bytes.len() > limit {
            self.bytes.truncate(self.question_end);
            self.bytes[2] |= 2;
            self.answers = 0;
        }
    }

    pub(super) fn into_bytes(mut self) -> Vec<u8> {
        self.bytes[6..8].copy_from_slice(&self.answers.to_be_bytes());
        self.bytes
    }
}

/// The name that begins at `at`, and where it ends. A question's name has no pointers.
fn name_at(message: &[u8], mut at: usize) -> Option<(String, usize)> {
    let mut labels = Vec::new();
    let start = at;
    loop {
        let length = usize::from(*message.get(at)?);
        at += 1;
        match length {
            0 => break,
            1..=63 => {
                let label = message.get(at..at + length)?;
                labels.push(std::str::from_utf8(label).ok()?.to_ascii_lowercase());
                at += length;
            }
            _ => return None,
        }
    }
    (at - start <= LONGEST_NAME).then(|| (labels.join("."), at))
}

/// The address in a name such as `10.113.0.203.in-addr.arpa`.
pub(super) fn reverse_address(name: &str) -> Option<IpAddr> {
    if let Some(digits) = name.strip_suffix(".in-addr.arpa") {
        let mut octets: Vec<u8> = digits.split('.').map(str::parse).collect::<Result<_, _>>().ok()?;
        octets.reverse();
        return Some(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).into());
    }
    let digits = name.strip_suffix(".ip6.arpa")?;
    let mut nibbles = digits.split('.').map(|nibble| u8::from_str_radix(nibble, 16).ok().filter(|n| *n < 16));
    let mut value = 0u128;
    for place in 0..32 {
        value |= u128::from(nibbles.next()??) << (4 * place);
    }
    nibbles.next().is_none().then(|| Ipv6Addr::from(value).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_names_of_both_families_are_understood() {
        assert_eq!(reverse_address("10.113.0.203.in-addr.arpa"), "203.0.113.10".parse().ok());
        let six = "0.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";
        assert_eq!(reverse_address(six), "2001:db8::10".parse().ok());
        assert_eq!(reverse_address("echo.lab.test"), None);
        assert_eq!(reverse_address("1.2.3.in-addr.arpa"), None);
    }
}
