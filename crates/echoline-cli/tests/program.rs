//! What holds for every command: help, exit codes, and what goes to which stream.

mod support;

use std::fs::File;
use std::process::{Command, Stdio};

use support::{ECHOLINE, echoline, end_of, finish};

/// As `echoline --help` lists them.
fn commands() -> Vec<String> {
    let help = echoline(&["--help"]);
    let list = help.out().lines().skip_while(|line| *line != "Commands:").skip(1);
    list.take_while(|line| !line.is_empty())
        // The description of a command goes on further to the right.
        .filter(|line| !line.starts_with("   "))
        .map(|line| line.split_whitespace().next().expect("a command's name").to_owned())
        .filter(|name| name != "help")
        .collect()
}

#[test]
fn help_goes_to_standard_output_and_has_examples_that_name_the_command() {
    let mut commands = commands();
    for expected in ["serve", "connect", "explain", "completions", "man"] {
        assert!(commands.iter().any(|command| command == expected), "{commands:?}");
    }
    commands.push(String::new());
    for command in commands {
        let words: Vec<_> = [&*command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let ended = echoline(&words);
        assert_eq!((ended.stderr.as_str(), ended.code), ("", Some(0)), "{words:?}");
        let (_, examples) = ended.out().split_once("\nExamples:\n").expect("examples in the help");
        let mentions = examples.lines().filter(|line| line.contains(&format!("echoline {command}")));
        assert!(mentions.count() >= 2, "{words:?}: {examples}");
        assert!(ended.out().lines().all(|line| line.chars().count() <= 100), "{words:?}");
    }
}

#[test]
fn an_unknown_command_or_flag_is_wrong_usage_and_points_at_the_help() {
    for (words, said) in [
        (vec!["serv"], "unrecognized subcommand 'serv'"),
        (vec!["serve", "--no-such-flag"], "unexpected argument '--no-such-flag'"),
        (vec!["serve", "-q", "-v"], "cannot be used with"),
        (vec!["serve", "--max-line", "many"], "\"many\" is no unit of size; use B, KiB, MiB or GiB"),
        (vec!["serve", "--max-line", "0"], "--max-line 0B cannot be"),
        (vec!["serve", "--idle-timeout", "10"], "a time needs its unit: 10s or 10ms"),
        (vec!["serve", "--engine", "steam"], "\"steam\" is not one of: auto, portable or uring"),
        (vec!["serve", "--threads", "0"], "0 is too small: at least 1"),
        (vec!["serve", "--threads", "99999999999999999999"], "99999999999999999999 is too large: at most "),
        (vec!["serve", "--max-connections", "many"], "\"many\" is no whole number"),
        (vec!["serve", "--idle-timeout", "9999999h"], "9999999h is too long: at most 5124095h"),
        (vec!["bench", "-c", "0"], "0 is too small: at least 1"),
        (vec!["bench", "--seed=-1"], "\"-1\" is no whole number"),
        (vec!["bench", "--rate", "1.5"], "\"1.5\" is no whole number"),
        (vec!["play", "--seed", "x"], "\"x\" is no whole number"),
        (vec!["connect", "-w", "0s", "127.0.0.1"], "0s is no time to wait: give 1ms or more"),
        (vec!["connect", "--wait", "0"], "0 is no time to wait"),
        (vec!["connect", "--wait="], "the time is missing; a time looks like"),
        (vec!["connect", "--window", "0"], "0 is no room: give 1B or more"),
        (vec!["bench", "-w", "0"], "0 is no time to wait"),
        (vec!["bench", "--wait", "0s"], "0s is no time to wait"),
        (vec!["play", "-w", "0s", "127.0.0.1"], "0s is no time to wait"),
        (vec!["serve", "--threads", "5151"], "5151 threads are too many: at most 1024 are possible"),
        (vec!["explain", "refuesd"], "did you mean refused? echoline explain refused"),
        (vec!["explain", "ECONREFUSED"], "did you mean ECONNREFUSED? echoline explain ECONNREFUSED"),
        (vec!["explain", "me@example.com:", "Permission", "denied", "(publickey)."], "the network works"),
        (vec!["man", "woman"], "there is no command \"woman\""),
        (vec!["completions", "clam"], "invalid value 'clam'"),
    ] {
        let ended = echoline(&words);
        assert!(ended.stderr.contains(said), "{words:?}: {}", ended.stderr);
        assert_eq!((ended.out(), ended.code), ("", Some(2)), "{words:?}");
    }
    assert!(echoline(&["serv"]).stderr.contains("'serve'"), "a similar command is suggested");
}

#[test]
fn every_client_reads_a_host_and_a_port_alike() {
    for client in ["connect", "play", "bench"] {
        // A script whose variable is empty does not talk to itself.
        let ended = echoline(&[client, ""]);
        assert_eq!(ended.code, Some(2), "{client}: {ended:?}");
        assert!(ended.stderr.contains("only without any host is there a server in this process"), "{client}");
        let ended = echoline(&[client, "--ipv4", "localhost", "0"]);
        assert_eq!(ended.code, Some(2), "{client}: {ended:?}");
        assert!(ended.stderr.contains("[bad-port]"), "{client}: {}", ended.stderr);
        let ended = echoline(&[client, "--ipv6", "127.0.0.1", "5151"]);
        assert!(ended.stderr.contains("[no-address-of-family]"), "{client}: {}", ended.stderr);
    }
}

#[test]
fn no_argument_shows_the_help_as_wrong_usage() {
    let ended = echoline(&[]);
    assert!(ended.stderr.contains("Usage: echoline <COMMAND>"), "{}", ended.stderr);
    assert_eq!((ended.out(), ended.code), ("", Some(2)));
}

/// Whatever stands in brackets after a sentence has a page: `... [code]`, and check's `... [code, certainty]`.
#[test]
fn each_code_that_a_command_prints_is_one_that_explain_knows() {
    let commands: &[&[&str]] = &[
        &["connect", "127.0.0.1:1"],
        &["connect", "256.0.0.1"],
        &["connect", "no-such-host.invalid", "-w", "100ms"],
        &["serve", "--engine", "portable", "192.0.2.7:0"],
        &["serve", "nothing=1"],
        &["serve", "--threads", "5000"],
        &["serve", "*:1"],
        &["bench", "127.0.0.1", "1"],
        &["bench", "-n", "10", "-c", "1"],
        &["bench", "merge", "/etc/hostname", "/etc/hostname"],
        &["play", "127.0.0.1:1"],
        &["explain", "nothing"],
        &["man", "nothing"],
        &["check", "127.0.0.1:1"],
        &["check", "256.0.0.1"],
        &["check", "--listen", "1"],
        &["check", "--listen", "256.0.0.1:1"],
        &["lab", "show", "nowhere"],
        &["lab", "run", "pair", "nobody", "--", "true"],
        &["lab", "down", "--lab", "nowhere"],
    ];
    let mut codes = Vec::new();
    let of_linux = |command: &&&[&str]| matches!(command[0], "check" | "lab");
    for command in commands.iter().filter(|command| cfg!(target_os = "linux") || !of_linux(command)) {
        let ended = echoline(command);
        let printed = format!("{}{}", ended.out(), ended.stderr);
        let code = printed
            .lines()
            .find_map(|line| Some(line.split_once("   [")?.1.split([']', ',']).next()?.to_owned()));
        let code = code.unwrap_or_else(|| panic!("{command:?} prints no code: {printed}"));
        let page = echoline(&["explain", &code]);
        assert_eq!((page.code, page.out().lines().next()), (Some(0), Some(code.as_str())), "{command:?}");
        if ended.code != Some(0) {
            let last = printed.lines().rfind(|line| line.starts_with("  next  ")).unwrap_or_default();
            assert!(last.starts_with("  next  echoline explain "), "{command:?}: {printed}");
        }
        codes.push(code);
    }
    codes.sort();
    codes.dedup();
    assert!(codes.len() >= 5, "{codes:?}");
}

/// Quoted or not, with what was read above the page; the page itself is that of the plain code.
#[test]
fn explain_finds_the_page_by_what_others_call_it() {
    let page = echoline(&["explain", "refused"]);
    for words in [
        &["explain", "connection refused"] as &[&str],
        &["explain", "connection", "refused"],
        &["explain", "ConnectionRefusedError:", "[Errno", "111]", "Connection", "refused"],
    ] {
        let found = echoline(words);
        let (line, below) = found.out().split_once("\n\n").unwrap();
        assert_eq!(line, "\"Connection refused\" is how Unix systems write ECONNREFUSED: refused");
        assert_eq!((below, found.stderr.as_str(), found.code), (page.out(), "", Some(0)));
    }
    let both = echoline(&["explain", "ETIMEDOUT"]);
    assert!(
        both.out().contains("first:\n  no-answer  ") && both.out().contains("\n  timed-out  "),
        "{both:?}"
    );
    let hostile = echoline(&["explain", "\u{1b}[2Jnothing"]);
    assert!(hostile.stderr.contains("\\x1b") && !hostile.stderr.contains('\u{1b}'), "{}", hostile.stderr);
}

#[test]
fn explain_lists_every_code_and_prints_its_page() {
    let list = echoline(&["explain"]);
    assert_eq!((list.stderr.as_str(), list.code), ("", Some(0)));
    let listed: Vec<&str> = list.out().lines().map(|line| line.split(' ').next().unwrap()).collect();
    for code in echoline::Code::all() {
        assert!(listed.contains(&code.as_str()), "{code}");
    }
    for code in listed {
        let page = echoline(&["explain", code]);
        assert_eq!((page.stderr.as_str(), page.code), ("", Some(0)));
        assert!(page.out().starts_with(&format!("{code}\n")), "{}", page.out());
        assert!(page.out().contains("\nWhat to do\n"), "{}", page.out());
    }
}

#[test]
fn completions_and_manual_pages_know_every_command_and_flag() {
    for shell in ["bash", "fish", "zsh"] {
        let script = echoline(&["completions", shell]);
        assert_eq!((script.stderr.as_str(), script.code), ("", Some(0)));
        assert!(script.out().contains("max-line") && script.out().contains("explain"), "{shell}");
    }
    let program = echoline(&["man"]);
    for command in commands() {
        assert!(program.out().contains(&format!("echoline\\-{command}(1)")), "{command}");
        let page = echoline(&["man", &command]);
        assert!(page.out().contains(&format!(".TH echoline-{command} 1")), "{}", page.out());
    }
}

#[test]
fn every_page_that_a_manual_page_refers_to_can_be_printed_and_bears_the_programs_name_at_its_foot() {
    let version = env!("CARGO_PKG_VERSION");
    let mut names = vec!["echoline".to_owned()];
    let mut printed = 0;
    while let Some(name) = names.pop() {
        let words = name.strip_prefix("echoline").unwrap().trim_start_matches('-');
        let page = echoline(
            &[&["man"][..], &words.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>()].concat(),
        );
        assert_eq!((page.stderr.as_str(), page.code), ("", Some(0)), "{name}");
        assert!(
            page.out().contains(&format!(".TH {name} 1  \"echoline {version}\"")),
            "{name}: {}",
            page.out()
        );
        if !words.is_empty() {
            assert_eq!(echoline(&["man", words]).stdout, page.stdout, "{name}");
        }
        let referred = page.out().lines().filter_map(|line| line.strip_suffix("(1)"));
        names.extend(referred.map(|name| name.replace("\\-", "-")).filter(|name| !name.ends_with("-help")));
        printed += 1;
    }
    assert!(printed > commands().len() + 10, "{printed}");
}

#[test]
fn the_examples_of_a_manual_page_stand_in_lines_as_in_the_help() {
    for words in [&["connect"][..], &[], &["lab", "link"], &["man"]] {
        let page = echoline(&[&["man"], words].concat());
        let help = echoline(&[words, &["--help"]].concat());
        let (_, examples) = help.out().split_once("\nExamples:\n").unwrap();
        let (_, set) = page.out().split_once("\n.SH EXAMPLES\n.nf\n").expect("examples in lines");
        let plain = set.replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\");
        let examples: Vec<_> = examples.lines().take_while(|line| !line.is_empty()).collect();
        assert!(examples.len() >= 2 && plain.starts_with(&examples.join("\n")), "{words:?}: {plain}");
        assert!(plain[examples.join("\n").len()..].starts_with("\n.fi\n"), "{words:?}: {plain}");
    }
    assert!(echoline(&["man"]).out().contains("\n.SH EXIT CODES\n.nf\n  0  it worked"));
}

#[test]
fn a_reader_that_leaves_ends_a_command_cleanly() {
    let mut child = Command::new(ECHOLINE)
        .args(["completions", "bash"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let ended = end_of(child);
    assert_eq!((ended.stderr.as_str(), ended.code), ("", Some(0)));
}

#[test]
fn a_full_disk_on_standard_output_is_a_failure_that_says_so() {
    for words in
        [["explain", "refused"].as_slice(), &["completions", "bash"], &["man"], &["--help"], &["--version"]]
    {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut command = Command::new(ECHOLINE);
        command.args(words).stdin(Stdio::null()).stdout(full).stderr(Stdio::piped());
        let ended = end_of(command.spawn().unwrap());
        assert_eq!(
            ended.stderr,
            "cannot write to standard output: No space left on device (os error 28)   [output]\n  \
             so    what follows would be lost, so the command ended here\n  \
             next  give standard output a place that takes it: a disk with room, a pipe that is read\n  \
             next  echoline explain output\n",
            "{words:?}"
        );
        assert_eq!(ended.code, Some(2), "{words:?}");
    }
}

#[test]
fn closed_standard_streams_do_no_harm() {
    for redirection in [">&-", "2>&-", "<&-", "<&- >&- 2>&-"] {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec \"$@\" {redirection}"), "sh", ECHOLINE, "explain", "refused"]);
        assert_eq!(finish(&mut command, b"").code, Some(0), "{redirection}");
    }
}

#[test]
fn a_closed_standard_stream_counts_as_dev_null_and_the_pages_of_both_failures_say_so() {
    let shell = |redirection: &str, input: &[u8]| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("exec \"$@\" {redirection}"), "sh", ECHOLINE, "connect"]);
        let ended = finish(&mut command, input);
        assert_eq!((ended.code, ended.out()), (Some(0), ""), "{redirection}: {}", ended.stderr);
        ended.stderr
    };
    for (closed, null) in [(">&-", ">/dev/null"), ("<&-", "</dev/null")] {
        let (closed, null) = (shell(closed, b"hello\n"), shell(null, b"hello\n"));
        let summary =
            |text: &str| text.lines().last().map(|line| line.split(" Round").next().unwrap().to_owned());
        assert_eq!(summary(&closed), summary(&null));
    }
    for (code, closed) in [("output", "(>&-)"), ("input", "(<&-)")] {
        let page = echoline(&["explain", code]);
        let (meaning, causes) =
            page.out().split_once("\nWhat causes it").expect("the causes behind the meaning");
        let meaning = meaning.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(meaning.contains(closed) && meaning.contains("counts as /dev/null"), "{meaning}");
        assert!(!causes.contains("&-"), "{causes}");
    }
}

#[test]
fn a_failure_has_colours_on_a_terminal_only() {
    assert!(!echoline(&["serve", "70000"]).stderr.contains('\u{1b}'));
    let mut forced = Command::new(ECHOLINE);
    let ended = finish(forced.args(["serve", "70000"]).env("CLICOLOR_FORCE", "1"), b"");
    assert!(ended.stderr.contains("\u{1b}[1mport 70000 is above 65535\u{1b}[0m"), "{:?}", ended.stderr);
}

#[test]
fn a_page_for_help_is_unknown_and_the_error_offers_only_pages_that_there_are() {
    for words in [&["help"][..], &["lab", "help"], &["serve", "foo"]] {
        let ended = echoline(&[&["man"], words].concat());
        assert_eq!((ended.code, ended.out()), (Some(2), ""), "{words:?}: {}", ended.stderr);
        let message = format!("there is no command \"{}\"   [usage]", words.join(" "));
        assert_eq!(ended.stderr.lines().next(), Some(message.as_str()));
        let have = ended.stderr.lines().find_map(|line| line.strip_prefix("  have  "));
        assert_eq!(have.is_some(), words != ["serve", "foo"], "{}", ended.stderr);
        let parents = &words[..words.len() - 1];
        for name in have.into_iter().flat_map(|have| have.split(", ")) {
            let page = echoline(&[&["man"], parents, &[name]].concat());
            assert_eq!(page.code, Some(0), "{parents:?} {name}: {}", page.stderr);
        }
    }
}
