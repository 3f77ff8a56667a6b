//! Any bytes as a capture file: its frames are told in lines that a terminal can show, or it is damaged.

#![no_main]

use std::time::UNIX_EPOCH;

use echoline_lab::capture::{Frame, Narrator, Packet, StreamReport, pcap};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut frames = vec![Frame { at: UNIX_EPOCH, outgoing: true, bytes: bytes.to_vec() }];
    if let Ok(reader) = pcap::Reader::new(bytes) {
        frames.extend(reader.map_while(Result::ok));
    }
    let mut narrator = Narrator::new();
    for (number, frame) in frames.iter().enumerate() {
        if let Some(line) = narrator.feed(["lan", "wan"][number % 2], frame) {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
    let segments = || {
        frames.iter().filter_map(|frame| match Packet::parse(&frame.bytes) {
            Some(Packet::Tcp(segment)) => Some(segment),
            _ => None,
        })
    };
    let report = StreamReport::of(segments(), segments());
    assert_eq!((report.lost, report.duplicated), (0, 0), "what was sent arrived");
});
