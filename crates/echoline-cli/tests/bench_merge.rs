//! `echoline bench merge` as a program: reports that it wrote, and files that say anything.
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::path::Path;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use support::echoline;
use support::load::{bench, line_server};

#[test]
fn reports_merge_by_their_histograms() {
    let directory = tempfile::tempdir().unwrap();
    let files: Vec<String> =
        ["a", "b"].map(|name| directory.path().join(name).display().to_string()).to_vec();
    let slow = line_server(|_, line| {
        thread::sleep(Duration::from_millis(5));
        line.to_vec()
    });
    let (fast, fast_report) = bench(&line_server(|_, line| line.to_vec()), &["-n", "900", "-c", "2"]);
    let (slow, slow_report) = bench(&slow, &["-n", "100", "-c", "4"]);
    std::fs::write(&files[0], fast.stdout).unwrap();
    std::fs::write(&files[1], slow.stdout).unwrap();
    let merged = echoline(&["bench", "merge", "--json", &files[0], &files[1]]);
    assert_eq!(merged.code, Some(0), "{merged:?}");
    let merged: Value = serde_json::from_slice(&merged.stdout).unwrap();
    assert_eq!((&merged["lines"], &merged["options"]["connections"]), (&1000.into(), &6.into()));
    // 900 of 1,000 were fast: the median is the fast one's, and the slow one's best is above its 90th percentile.
    let us = |report: &Value, percentile: &str| report["latency_us"][percentile].as_f64().unwrap();
    assert!(us(&merged, "p50") <= us(&fast_report, "p90"));
    assert!(us(&merged, "p99") >= 5_000.0);
    assert!(us(&merged, "max") >= us(&slow_report, "max"));
    std::fs::write(&files[1], "{}").unwrap();
    assert_eq!(echoline(&["bench", "merge", &files[0], &files[1]]).code, Some(2));
}

/// A report, with what `change` makes of it, in a file of the directory.
fn changed(directory: &Path, report: &Value, change: impl FnOnce(&mut Value)) -> String {
    let mut report = report.clone();
    change(&mut report);
    let file = directory.join("changed.json");
    std::fs::write(&file, report.to_string()).unwrap();
    file.display().to_string()
}

#[test]
fn a_merged_report_writes_what_its_files_say_with_nothing_that_acts() {
    let directory = tempfile::tempdir().unwrap();
    let (_, report) = bench(&line_server(|_, line| line.to_vec()), &["-n", "10", "-c", "1"]);
    let evil = "\u{1b}]0;owned\u{7}\u{9b}31m\n<b>\u{202e}";
    let file = changed(directory.path(), &report, |report| {
        report["target"] = evil.into();
        report["errors"]["total"] = 3.into();
        report["errors"]["by_code"] = serde_json::json!({ evil: 2, "x; reboot": 9, "reset": 1 });
        report["missed"] = serde_json::json!([{ "required": evil, "measured": evil }]);
        report["warnings"] = serde_json::json!([{ "code": evil, "message": evil }]);
        report["options"]["require"] = evil.into();
    });
    let page = directory.path().join("page.html").display().to_string();
    let ended = echoline(&["bench", "merge", &file, "--html", &page]);
    assert_eq!((ended.code, ended.stderr.as_str()), (Some(1), ""));
    let text = ended.out();
    let acts = |text: &str| text.chars().any(|char| char != '\n' && char.is_control() || char == '\u{202e}');
    assert!(!acts(text) && text.starts_with("\\x1b]0;owned\\x07\\u{9b}31m\\n<b>\\u{202e}\n"), "{text:?}");
    assert_eq!(text.matches("<b>").count(), 6, "{text}");
    // A command that is proposed holds no word of a file.
    assert!(text.contains("  next  echoline explain reset\n"), "{text}");
    let page = std::fs::read_to_string(page).unwrap();
    assert!(!acts(&page) && page.contains("31m\\n&lt;b&gt;"), "{page}");
    assert!(!page.contains("31m\\n<b>"), "{page}");
}

#[test]
fn a_report_with_an_odd_number_at_any_place_is_merged_or_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (sound, report) = bench(&line_server(|_, line| line.to_vec()), &["-n", "10", "-c", "1"]);
    let other = directory.path().join("sound.json").display().to_string();
    std::fs::write(&other, sound.stdout).unwrap();
    let page = directory.path().join("page.html").display().to_string();
    let mut places = Vec::new();
    places_of_numbers(&report, &mut String::new(), &mut places);
    assert!(places.len() > 50, "{places:?}");
    for odd in [serde_json::json!(-1), 0.01.into(), u64::MAX.into(), 1e308.into(), Value::Null] {
        for place in &places {
            let file = changed(directory.path(), &report, |report| {
                *report.pointer_mut(place).unwrap() = odd.clone();
            });
            for files in [&[&file][..], &[&file, &other]] {
                let mut arguments = vec!["bench", "merge", "--html", &page];
                arguments.extend(files.iter().map(|file| file.as_str()));
                let ended = echoline(&arguments);
                assert!(matches!(ended.code, Some(0..=2)), "{place} {odd}: {ended:?}");
                assert_eq!(ended.code == Some(2), ended.stderr.contains("cannot merge"), "{ended:?}");
            }
        }
    }
}

/// The JSON pointer of each number.
fn places_of_numbers(value: &Value, at: &mut String, places: &mut Vec<String>) {
    let children: Vec<(String, &Value)> = match value {
        Value::Object(fields) => fields.iter().map(|(name, value)| (name.clone(), value)).collect(),
        Value::Array(values) => (0..).map(|n: usize| n.to_string()).zip(values).collect(),
        Value::Number(_) => return places.push(at.clone()),
        _ => return,
    };
    for (name, child) in children {
        let length = at.len();
        at.push('/');
        at.push_str(&name);
        places_of_numbers(child, at, places);
        at.truncate(length);
    }
}

#[test]
fn what_is_no_report_is_refused_in_bounded_memory() {
    let ended = echoline(&["bench", "merge", "/dev/zero"]);
    assert_eq!(ended.code, Some(2), "{ended:?}");
    assert!(ended.stderr.contains("longer than any report"), "{ended:?}");
}
