//! `whoami`: tells a client what the server sees of it, and whether what it sent to the echo service arrived.
//!
//! Lines of JSON, schema 1. The first one comes unasked:
//!
//! ```json
//! {"schema":1,"instance":"4f1c09a2be77d310","connection":3,"peer":"203.0.113.2:40000","local":"203.0.113.10:7007",
//!  "tcp":{"rtt_us":210,"rtt_variation_us":105,"segment_bytes":1448,"path_mtu":1500}}
//! ```
//!
//! (one line in truth; `tcp` is `null` where the system has no such figures). To the line `nonce 0123456789abcdef` it
//! answers whether a line `echoline check 0123456789abcdef` reached an echo service of this same instance as the first
//! line of a connection: `true`, `false`, or `null` when it may have forgotten.
//!
//! ```json
//! {"schema":1,"instance":"4f1c09a2be77d310","nonce":"0123456789abcdef","reached_echo":true}
//! ```
//!
//! It says nothing about other clients: who asks must know the nonce.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::service::{LineService, Out, Peer};

/// What the services of one server share for it.
#[derive(Debug)]
pub(crate) struct Instance {
    id: u64,
    connections: AtomicU64,
    journal: Mutex<Journal>,
}

/// The nonces that reached an echo service, the latest last.
#[derive(Debug, Default)]
struct Journal {
    nonces: VecDeque<u64>,
    forgot: bool,
}

/// A nonce is asked for within seconds; so many are kept.
const MAX_NONCES: usize = 1024;
/// The line that an echo service notes.
const NOTED: &[u8] = b"echoline check ";
/// A nonce is 64 bits in hexadecimal.
const DIGITS: usize = 16;

impl Instance {
    pub(crate) fn new() -> Self {
        // Hash keys are random: enough for a name that no other instance has.
        let id = RandomState::new().build_hasher().finish();
        Self { id, connections: AtomicU64::new(0), journal: Mutex::default() }
    }

    /// The beginning of a connection to an echo service.
    pub(crate) fn note(&self, input: &[u8]) {
        let Some(nonce) = input.strip_prefix(NOTED).and_then(nonce) else { return };
        let mut journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        if journal.nonces.len() == MAX_NONCES {
            journal.nonces.pop_front();
            journal.forgot = true;
        }
        journal.nonces.push_back(nonce);
    }

    /// `None`: it may have been forgotten.
    pub(crate) fn reached(&self, nonce: u64) -> Option<bool> {
        let journal = self.journal.lock().unwrap_or_else(PoisonError::into_inner);
        let found = journal.nonces.contains(&nonce);
        (found || !journal.forgot).then_some(found)
    }
}

/// Sixteen digits and the end of the line.
fn nonce(text: &[u8]) -> Option<u64> {
    let (digits, rest) = text.split_at_checked(DIGITS)?;
    let digits = std::str::from_utf8(digits).ok().filter(|_| matches!(rest.first(), Some(b'\r' | b'\n')))?;
    u64::from_str_radix(digits, 16).ok()
}

/// The service of one connection.
#[derive(Debug)]
pub(crate) struct Whoami(pub(crate) Arc<Instance>);

impl LineService for Whoami {
    fn on_open(&mut self, peer: &Peer, out: &mut Out<'_>) {
        let number = self.0.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let tcp = peer.tcp.map_or_else(
            || "null".to_owned(),
            |tcp| {
                format!(
                    r#"{{"rtt_us":{},"rtt_variation_us":{},"segment_bytes":{},"path_mtu":{}}}"#,
                    tcp.rtt_us, tcp.rtt_variation_us, tcp.segment_bytes, tcp.path_mtu
                )
            },
        );
        let line = format!(
            "{{\"schema\":1,\"instance\":\"{:016x}\",\"connection\":{number},\"peer\":\"{}\",\"local\":\"{}\",\"tcp\":{tcp}}}\n",
            self.0.id, peer.address, peer.local
        );
        out.write(line.as_bytes());
    }

    fn on_line(&mut self, line: &[u8], out: &mut Out<'_>) {
        let Some(nonce) = line.strip_prefix(b"nonce ").and_then(nonce) else {
            out.write(b"{\"schema\":1,\"error\":\"a question is the word nonce, a space and 16 hexadecimal digits\"}\n");
            out.finish();
            return;
        };
        let reached = match self.0.reached(nonce) {
            Some(true) => "true",
            Some(false) => "false",
            None => "null",
        };
        let id = self.0.id;
        let line = format!(
            "{{\"schema\":1,\"instance\":\"{id:016x}\",\"nonce\":\"{nonce:016x}\",\"reached_echo\":{reached}}}\n"
        );
        out.write(line.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_known_once_an_echo_service_noted_its_line() {
        let instance = Instance::new();
        assert_eq!(instance.reached(0x0123_4567_89ab_cdef), Some(false));
        instance.note(b"echoline check 0123456789abcdef\nmore");
        assert_eq!(instance.reached(0x0123_4567_89ab_cdef), Some(true));
        for other in
            [&b"echoline check 0123456789abcde\n"[..], b"echoline check 0123456789abcdef", b"hello\n", b""]
        {
            instance.note(other);
        }
        assert_eq!(instance.journal.lock().unwrap().nonces.len(), 1);
    }

    #[test]
    fn a_journal_that_forgot_says_so_instead_of_no() {
        let instance = Instance::new();
        for number in 0..=MAX_NONCES {
            instance.note(format!("echoline check {number:016x}\n").as_bytes());
        }
        assert_eq!((instance.reached(0), instance.reached(1)), (None, Some(true)));
        assert_eq!(instance.journal.lock().unwrap().nonces.len(), MAX_NONCES);
    }
}
