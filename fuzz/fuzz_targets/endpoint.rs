//! Any text as an endpoint, a host or a port: a value that writes what parses back to it, or an error that is safe to
//! show.

#![no_main]

use echoline::{Endpoint, Error, Host, Port};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for read in [text.parse::<Endpoint>(), Endpoint::parse_with_default(text, 5151)] {
        if let Some(endpoint) = judge(read) {
            assert_eq!(judge(endpoint.to_string().parse()).as_ref(), Some(&endpoint));
            let (host, port) = (endpoint.host().to_string(), endpoint.port().to_string());
            assert_eq!(judge(Endpoint::from_parts(&host, &port)).as_ref(), Some(&endpoint));
            if let Some(meant) = endpoint.with_port_in_brackets() {
                assert_eq!(judge(meant.to_string().parse()).as_ref(), Some(&meant));
            }
            let _ = (endpoint.host().is_localhost(), endpoint.port().is_reserved());
        }
    }
    if let Some(host) = judge(text.parse::<Host>()) {
        assert_eq!(judge(host.to_string().parse()).as_ref(), Some(&host));
        assert!(host.ip().is_none_or(|ip| ip.to_string().parse::<Host>().is_ok()));
    }
    if let Some(port) = judge(text.parse::<Port>()) {
        assert_eq!(judge(port.to_string().parse()), Some(port));
    }
});

fn judge<T>(read: Result<T, Error>) -> Option<T> {
    let error = match read {
        Ok(value) => return Some(value),
        Err(error) => error,
    };
    let shown = format!("{error} {}", error.remedy());
    assert!(!shown.chars().any(char::is_control), "{shown:?} would reach a terminal");
    None
}
