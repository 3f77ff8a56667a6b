//! Any bytes from a server, against what our clients sent: `connect` finds the first difference, `bench` counts faults
//! exactly when there are some. What they say about it can be shown.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    echoline_cli::fuzzing::connect(bytes);
    echoline_cli::fuzzing::bench(bytes);
});
