//! Any events in any order, as an engine may deliver them to a session: what leaves is what the service said, memory
//! stays bounded, no wait is without an end, and a client that does nothing gains no time.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| echoline_server::fuzzing::session(bytes));
