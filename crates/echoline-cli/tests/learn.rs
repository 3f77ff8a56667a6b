//! The lessons tell the truth: every command of docs/learn and docs/LAB.md is run, and its output compared.
//!
//! What differs from run to run (times, ephemeral ports) counts as equal. `ECHOLINE_WRITE_LESSONS=1` writes what really
//! came into the files instead.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use echoline_testing::skip;

use support::{ECHOLINE, echoline, finish};

/// A command of a lesson and what it says comes out.
struct Told {
    command: String,
    output: String,
}

#[test]
fn every_command_of_every_lesson_prints_what_the_lesson_says() {
    let tried = echoline(&["lab", "run", "pair", "alice", "--", "true"]);
    if tried.code != Some(0) {
        return skip("lessons", &format!("namespaces, ip and nft ({})", tried.stderr.trim()));
    }
    let bin = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(ECHOLINE, bin.path().join("echoline")).unwrap();
    let mut wrong = String::new();
    let lessons = lessons();
    assert!(lessons.len() >= 10);
    for file in lessons {
        let text = fs::read_to_string(&file).unwrap();
        let mut really = text.clone();
        for told in told(&text) {
            let came = run(&told.command, bin.path());
            if equal(&told.output) != equal(&came) {
                let name = file.file_name().unwrap().to_string_lossy();
                wrong += &format!("{name}: $ {}\n--- told\n{}--- came\n{came}\n", told.command, told.output);
                let block = |output: &str| format!("$ {}\n{output}", told.command.replace('\n', "\\\n"));
                really = really.replacen(&block(&told.output), &block(&came), 1);
            }
        }
        if std::env::var_os("ECHOLINE_WRITE_LESSONS").is_some() {
            fs::write(&file, really).unwrap();
        }
    }
    assert!(wrong.is_empty() || std::env::var_os("ECHOLINE_WRITE_LESSONS").is_some(), "{wrong}");
}

fn lessons() -> Vec<PathBuf> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let mut files: Vec<_> =
        fs::read_dir(docs.join("learn")).unwrap().flatten().map(|entry| entry.path()).collect();
    files.push(docs.join("LAB.md"));
    files.sort();
    files
}

/// The commands in blocks marked `console`: each begins with `$ `, and goes on in the next line after a backslash.
fn told(text: &str) -> Vec<Told> {
    let mut all: Vec<Told> = Vec::new();
    let (mut inside, mut continued) = (false, false);
    for line in text.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ if continued => {
                let last = all.last_mut().unwrap();
                last.command += "\n";
                last.command += line.trim_end_matches('\\');
                continued = line.ends_with('\\');
            }
            _ => match line.strip_prefix("$ ") {
                Some(command) => {
                    continued = command.ends_with('\\');
                    let command = command.trim_end_matches('\\').to_owned();
                    all.push(Told { command, output: String::new() });
                }
                None => all.last_mut().unwrap().output += &format!("{line}\n"),
            },
        }
    }
    all
}

fn run(command: &str, bin: &Path) -> String {
    let path = std::env::join_paths(
        [bin]
            .into_iter()
            .map(Path::to_owned)
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("exec 2>&1\n{}", command.replace('\n', " "))]).env("PATH", path.unwrap());
    let output = String::from_utf8(finish(&mut shell, b"").stdout).unwrap();
    // Blanks at the end of a line are not seen, and editors take them away.
    output.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The text with times, ephemeral ports and hardware addresses made the same, and without the word for an engine that does
/// not work on this machine.
fn equal(text: &str) -> String {
    let words = text.split_inclusive([' ', '\n', ',', ')', '(']);
    let mut out = String::new();
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let bare = word.trim_end_matches([' ', '\n', ',', ')', '(']);
        let unit =
            words.peek().map_or("", |next| next.trim_end_matches([' ', '\n', ',', ')', '(', '.', ':']));
        if bare.parse::<f64>().is_ok() && matches!(unit, "us" | "µs" | "ms" | "s") {
            out += "TIME ";
            let after = words.next().unwrap_or_default();
            out += &after[unit.len()..];
        } else if let Some((host, port)) = bare.rsplit_once(':')
            && port.parse::<u16>().is_ok_and(|port| port >= 32_768)
        {
            out += &format!("{host}:PORT{}", &word[bare.len()..]);
        } else {
            out += word;
        }
    }
    // Columns move with the width of what stands before them.
    let out = out.lines().filter(|line| !line.starts_with("Engine: "));
    out.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

#[test]
fn only_times_and_ephemeral_ports_count_as_equal() {
    let one =
        "Connected 10.0.0.1:40000 (client) -> 10.0.0.2:5151 in 0.3 ms\n1 line, 6 bytes. Round trip 1.2 ms.\n";
    let two =
        "Connected 10.0.0.1:50123 (client) -> 10.0.0.2:5151 in 12 us\n1 line, 6 bytes. Round trip 17 us.\n";
    assert_eq!(equal(one), equal(two));
    for (from, to) in
        [("5151", "5152"), ("6 bytes", "7 bytes"), ("10.0.0.1", "10.0.0.3"), ("1 line", "2 lines")]
    {
        assert_ne!(equal(one), equal(&one.replacen(from, to, 1)), "{from}");
    }
}
