//! Names and addresses out of a report: each becomes a token, the same thing always the same token.

use echoline::AddressKind;
use serde_json::Value;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

/// Remembers which token stands for what. The kind of an address stays: the verdict is about it.
pub(super) struct Redactor {
    /// The name that was asked for; empty if it was an address.
    name: String,
    known: HashMap<IpAddr, String>,
    /// How many there are of each kind.
    counts: HashMap<&'static str, usize>,
}

impl Redactor {
    pub(super) fn new(host: &str) -> Self {
        let is_name = host.parse::<IpAddr>().is_err() && !host.contains('%');
        let name = if is_name { host.to_ascii_lowercase() } else { String::new() };
        Self { name, known: HashMap::new(), counts: HashMap::new() }
    }

    /// Every text in it, keys left alone.
    pub(super) fn value(&mut self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.value(item)),
            Value::Object(fields) => fields.iter_mut().for_each(|(_, field)| self.value(field)),
            _ => {}
        }
    }

    pub(super) fn text(&mut self, text: &str) -> String {
        let text = self.without_name(text);
        let mut redacted = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while let Some(start) = rest.find(is_part) {
            let end = rest[start..].find(|c| !is_part(c)).map_or(rest.len(), |end| start + end);
            redacted.push_str(&rest[..start]);
            redacted.push_str(&self.word(&rest[start..end]));
            rest = &rest[end..];
        }
        redacted + rest
    }

    /// Whole words only: the name `a` is no part of `address`.
    fn without_name(&self, text: &str) -> String {
        if self.name.is_empty() || self.name == "localhost" {
            return text.to_owned();
        }
        let lower = text.to_ascii_lowercase();
        let part = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric() || c == '-');
        let (mut redacted, mut from) = (String::new(), 0);
        while let Some(at) = lower[from..].find(&self.name).map(|at| from + at) {
            let end = at + self.name.len();
            let whole = !part(lower[..at].chars().next_back()) && !part(lower[end..].chars().next());
            redacted.push_str(&text[from..at]);
            redacted.push_str(if whole { "name-1" } else { &text[at..end] });
            from = end;
        }
        redacted + &text[from..]
    }

    /// An address, perhaps with brackets, a port or a full stop around.
    fn word(&mut self, word: &str) -> String {
        let core = word.trim_end_matches(['.', ':']);
        let tail = &word[core.len()..];
        let ip = core.parse::<SocketAddr>().map(|address| address.ip()).or_else(|_| core.parse());
        if ip.is_ok_and(|ip: IpAddr| ip.is_loopback() || ip.is_unspecified()) {
            return word.to_owned();
        }
        if let Ok(address) = core.parse::<SocketAddr>() {
            return format!("{}:{}{tail}", self.token(address.ip()), address.port());
        }
        if let Ok(ip) = core.parse::<IpAddr>() {
            return format!("{}{tail}", self.token(ip));
        }
        // With a zone, in brackets only.
        if let Ok(address) = core.parse::<SocketAddrV6>() {
            return format!("{}:{}{tail}", self.token((*address.ip()).into()), address.port());
        }
        word.to_owned()
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

/// What addresses are made of, with what ports and zones add.
fn is_part(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | ':' | '[' | ']' | '%')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_address_is_the_same_token_everywhere_and_keeps_its_port() {
        let mut redactor = Redactor::new("Echo.Lab.test");
        assert_eq!(
            redactor.text("echo.lab.test is 203.0.113.10; 203.0.113.10:5151 refused by 192.168.1.1."),
            "name-1 is documentation-1; documentation-1:5151 refused by private-1."
        );
        assert_eq!(
            redactor.text("via [2001:db8::1]:80, then 10.0.0.1:"),
            "via documentation-2:80, then private-2:"
        );
        assert_eq!(
            redactor.text("127.0.0.1 at 12:30, 8192 bytes, 0.05 ms"),
            "127.0.0.1 at 12:30, 8192 bytes, 0.05 ms"
        );
        let own = "0.0.0.0:5151 and [::]:5151, [::1]:80, ::1.";
        assert_eq!(redactor.text(own), own);
    }

    #[test]
    fn a_short_name_is_replaced_as_a_whole_word_only() {
        let mut redactor = Redactor::new("a");
        assert_eq!(redactor.text("a has an address"), "name-1 has an address");
    }

    #[test]
    fn all_texts_of_a_document_are_redacted_and_keys_stay() {
        let mut document = serde_json::json!({ "host": "db", "list": ["198.51.100.7", 5], "db": null });
        Redactor::new("db").value(&mut document);
        assert_eq!(
            document,
            serde_json::json!({ "host": "name-1", "list": ["documentation-1", 5], "db": null })
        );
    }
}
