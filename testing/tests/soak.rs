//! The soak fails where it should: run as a user runs it, against servers with one fault each.
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

use std::process::{Command, Stdio};

use serde_json::Value;

/// The report of a soak of two seconds, and whether it passed by its exit code.
fn soak(fault: &str) -> (bool, Value) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_testing"));
    command.args(["soak", "--json", "--for", "2s", "--seed", "1", "--clients", "16", "--broken", fault]);
    let output = command.stdin(Stdio::null()).output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!(report["schema"], "echoline-soak/1");
    (output.status.success(), report["engines"][0].clone())
}

fn number(report: &Value, path: &str) -> u64 {
    report.pointer(path).and_then(Value::as_u64).unwrap_or_else(|| panic!("no {path} in {report:#}"))
}

#[test]
fn a_sound_echo_passes_with_every_byte_compared() {
    let (passed, report) = soak("sound");
    assert!(passed && report["passed"] == true, "{report:#}");
    assert!(number(&report, "/connections") > 50, "{report:#}");
    assert!(number(&report, "/bytes_compared") > 1_000_000, "{report:#}");
    assert_eq!(number(&report, "/files/before"), number(&report, "/files/after"));
}

#[test]
fn one_flipped_bit_in_ten_million_bytes_is_a_difference() {
    let (passed, report) = soak("flip");
    assert!(!passed && number(&report, "/differences") > 0, "{report:#}");
}

#[test]
fn a_byte_lost_at_the_close_is_an_unexpected_ending() {
    let (passed, report) = soak("lose");
    assert!(!passed && number(&report, "/unexpected_endings") > 0, "{report:#}");
    assert!(report["findings"][0].as_str().unwrap().contains(" 1 of "), "{report:#}");
}

#[test]
fn a_reset_in_place_of_a_fin_is_an_unexpected_ending() {
    let (passed, report) = soak("reset");
    assert!(!passed && number(&report, "/unexpected_endings") > 0, "{report:#}");
}

#[test]
fn a_byte_added_at_the_close_is_a_difference() {
    let (passed, report) = soak("add");
    assert!(!passed && number(&report, "/differences") > 0, "{report:#}");
}

#[test]
fn leaked_descriptors_fail_although_every_byte_is_right() {
    let (passed, report) = soak("leak");
    assert!(!passed && report["findings"].as_array().unwrap().is_empty(), "{report:#}");
    assert!(number(&report, "/files/after") > number(&report, "/files/before"), "{report:#}");
}

#[test]
fn a_counter_that_is_off_by_one_fails_although_every_byte_is_right() {
    let (passed, report) = soak("miscount");
    assert!(!passed && report["findings"].as_array().unwrap().is_empty(), "{report:#}");
    assert_eq!(report["disagreements"].as_array().unwrap().len(), 1, "{report:#}");
}
