//! Names and addresses out of a report: each becomes a token, the same thing always the same token.
//!
//! Our own words stay as they are, whatever a host is called: sentences and evidence say what each
//! part of them is. Only words of others are searched for names and addresses.

mod serializer;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

use echoline::{AddressKind, Host};
use echoline_check::Report;
use echoline_diagnosis::{Diagnosis, Part, Text};
use serde::Serialize;
use serde_json::Value;

use serializer::Redacting;

/// Remembers which token stands for what. The kind of an address stays: the verdict is about it.
pub(super) struct Redactor {
    /// In lower case, the longest first.
    names: Vec<String>,
    known: HashMap<IpAddr, String>,
    /// How many there are of each kind.
    counts: HashMap<&'static str, usize>,
}

impl Redactor {
    /// For what was asked about, as it was written.
    pub(super) fn new(asked: &str) -> Self {
        let names = match asked.parse::<Host>() {
            Ok(Host::Name(name)) => vec![name.as_str().to_ascii_lowercase()],
            Ok(_) => Vec::new(),
            Err(_) => parts_of(asked),
        };
        let names = names.into_iter().filter(|name| name != "localhost").collect();
        Self { names, known: HashMap::new(), counts: HashMap::new() }
    }

    /// All that is said in it. What it holds as evidence is hidden when it is written:
    /// [`Self::document`].
    pub(super) fn report(&mut self, report: Report) -> Report {
        report.map_texts(|text| self.text(text))
    }

    pub(super) fn verdict(&mut self, verdict: &Diagnosis) -> Diagnosis {
        verdict.map_texts(|text| self.text(text))
    }

    /// A report as JSON.
    pub(super) fn document(&mut self, report: &impl Serialize) -> Value {
        // It fails for no value that a report holds: keys are strings.
        report.serialize(Redacting::new(self)).unwrap_or_default()
    }

    pub(super) fn text(&mut self, text: &Text) -> Text {
        text.map(|part| match part {
            Part::Address(ip) => Part::Plain(self.address(*ip).into()),
            Part::Socket(address) => Part::Plain(self.without_addresses(&address.to_string()).into()),
            Part::Host(host) => Part::Host(self.host(host)),
            Part::Foreign(words) => Part::Foreign(self.foreign(words)),
            ours => ours.clone(),
        })
    }

    /// A host as it was written.
    fn host(&mut self, host: &str) -> String {
        self.foreign(host)
    }

    /// Words of others: what was asked about can stand in them, and any address.
    fn foreign(&mut self, words: &str) -> String {
        let mut words = words.to_owned();
        for (number, name) in self.names.iter().enumerate() {
            words = without_name(&words, name, &format!("name-{}", number + 1));
        }
        self.without_addresses(&words)
    }

    fn address(&mut self, ip: IpAddr) -> String {
        let is_plain = ip.is_loopback() || ip.is_unspecified();
        if is_plain { ip.to_string() } else { self.token(ip) }
    }

    fn without_addresses(&mut self, text: &str) -> String {
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find(is_part) {
            let end = rest[start..].find(|c| !is_part(c)).map_or(rest.len(), |end| start + end);
            redacted.push_str(&rest[..start]);
            redacted.push_str(&self.word(&rest[start..end]));
            rest = &rest[end..];
        }
        redacted + rest
    }

    /// An address, perhaps with a full stop or a colon behind it.
    fn word(&mut self, word: &str) -> String {
        let plain = word.trim_end_matches('.');
        // An IPv6 prefix ends in two colons of its own: one more at most is a sign of the sentence.
        let cores = [word, plain, plain.strip_suffix(':').unwrap_or(plain)];
        let redacted =
            cores.into_iter().find_map(|core| Some(self.written_address(core)? + &word[core.len()..]));
        redacted.unwrap_or_else(|| word.to_owned())
    }

    /// Without brackets, and with its zone and its port.
    fn written_address(&mut self, text: &str) -> Option<String> {
        let inner = text.strip_prefix('[').unwrap_or(text);
        let (ip, rest): (IpAddr, String) = if let Some((ip, rest)) = inner.split_once('%') {
            // The bracket is missing where the zone has a sign of its own, such as a hyphen.
            (ip.parse().ok()?, format!("%{}", rest.replacen(']', "", 1)))
        } else if let Ok(address) = text.parse::<SocketAddr>() {
            (address.ip(), format!(":{}", address.port()))
        } else {
            (inner.strip_suffix(']').unwrap_or(inner).parse().ok()?, String::new())
        };
        let is_plain = ip.is_loopback() || ip.is_unspecified();
        Some(if is_plain { text.to_owned() } else { self.token(ip) + &rest })
    }

    fn token(&mut self, ip: IpAddr) -> String {
        let kind = match AddressKind::of(ip) {
            AddressKind::CarrierGradeNat => "cgnat",
            kind => kind.as_str(),
        };
        let count = self.counts.entry(kind).or_default();
        let known = self.known.entry(ip).or_insert_with(|| {
            *count += 1;
            format!("{kind}-{count}")
        });
        known.clone()
    }
}

/// What of it may name a host or a person, the longest first: all of it, what stands between signs,
/// and each label.
///
/// Errors quote any of these.
fn parts_of(asked: &str) -> Vec<String> {
    let asked = asked.to_ascii_lowercase();
    let behind_scheme = asked.split_once("://").map_or(asked.as_str(), |(_, rest)| rest);
    let words = behind_scheme.split(|c: char| !(c.is_alphanumeric() || matches!(c, '.' | '-' | '_')));
    let labels = words.clone().flat_map(|word| word.split('.'));
    // A number alone is a port, or says nothing; an address has a token of its own.
    let tells = |part: &&str| {
        part.contains(|c: char| c.is_alphabetic() || c == '.') && part.parse::<IpAddr>().is_err()
    };
    let parts = std::iter::once(asked.as_str()).chain(words).chain(labels).filter(tells);
    let mut parts: Vec<String> = parts.map(str::to_owned).collect();
    parts.sort_by(|one, other| other.len().cmp(&one.len()).then_with(|| one.cmp(other)));
    parts.dedup();
    parts
}

/// Whole words only: the name `a` is no part of `address`.
fn without_name(text: &str, name: &str, token: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '-');
    let (mut redacted, mut from) = (String::new(), 0);
    while let Some(at) = lower[from..].find(name).map(|at| from + at) {
        let end = at + name.len();
        let whole = !part(lower[..at].chars().next_back()) && !part(lower[end..].chars().next());
        redacted.push_str(&text[from..at]);
        redacted.push_str(if whole { token } else { &text[at..end] });
        from = end;
    }
    redacted + &text[from..]
}

/// What addresses are made of, with what ports and zones add.
fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '[' | ']' | '%')
}

#[cfg(test)]
mod tests {
    use echoline_check::MachineReport;
    use echoline_check::evidence::mark;
    use echoline_diagnosis::{host as named, text};
    use serde::Serializer;

    use super::*;

    #[test]
    fn the_same_address_is_the_same_token_everywhere_and_keeps_its_port() {
        let mut redactor = Redactor::new("Echo.Lab.test");
        assert_eq!(
            redactor.foreign("echo.lab.test is 203.0.113.10; 203.0.113.10:5151 refused by 192.168.1.1."),
            "name-1 is documentation-1; documentation-1:5151 refused by private-1."
        );
        assert_eq!(
            redactor.foreign("via [2001:db8::1]:80, then 10.0.0.1:"),
            "via documentation-2:80, then private-2:"
        );
        assert_eq!(
            redactor.foreign("127.0.0.1 at 12:30, 8192 bytes, 0.05 ms"),
            "127.0.0.1 at 12:30, 8192 bytes, 0.05 ms"
        );
        let own = "0.0.0.0:5151 and [::]:5151, [::1]:80, ::1.";
        assert_eq!(redactor.foreign(own), own);
    }

    #[test]
    fn a_zone_and_a_prefix_hide_no_address() {
        let mut redactor = Redactor::new("fe80::1234:56ff:fe78:9abc%eth0");
        assert_eq!(
            redactor.foreign("fe80::1234:56ff:fe78:9abc%eth0 is [fe80::1234:56ff:fe78:9abc%2]:80, or:"),
            "link-local-1%eth0 is link-local-1%2:80, or:"
        );
        assert_eq!(redactor.foreign("[fe80::9%wg-home]:80"), "link-local-2%wg-home]:80");
        assert_eq!(
            redactor.foreign("from fd12:3456:789a:1::/64, fd12:3456:789a:1::: and [fd12:3456:789a:1::]."),
            "from private-1/64, private-1: and private-1."
        );
    }

    #[test]
    fn of_what_cannot_be_read_each_part_is_hidden_that_may_be_a_name() {
        for asked in ["http://bob@secret.corp.example", "bad-.secret.corp.example:80", "secret corp"] {
            let mut redactor = Redactor::new(asked);
            let said =
                format!("The host {asked}: bad- in Secret, @secret.corp.example is a user, bob. No port 80");
            let redacted = redactor.foreign(&said).to_ascii_lowercase();
            assert!(!redacted.contains("secret") && redacted.ends_with(" no port 80"), "{redacted}");
            let asked_for = |word: &str| asked.contains(word) && redacted.contains(word);
            assert!(!["bob", "corp", "example", "bad-"].into_iter().any(asked_for), "{redacted}");
        }
        assert_eq!(Redactor::new("300.1.2.3").foreign("300.1.2.3"), "name-1");
        assert_eq!(Redactor::new("ftp://localhost").foreign("the scheme ftp"), "the scheme ftp");
    }

    /// A report as it stands in a document.
    fn report(document: &Value) -> Report {
        serde_json::from_value(document.clone()).unwrap()
    }

    #[test]
    fn words_of_checks_own_stay_what_they_are_whatever_the_host_is_called() {
        for host in ["fail", "name", "echo", "refused", "reset", "exist", "drops", "port", "answers"] {
            let document = serde_json::json!({
                "schema": "echoline-check/1",
                "verdict": {
                    "code": "reset", "certainty": "certain", "sentence": format!("to {host}."), "next": [],
                },
                "target": { "host": host, "port": 80, "expect": "echo", "scheme": null },
                "steps": [
                    {
                        "step": "connect", "state": "fail", "took_us": 1, "says": [],
                        "evidence": [{
                            "address": "127.0.0.1:80",
                            "connect": {
                                "source": null, "ended": "refused", "os_error": null, "icmp": null,
                                "requests": null, "took_us": 1,
                            },
                            "listens": null, "neighbour": null, "own_rules": [format!("to {host}")],
                        }],
                    },
                    { "step": "echo", "state": "skip", "took_us": null, "says": [], "evidence": null },
                ],
                "took_us": 1,
            });
            let mut redactor = Redactor::new(host);
            let redacted = redactor.report(report(&document));
            let redacted = redactor.document(&redacted);
            let mut expected = document;
            expected["target"]["host"] = "name-1".into();
            expected["verdict"]["sentence"] = "to name-1.".into();
            expected["steps"][0]["evidence"][0]["own_rules"][0] = "to name-1".into();
            assert_eq!(redacted, expected);
        }
    }

    #[test]
    fn a_sentence_of_ours_stays_whole_whatever_the_host_is_called() {
        for host in ["exist", "drops", "port", "answers", "fail", "echo", "refused"] {
            let sentence =
                |host: Text| text!("{} does not exist; a firewall drops port 1 of {}", host.clone(), host);
            let redacted = Redactor::new(host).text(&sentence(named(host)));
            assert_eq!(redacted.to_string(), sentence("name-1".into()).to_string());
        }
    }

    /// Finds the field of evidence that nobody marked.
    #[test]
    fn no_recorded_document_holds_an_address_or_its_name_once_it_is_redacted() {
        let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../echoline-check/tests/documents");
        let mut redacted = Vec::new();
        for file in std::fs::read_dir(directory).unwrap() {
            let document: Value =
                serde_json::from_slice(&std::fs::read(file.unwrap().path()).unwrap()).unwrap();
            let asked = document["target"]["host"].as_str().unwrap_or_default();
            let mut redactor = Redactor::new(asked);
            redacted.push(match serde_json::from_value::<Report>(document.clone()) {
                Ok(report) => {
                    let report = redactor.report(report);
                    redactor.document(&report).to_string()
                }
                Err(_) => {
                    let machine: MachineReport = serde_json::from_value(document).unwrap();
                    redactor.document(&machine).to_string()
                }
            });
        }
        assert!(redacted.len() >= 20 && redacted.iter().any(|text| text.contains("name-1")));
        for text in redacted {
            for address in ["203.0.113.", "192.168.1.", "2001:db8:", "fe80:", "lab.test"] {
                assert!(!text.contains(address), "{address} in {text}");
            }
        }
    }

    #[test]
    fn a_short_name_is_replaced_as_a_whole_word_only() {
        let mut redactor = Redactor::new("a");
        assert_eq!(redactor.foreign("a has an address"), "name-1 has an address");
    }

    #[test]
    fn all_texts_of_a_document_are_redacted_and_keys_stay() {
        fn host<S: Serializer>(value: &str, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_newtype_struct(mark::HOST, value)
        }
        fn foreign<S: Serializer>(value: &(&str, u8), serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_newtype_struct(mark::FOREIGN, value)
        }
        #[derive(Serialize)]
        struct Document {
            #[serde(serialize_with = "host")]
            host: &'static str,
            #[serde(serialize_with = "foreign")]
            list: (&'static str, u8),
            db: Option<u8>,
        }
        let document = Document { host: "db", list: ("198.51.100.7", 5), db: None };
        assert_eq!(
            Redactor::new("db").document(&document),
            serde_json::json!({ "host": "name-1", "list": ["documentation-1", 5], "db": null })
        );
    }
}
