//! Any text as a topology: an error on one line, or a topology that can be drawn.

#![no_main]

use echoline_lab::Topology;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Topology::parse(text, "x.toml") {
        Ok(topology) => {
            let _ = (topology.drawing(), topology.svg(), topology.all_names(), topology.name_servers());
            echoline_lab::fuzzing::plan(&topology);
        }
        Err(error) => assert!(!error.to_string().contains(char::is_control), "{error}"),
    }
});
