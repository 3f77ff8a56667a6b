//! Documents that an earlier program wrote, each read as a report and written again: nothing may be lost.
//!
//! They are recorded, and stay as they are: who keeps reports reads them with a later version.
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

use std::fs;
use std::path::Path;

use echoline_check::report::Seen;
use echoline_check::{MachineReport, Report};
use echoline_diagnosis::{Certainty, code};
use serde_json::{Value, json};

/// Each with its name.
fn documents() -> Vec<(String, Value)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/documents");
    let files = fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    let read = |file: std::path::PathBuf| {
        let document = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
        (file.file_stem().unwrap().to_str().unwrap().to_owned(), document)
    };
    files.map(read).collect()
}

fn document(name: &str) -> Value {
    documents().into_iter().find(|(known, _)| known == name).unwrap().1
}

#[test]
fn every_recorded_document_is_read_and_written_again_as_it_was() {
    let documents = documents();
    assert!(documents.len() >= 20, "{}", documents.len());
    for (name, document) in documents {
        let written = if document["schema"] == "echoline-check-machine/1" {
            serde_json::to_value(serde_json::from_value::<MachineReport>(document.clone()).unwrap())
        } else {
            let report = serde_json::from_value::<Report>(document.clone());
            serde_json::to_value(report.unwrap_or_else(|error| panic!("{name}: {error}")))
        };
        assert_eq!(written.unwrap(), document, "{name}");
    }
}

#[test]
fn together_they_hold_every_step() {
    let mut steps: Vec<String> = Vec::new();
    for (_, document) in documents() {
        let Ok(report) = serde_json::from_value::<Report>(document) else { continue };
        let seen = report.steps.iter().filter(|step| !step.says.is_empty());
        steps.extend(seen.map(|step| step.name().to_owned()));
    }
    steps.sort();
    steps.dedup();
    let all = [
        "address", "backends", "bound", "connect", "controls", "echo", "firewall", "greeting", "idle",
        "name", "path", "queue", "reach", "route", "timing", "whoami",
    ];
    assert_eq!(steps, all);
}

#[test]
fn a_report_is_read_as_typed_values() {
    let report: Report = serde_json::from_value(document("dropped")).unwrap();
    assert_eq!((report.verdict.code(), report.verdict.certainty()), (code::DROPPED, Certainty::Likely));
    let controls = report.steps.iter().find_map(|step| match &step.seen {
        Seen::Controls(controls) => Some(controls),
        _ => None,
    });
    assert!(!controls.unwrap()[0].ports.is_empty());
}

#[test]
fn steps_fields_and_codes_of_a_newer_version_do_not_keep_a_document_from_being_read() {
    let mut newer = document("refused");
    newer["verdict"]["code"] = "a-newer-code".into();
    newer["verdict"]["causes"] = json!([{ "code": "refused" }]);
    newer["steps"][2]["evidence"][0]["way_back"] = json!({ "known": false });
    let step =
        json!({ "step": "way-back", "state": "warn", "took_us": 1, "says": ["x"], "evidence": { "a": 1 } });
    newer["steps"].as_array_mut().unwrap().push(step);
    let report: Report = serde_json::from_value(newer).unwrap();
    assert_eq!(report.verdict.code().as_str(), "a-newer-code");
    let last = report.steps.last().unwrap();
    assert_eq!((last.name(), last.says[0].to_string()), ("way-back", "x".to_owned()));
    assert!(matches!(last.seen, Seen::Other(_)));
    let written = serde_json::to_value(last).unwrap();
    assert_eq!((&written["step"], &written["evidence"]), (&json!("way-back"), &Value::Null));
}
