//! Any line of words that people write: what and where to serve, sizes and times, link settings, firewall rules,
//! changes of a lab. A value that writes what parses back to it, or an error that is safe to show.

#![no_main]

use std::fmt::Display;
use std::str::FromStr;

use echoline_lab::Change;
use echoline_lab::link::LinkSettings;
use echoline_lab::topology::{Forward, Rule};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    echoline_cli::fuzzing::argument(text);
    if let Some(settings) = judge::<LinkSettings>(text) {
        // What `lose_text` holds is shown escaped, so it does not read back.
        let shown = LinkSettings { lose_text: None, ..settings };
        assert_eq!(shown.to_string().parse(), Ok(shown));
    }
    if let Some(rule) = judge::<Rule>(text) {
        assert_eq!(rule.to_string().parse(), Ok(rule.clone()));
        let nft = rule.nft().replace("{ icmp, ipv6-icmp }", "");
        assert!(!nft.contains(['\n', ';', '{', '}', '"']), "{nft} is more than a rule");
    }
    if let Some(forward) = judge::<Forward>(text) {
        assert_eq!(forward.to_string().parse(), Ok(forward));
    }
    if let Some(change) = judge::<Change>(text) {
        assert_eq!(change.to_string().parse(), Ok(change));
    }
});

fn judge<T: FromStr<Err: Display>>(text: &str) -> Option<T> {
    let error = match text.parse() {
        Ok(value) => return Some(value),
        Err(error) => error.to_string(),
    };
    assert!(!error.is_empty());
    None
}
