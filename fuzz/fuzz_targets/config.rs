//! Any command line of `serve`, on a machine with any memory limit: limits that are as documented and print what reads
//! back to them, or an error that is safe to show.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| echoline_cli::fuzzing::config(text));
