//! The lab's name server: what it knows, how it misbehaves on demand, and the sockets it answers on.

mod message;
mod server;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use self::message::{Query, Rcode};

pub(crate) use self::server::NameServer;

/// What the name server knows, and how it behaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Zone {
    /// Addresses of each name, in lower case without a final dot.
    pub(crate) records: BTreeMap<String, Vec<IpAddr>>,
    pub(crate) manner: Manner,
    pub(crate) delay: Duration,
}

/// How the name server answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Manner {
    /// From its records.
    #[default]
    Answer,
    /// Not at all.
    Silent,
    /// With SERVFAIL.
    ServerFailure,
    /// With REFUSED.
    Refused,
}

/// Enough for a name with a thousand addresses of both families (RFC 1035, section 4.2.2: two bytes of length).
const LARGEST_TCP: usize = 65_535;
/// Without EDNS a datagram carries this much (RFC 1035, section 4.2.1).
const LARGEST_UDP: usize = 512;

impl Zone {
    /// The answer to a message, `None` where none is due.
    pub(crate) fn answer(&self, message: &[u8], over_tcp: bool) -> Option<Vec<u8>> {
        if self.manner == Manner::Silent {
            return None;
        }
        let query = match Query::parse(message) {
            Ok(query) => query,
            Err(rcode) => return message::refuse(message, rcode?),
        };
        let limit = if over_tcp { LARGEST_TCP } else { LARGEST_UDP };
        let mut reply = match self.manner {
            Manner::ServerFailure => query.reply(Rcode::ServerFailure),
            Manner::Refused => query.reply(Rcode::Refused),
            _ => self.look_up(&query),
        };
        reply.fit(limit);
        Some(reply.into_bytes())
    }

    fn look_up(&self, query: &Query) -> message::Reply {
        if let Some(address) = message::reverse_address(&query.name) {
            let owner = self.records.iter().find(|(_, addresses)| addresses.contains(&address));
            let mut reply = query.reply(if owner.is_some() { Rcode::None } else { Rcode::NoSuchName });
            if let (Some((name, _)), message::PTR) = (owner, query.kind) {
                reply.add_name(name);
            }
            return reply;
        }
        let Some(addresses) = self.records.get(&query.name) else { return query.reply(Rcode::NoSuchName) };
        let mut reply = query.reply(Rcode::None);
        for address in addresses {
            match (query.kind, address) {
                (message::A, IpAddr::V4(address)) => reply.add_record(message::A, &address.octets()),
                (message::AAAA, IpAddr::V6(address)) => reply.add_record(message::AAAA, &address.octets()),
                _ => {}
            }
        }
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Zone {
        let mut zone = Zone::default();
        let server = ["203.0.113.10", "2001:db8::10"].map(|text| text.parse().expect("an address"));
        zone.records.insert("echo.lab.test".into(), server.to_vec());
        let many =
            (0..400).map(|n| IpAddr::from([203, 0, 113u8.wrapping_add((n / 256) as u8), (n % 256) as u8]));
        zone.records.insert("many.lab.test".into(), many.collect());
        zone
    }

    fn ask(name: &str, kind: u16) -> Vec<u8> {
        let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            query.push(label.len() as u8);
            query.extend(label.as_bytes());
        }
        query.push(0);
        query.extend(kind.to_be_bytes());
        query.extend([0, 1]);
        query
    }

    fn counts(reply: &[u8]) -> (u8, u16) {
        (reply[3] & 15, u16::from_be_bytes([reply[6], reply[7]]))
    }

    #[test]
    fn a_name_has_its_addresses_of_each_family() {
        let reply = zone().answer(&ask("Echo.LAB.test", message::A), false).expect("a reply");
        assert_eq!(counts(&reply), (0, 1));
        assert!(reply.ends_with(&[203, 0, 113, 10]));
        assert_eq!(reply[..2], [0x12, 0x34], "the id comes back");
        let reply = zone().answer(&ask("echo.lab.test", message::AAAA), false).expect("a reply");
        assert_eq!(counts(&reply), (0, 1));
    }

    #[test]
    fn an_unknown_name_does_not_exist_and_a_known_one_without_such_a_record_does() {
        assert_eq!(
            counts(&zone().answer(&ask("wrong.lab.test", message::A), false).expect("a reply")),
            (3, 0)
        );
        assert_eq!(counts(&zone().answer(&ask("echo.lab.test", 16), false).expect("a reply")), (0, 0));
    }

    #[test]
    fn an_address_has_its_name() {
        let reply = zone().answer(&ask("10.113.0.203.in-addr.arpa", message::PTR), false).expect("a reply");
        assert_eq!(counts(&reply), (0, 1));
        let name = b"\x04echo\x03lab\x04test\x00";
        assert!(reply.windows(name.len()).any(|window| window == name));
    }

    #[test]
    fn what_does_not_fit_a_datagram_is_marked_truncated_and_comes_whole_over_tcp() {
        let query = ask("many.lab.test", message::A);
        let short = zone().answer(&query, false).expect("a reply");
        assert!(short.len() <= LARGEST_UDP && short[2] & 2 == 2, "TC is set");
        let whole = zone().answer(&query, true).expect("a reply");
        assert_eq!(counts(&whole), (0, 400));
        assert_eq!(whole[2] & 2, 0);
    }

    #[test]
    fn a_name_longer_than_any_is_a_mistake_and_its_answer_fits_a_datagram() {
        // With the lengths of the labels and the root, 255 bytes and 257.
        for (labels, code) in [(127, 3), (128, 1)] {
            let reply =
                zone().answer(&ask(&vec!["x"; labels].join("."), message::A), false).expect("a reply");
            assert_eq!((counts(&reply).0, reply.len() <= LARGEST_UDP), (code, true));
        }
        // Found by the fuzzer: the question alone was longer than a datagram.
        let reply = zone().answer(&ask(&["x"; 300].join("."), message::A), false).expect("a reply");
        assert!(reply.len() <= LARGEST_UDP);
    }

    #[test]
    fn manners_are_silence_failure_and_refusal() {
        let query = ask("echo.lab.test", message::A);
        let with = |manner| Zone { manner, ..zone() }.answer(&query, false);
        assert_eq!(with(Manner::Silent), None);
        assert_eq!(counts(&with(Manner::ServerFailure).expect("a reply")), (2, 0));
        assert_eq!(counts(&with(Manner::Refused).expect("a reply")), (5, 0));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_answered_or_ignored(message in proptest::collection::vec(proptest::num::u8::ANY, 0..80)) {
            if let Some(reply) = zone().answer(&message, false) {
                assert!(reply.len() <= LARGEST_UDP && reply[..2] == message[..2]);
            }
        }
    }
}
