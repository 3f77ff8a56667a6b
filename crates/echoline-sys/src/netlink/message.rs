//! The bytes of netlink messages and of their attributes (netlink(7), rtnetlink(7)). No I/O.
//!
//! ```text
//! message:   length u32, kind u16, flags u16, sequence u32, port u32, then the body
//! attribute: length u16, kind u16, then the data
//! ```
//!
//! Numbers are in native byte order. A length includes the header. The next message or attribute
//! begins at a multiple of 4 bytes.

use std::io;
use std::net::IpAddr;

use thiserror::Error;

/// The bytes of `nlmsghdr`.
pub(crate) const HEADER: usize = 16;
/// The bytes of `rtattr` and `nlattr`.
const ATTRIBUTE_HEADER: usize = 4;
const ALIGNMENT: usize = 4;
/// The kind of an attribute without its two flags (`NLA_TYPE_MASK`).
const KIND: u16 = 0x3fff;

/// A reply that breaks the rules of its man page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("malformed reply of the kernel: {0}")]
pub(crate) struct Malformed(pub(crate) &'static str);

impl From<Malformed> for io::Error {
    fn from(malformed: Malformed) -> Self {
        Self::new(io::ErrorKind::InvalidData, malformed)
    }
}

/// One question.
pub(crate) struct Request {
    kind: u16,
    flags: u16,
    body: Vec<u8>,
}

impl Request {
    /// `fixed` is the structure with which a request of this kind begins.
    pub(crate) fn new(kind: u16, flags: u16, fixed: &[u8]) -> Self {
        let mut body = fixed.to_vec();
        body.resize(fixed.len().next_multiple_of(ALIGNMENT), 0);
        Self { kind, flags, body }
    }

    pub(crate) fn with_attribute(mut self, kind: u16, data: &[u8]) -> Self {
        let length = u16::try_from(ATTRIBUTE_HEADER + data.len()).expect("our attributes are short");
        self.body.extend(length.to_ne_bytes());
        self.body.extend(kind.to_ne_bytes());
        self.body.extend(data);
        self.body.resize(self.body.len().next_multiple_of(ALIGNMENT), 0);
        self
    }

    /// The bytes to send. The port stays 0: the kernel knows the sender.
    pub(crate) fn bytes(&self, sequence: u32) -> Vec<u8> {
        let length = u32::try_from(HEADER + self.body.len()).expect("our requests are short");
        let mut bytes = Vec::with_capacity(HEADER + self.body.len());
        bytes.extend(length.to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend(self.flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend(0_u32.to_ne_bytes());
        bytes.extend(&self.body);
        bytes
    }
}

/// One message of a datagram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(crate) flags: u16,
    pub(crate) sequence: u32,
    pub(crate) body: &'a [u8],
}

/// The messages of a datagram. The first malformed one is the last item.
pub(crate) fn messages(datagram: &[u8]) -> impl Iterator<Item = Result<Message<'_>, Malformed>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let next = cut_message(rest).transpose()?;
        rest = next.as_ref().map_or(&[], |(_, after)| after);
        Some(next.map(|(message, _)| message))
    })
}

/// The first message and what follows it; `None` at the end.
fn cut_message(bytes: &[u8]) -> Result<Option<(Message<'_>, &[u8])>, Malformed> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (header, _) = bytes.split_first_chunk::<HEADER>().ok_or(Malformed("a message without a header"))?;
    let [l0, l1, l2, l3, k0, k1, f0, f1, s0, s1, s2, s3, ..] = *header;
    let length = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3])).unwrap_or(usize::MAX);
    let body = bytes.get(HEADER..length).ok_or(Malformed("a message of a wrong length"))?;
    let message = Message {
        kind: u16::from_ne_bytes([k0, k1]),
        flags: u16::from_ne_bytes([f0, f1]),
        sequence: u32::from_ne_bytes([s0, s1, s2, s3]),
        body,
    };
    Ok(Some((message, bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default())))
}

/// The attributes in these bytes: kind and data. The first malformed one is the last item.
pub(crate) fn attributes(bytes: &[u8]) -> impl Iterator<Item = Result<(u16, &[u8]), Malformed>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let next = cut_attribute(rest).transpose()?;
        rest = next.as_ref().map_or(&[], |(_, after)| after);
        Some(next.map(|(attribute, _)| attribute))
    })
}

/// Kind and data of the first attribute, and what follows it; `None` at the end.
#[expect(clippy::type_complexity, reason = "one attribute and the rest")]
fn cut_attribute(bytes: &[u8]) -> Result<Option<((u16, &[u8]), &[u8])>, Malformed> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let (header, _) =
        bytes.split_first_chunk::<ATTRIBUTE_HEADER>().ok_or(Malformed("an attribute without a header"))?;
    let [l0, l1, k0, k1] = *header;
    let length = usize::from(u16::from_ne_bytes([l0, l1]));
    let data = bytes.get(ATTRIBUTE_HEADER..length).ok_or(Malformed("an attribute of a wrong length"))?;
    let kind = u16::from_ne_bytes([k0, k1]) & KIND;
    Ok(Some(((kind, data), bytes.get(length.next_multiple_of(ALIGNMENT)..).unwrap_or_default())))
}

/// The address family, as requests and replies encode it.
pub(crate) fn family_of(ip: IpAddr) -> u8 {
    if ip.is_ipv4() { FAMILY_4 } else { FAMILY_6 }
}

/// `AF_INET`
pub(crate) const FAMILY_4: u8 = libc::AF_INET as u8;
/// `AF_INET6`
pub(crate) const FAMILY_6: u8 = libc::AF_INET6 as u8;

/// The bytes of an address, in network order.
pub(crate) fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// Parses an address of 4 or 16 bytes.
pub(crate) fn address(data: &[u8]) -> Result<IpAddr, Malformed> {
    let four = <[u8; 4]>::try_from(data).map(IpAddr::from);
    let address = four.or_else(|_| <[u8; 16]>::try_from(data).map(IpAddr::from));
    address.map_err(|_| Malformed("an address of a wrong length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_messages() -> Vec<u8> {
        [Request::new(20, 2, &[7; 8]).bytes(5), Request::new(3, 2, &[]).bytes(6)].concat()
    }

    #[test]
    fn a_request_is_a_message_with_its_attributes() {
        let bytes = Request::new(26, 1, &[9; 12])
            .with_attribute(1, &[192, 0, 2, 1])
            .with_attribute(0x8002, &[1])
            .with_attribute(4, &7_u32.to_ne_bytes())
            .bytes(3);
        let all: Vec<_> = messages(&bytes).collect::<Result<_, _>>().unwrap();
        let [Message { kind: 26, flags: 1, sequence: 3, body }] = all[..] else { panic!("{all:?}") };
        assert_eq!(body[..12], [9; 12]);
        let attributes: Vec<_> = attributes(&body[12..]).collect::<Result<_, _>>().unwrap();
        // The second has a flag, which is not part of the kind, and padding, which is not data.
        assert_eq!(attributes, [(1, &[192, 0, 2, 1][..]), (2, &[1]), (4, &7_u32.to_ne_bytes())]);
    }

    #[test]
    fn a_datagram_may_hold_several_messages() {
        let bytes = two_messages();
        let all: Vec<_> = messages(&bytes).collect::<Result<_, _>>().unwrap();
        let first = Message { kind: 20, flags: 2, sequence: 5, body: &[7; 8] };
        let second = Message { kind: 3, flags: 2, sequence: 6, body: &[] };
        assert_eq!(all, [first, second]);
        assert_eq!(messages(&[]).count(), 0);
    }

    #[test]
    fn a_truncated_datagram_is_malformed() {
        let bytes = two_messages();
        let first = HEADER + 8;
        for end in (1..bytes.len()).filter(|end| *end != first) {
            let all: Vec<_> = messages(&bytes[..end]).collect();
            assert_eq!(all.len(), 1 + usize::from(end > first), "{end}");
            assert!(all.last().unwrap().is_err(), "{end}");
        }
    }

    #[test]
    fn a_length_shorter_than_the_header_is_malformed() {
        for length in 0..16_u32 {
            let mut bytes = two_messages();
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(messages(&bytes).collect::<Vec<_>>(), [Err(Malformed("a message of a wrong length"))]);
        }
        for length in 0..4_u16 {
            let bytes = [&length.to_ne_bytes()[..], &[5, 0, 192, 0, 2, 1]].concat();
            let wrong = Err(Malformed("an attribute of a wrong length"));
            assert_eq!(attributes(&bytes).collect::<Vec<_>>(), [wrong]);
        }
    }

    #[test]
    fn a_length_beyond_the_end_is_malformed() {
        for length in [25, u32::MAX] {
            let mut bytes = Request::new(20, 2, &[7; 8]).bytes(5);
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(messages(&bytes).collect::<Vec<_>>(), [Err(Malformed("a message of a wrong length"))]);
        }
    }

    #[test]
    fn truncated_attributes_are_malformed_instead_of_missing() {
        let whole =
            Request::new(0, 0, &[]).with_attribute(5, &[192, 0, 2, 1]).with_attribute(4, &[1, 0, 0, 0]).body;
        assert_eq!(attributes(&whole).filter(Result::is_ok).count(), 2);
        for end in (1..whole.len()).filter(|end| *end != 8) {
            let all: Vec<_> = attributes(&whole[..end]).collect();
            assert!(all.len() < 3 && all.last().unwrap().is_err(), "{end}");
        }
    }

    #[test]
    fn the_last_attribute_needs_no_padding() {
        let whole = Request::new(0, 0, &[]).with_attribute(11, &[1]).body;
        assert_eq!(whole.len(), 8);
        assert_eq!(attributes(&whole[..5]).collect::<Vec<_>>(), [Ok((11, &[1][..]))]);
    }

    #[test]
    fn an_address_has_4_or_16_bytes() {
        for text in ["192.0.2.1", "2001:db8::1"] {
            let ip: IpAddr = text.parse().unwrap();
            assert_eq!(address(&octets(ip)), Ok(ip));
        }
        assert!([0, 3, 5, 15, 17].iter().all(|length| address(&vec![0; *length]).is_err()));
    }
}
