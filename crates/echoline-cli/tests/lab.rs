//! `echoline lab` as a user runs it: labs really built, as root and as an ordinary user.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use echoline_testing::{have, skip};
use rustix::process::{Pid, Signal, kill_process};

use support::ordinary::Ordinary;
use support::{DEADLINE, ECHOLINE, Ended, echoline, finish};

/// Says that a test cannot run here, in the way that `cargo xtask test` lists.
fn possible(test: &str) -> bool {
    let tried = echoline(&["lab", "run", "pair", "alice", "--", "true"]);
    if tried.code == Some(0) {
        return true;
    }
    skip(test, &format!("namespaces, ip and nft ({})", tried.stderr.trim()));
    false
}

/// A lab that stays up, under a name that no other test has.
struct Up {
    child: Child,
    name: String,
    file: tempfile::TempPath,
}

impl Up {
    fn new(name: &str) -> Self {
        let text =
            echoline(&["lab", "show", "home", "--toml"]).out().replace("\"home\"", &format!("{name:?}"));
        let mut file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let file = file.into_temp_path();
        let mut command = Command::new(ECHOLINE);
        command.args(["lab", "up", "--quiet"]).arg(&file).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut ready = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut ready).unwrap();
        assert_eq!(ready, format!("{name}\n"));
        Self { child, name: name.into(), file }
    }

    fn lab(&self, verb: &[&str]) -> Ended {
        echoline(&[&["lab", verb[0], "--lab", &self.name], &verb[1..]].concat())
    }

    fn client(&self) -> Ended {
        let mut enter = Command::new(ECHOLINE);
        enter.args(["lab", "enter", "--lab", &self.name, "laptop", "--", "echoline", "connect"]);
        finish(enter.args(["-4", "-w", "1s", "203.0.113.10"]), b"hello\n")
    }

    /// Outside, init and inside.
    fn stages(&self) -> [u32; 3] {
        let init = child_of(self.child.id());
        [self.child.id(), init, child_of(init)]
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn child_of(pid: u32) -> u32 {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    children.split_whitespace().next().unwrap().parse().unwrap()
}

/// Every namespace of every process of this machine.
fn namespaces() -> BTreeSet<PathBuf> {
    let links = |pid: PathBuf| fs::read_dir(pid.join("ns")).into_iter().flatten().flatten();
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    processes.flat_map(links).filter_map(|link| fs::read_link(link.path()).ok()).collect()
}

/// The namespaces of a process, and each opened.
fn namespaces_of(pid: u32) -> Vec<(PathBuf, File)> {
    let links = fs::read_dir(format!("/proc/{pid}/ns")).unwrap().map(|link| link.unwrap().path());
    links.map(|link| (fs::read_link(&link).unwrap(), File::open(link).unwrap())).collect()
}

/// What this machine, outside of all labs, has where a lab keeps its files.
fn lab_files() -> Option<BTreeSet<PathBuf>> {
    Some(fs::read_dir("/run/lab").ok()?.map(|entry| entry.unwrap().path()).collect())
}

#[test]
fn run_ends_with_the_exit_code_of_its_command() {
    if possible("run_ends_with_the_exit_code_of_its_command") {
        let ended = echoline(&["lab", "run", "pair", "alice", "--", "sh", "-c", "hostname; exit 7"]);
        assert_eq!((ended.code, ended.out()), (Some(7), "alice\n"));
        let ended = echoline(&["lab", "run", "pair", "alice", "--", "sh", "-c", "kill -TERM $$"]);
        assert_eq!(ended.code, Some(128 + 15));
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn a_pipe_reaches_the_server_on_the_labs_internet_and_comes_back() {
    if possible("a_pipe_reaches_the_server_on_the_labs_internet_and_comes_back") {
        let text: String = (0..10_000).map(|n| format!("line {n}\n")).collect();
        let mut command = Command::new(ECHOLINE);
        command.args(["lab", "run", "home", "laptop", "--", "echoline", "connect", "-q", "echo.lab.test"]);
        let ended = finish(&mut command, text.as_bytes());
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(0), ""));
        assert!(ended.out() == text, "{} bytes of {}", ended.stdout.len(), text.len());
    }
}

#[test]
fn an_ordinary_user_builds_a_lab_without_any_privilege() {
    if possible("an_ordinary_user_builds_a_lab_without_any_privilege") {
        let Some(ordinary) = Ordinary::new("an_ordinary_user_builds_a_lab_without_any_privilege") else {
            return;
        };
        let arguments =
            ["lab", "run", "bad-link", "laptop", "--", "echoline", "connect", "-q", "echo.lab.test"];
        let ended = finish(&mut ordinary.command(&arguments), b"hello\n");
        assert_eq!((ended.code, ended.out()), (Some(0), "hello\n"), "{}", ended.stderr);
    }
}

#[test]
fn three_labs_with_the_same_addresses_run_side_by_side() {
    if possible("three_labs_with_the_same_addresses_run_side_by_side") {
        let one = || {
            let mut command = Command::new(ECHOLINE);
            command.args([
                "lab",
                "run",
                "home",
                "laptop",
                "--",
                "echoline",
                "connect",
                "-q",
                "echo.lab.test",
            ]);
            finish(&mut command, b"hello\n").code
        };
        let all: Vec<_> = (0..3).map(|_| thread::spawn(one)).collect();
        for lab in all {
            assert_eq!(lab.join().unwrap(), Some(0));
        }
    }
}

#[test]
fn nothing_is_left_whichever_stage_is_killed() {
    if !possible("nothing_is_left_whichever_stage_is_killed") {
        return;
    }
    let files = lab_files();
    for stage in 0..3 {
        let before = namespaces();
        let mut up = Up::new(&format!("killed-{}-{stage}", std::process::id()));
        let stages = up.stages();
        let own = namespaces_of(stages[1]).into_iter().filter(|(link, _)| !before.contains(link));
        // Held open, so that the kernel gives their numbers to no other lab meanwhile.
        let (own, _held): (BTreeSet<_>, Vec<_>) = own.unzip();
        assert!(own.len() >= 5, "{own:?}");
        kill_process(Pid::from_raw(stages[stage].cast_signed()).unwrap(), Signal::KILL).unwrap();
        up.child.wait().unwrap();
        let deadline = Instant::now() + DEADLINE;
        while namespaces().intersection(&own).next().is_some() {
            assert!(Instant::now() < deadline, "namespaces outlive stage {stage}");
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(lab_files(), files, "the lab's files are its own");
    }
}

#[test]
fn a_running_lab_is_entered_changed_and_ended_from_other_terminals() {
    if !possible("a_running_lab_is_entered_changed_and_ended_from_other_terminals") {
        return;
    }
    let mut up = Up::new(&format!("changed-{}", std::process::id()));
    assert_eq!(up.client().code, Some(0));
    let ended = up.lab(&["firewall", "server", "in", "reject=host-unreachable", "tcp", "5151", "--explain"]);
    let rule = "insert rule inet lab input tcp dport 5151 reject with icmpx host-unreachable";
    assert!(ended.out().contains(rule), "{}", ended.out());
    assert!(up.client().stderr.contains("[host-unreachable]"));
    assert_eq!(up.lab(&["firewall", "server", "clear"]).code, Some(0));
    assert_eq!(up.client().code, Some(0));
    assert_eq!(up.lab(&["link", "wan", "cut"]).code, Some(0));
    assert!(up.client().stderr.contains("[no-answer]"));
    assert_eq!(up.lab(&["link", "wan", "mend"]).code, Some(0));
    assert_eq!(up.client().code, Some(0));
    let wrong = up.lab(&["link", "wam", "cut"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("no link of this lab is called `wam`; there is "), "{}", wrong.stderr);
    for words in [&["link", "wam", "cut"][..], &["watch", "wam"], &["names", "remove", "wam"]] {
        let wrong = up.lab(words);
        assert!(wrong.stderr.contains("[lab-unknown-name]"), "{words:?}: {}", wrong.stderr);
        assert_eq!(wrong.code, Some(2));
    }
    assert_eq!(up.lab(&["down"]).code, Some(0));
    assert_eq!(up.child.wait().unwrap().code(), Some(0));
    let gone = up.lab(&["down"]);
    assert!(gone.code == Some(2) && gone.stderr.contains("no lab"), "{}", gone.stderr);
}

#[test]
fn a_second_lab_of_the_same_name_is_refused_and_a_lab_is_also_known_by_its_process() {
    if !possible("a_second_lab_of_the_same_name_is_refused_and_a_lab_is_also_known_by_its_process") {
        return;
    }
    let up = Up::new(&format!("twice-{}", std::process::id()));
    let again = finish(Command::new(ECHOLINE).args(["lab", "up"]).arg(&*up.file), b"");
    assert_eq!((again.code, again.out()), (Some(2), ""));
    let said = format!("a lab called {} runs already (process {})", up.name, up.stages()[1]);
    assert!(again.stderr.contains(&said), "{}", again.stderr);
    assert!(again.stderr.contains(&format!("lab down --lab {}", up.name)), "{}", again.stderr);
    let process = up.stages()[1].to_string();
    assert_eq!(echoline(&["lab", "down", "--lab", &process]).code, Some(0));
}

#[test]
fn a_signal_that_is_sent_to_a_lab_that_is_up_ends_it_in_order() {
    if !possible("a_signal_that_is_sent_to_a_lab_that_is_up_ends_it_in_order") {
        return;
    }
    for signal in [Signal::INT, Signal::TERM] {
        for stage in 0..3 {
            let mut up = Up::new(&format!("signal-{}-{}-{stage}", signal.as_raw(), std::process::id()));
            kill_process(Pid::from_raw(up.stages()[stage].cast_signed()).unwrap(), signal).unwrap();
            assert_eq!(up.child.wait().unwrap().code(), Some(0), "{signal:?} to stage {stage}");
        }
    }
}

/// Says when it is ready, waits for SIGINT, and ends with how many came.
const COUNTING: &str = "n=0; trap 'n=$((n+1))' INT; echo ready; while [ $n = 0 ]; do sleep 0.05; done; sleep 0.3; exit $((20 + n))";

#[test]
fn an_interrupt_reaches_the_command_once_whether_it_is_sent_or_typed() {
    if !possible("an_interrupt_reaches_the_command_once_whether_it_is_sent_or_typed") {
        return;
    }
    let run = |command: &mut Command| {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        while !lines.next().unwrap().unwrap().contains("ready") {}
        (child, lines)
    };
    let mut sent = Command::new(ECHOLINE);
    let (mut child, _lines) = run(sent.args(["lab", "run", "pair", "alice", "--", "sh", "-c", COUNTING]));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(21));
    if !have("script") {
        return skip(
            "an_interrupt_reaches_the_command_once_whether_it_is_sent_or_typed",
            "script (bsdutils)",
        );
    }
    // It makes a terminal, on which Ctrl-C goes to everything at once.
    let mut typed = Command::new("script");
    let line = format!("exec {ECHOLINE} lab run pair alice -- sh -c \"$COUNTING\"");
    typed.args(["-qec", &line, "/dev/null"]).env("COUNTING", COUNTING).env("SHELL", "/bin/sh");
    let (mut child, _lines) = run(&mut typed);
    child.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(21));
}

#[test]
fn a_wrong_word_is_answered_before_anything_is_built() {
    for (arguments, message) in [
        (
            &["lab", "run", "hom", "laptop", "--", "true"][..],
            "hom: no such topology: it is one of pair, home",
        ),
        (
            &["lab", "run", "home", "server2", "--", "true"],
            "no host of this lab is called `server2`; there is laptop",
        ),
        (
            &["lab", "run", "laptop", "--with", "link wan lost=5%", "--", "true"],
            "next  echoline lab link --help",
        ),
        (
            &["lab", "firewall", "server", "in", "block", "tcp", "1"],
            "`block` is no action: accept, drop, reject",
        ),
        (
            &["lab", "run", "home", "--", "true"],
            "home is a topology, and the host on which to run the command is missing",
        ),
        (&["lab", "run", "home", "laptop", "true"], "next  echoline lab run home laptop -- true ..."),
        (&["lab", "run", "home", "laptop"], "there is no command behind --"),
        (&["lab", "down", "--lab", "nope"], "no lab called `nope` is running; there is "),
        (&["lab", "show", ""], "``: no such topology"),
        (&["lab", "run", "laptop", "--with", "firewall bob", "--", "true"], "such as in drop tcp 5151"),
        (&["lab", "names", "set", "a", "b"], "`b` is no address"),
        (&["lab", "link", "wan", "mtu=9"], "an MTU of `9` is not in 68 to 65535 bytes"),
        (&["lab", "test", "nat-outwards"], "nat-outwards: no such scenario"),
        (&["lab", "run", "laptop", "--with", "cable wan cut", "--", "true"], "next  echoline lab --help"),
        (&["lab", "show", "pair", "--toml", "--svg", "p.svg"], "cannot be used with"),
    ] {
        let ended = echoline(arguments);
        assert_eq!(ended.code, Some(2), "{arguments:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(message), "{arguments:?}: {}", ended.stderr);
        assert_eq!(ended.out(), "");
    }
}

#[test]
fn a_scenario_that_cannot_be_played_is_one_json_document_with_the_failure_in_it() {
    let ended = echoline(&["lab", "test", "--json", "nope"]);
    let document: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!(document["error"]["code"], "lab-topology");
    assert_eq!(document["schema"], "echoline-lab-test/1");
    assert_eq!((document["scenarios"].as_array().map(Vec::len), ended.code), (Some(0), Some(2)));
    assert!(ended.stderr.contains("nope: no such scenario"), "{}", ended.stderr);
}

#[test]
fn every_shipped_scenario_shows_what_it_says() {
    if !possible("every_shipped_scenario_shows_what_it_says") {
        return;
    }
    let list = echoline(&["lab", "test", "--list"]);
    let names: Vec<String> =
        list.out().lines().map(|line| line.split_whitespace().next().unwrap().to_owned()).collect();
    assert!(names.len() >= 20);
    // Most of the time is waiting, so several at once.
    let plays: Vec<_> = (0..4)
        .map(|part| {
            let some: Vec<_> = names.iter().skip(part).step_by(4).cloned().collect();
            thread::spawn(move || Command::new(ECHOLINE).args(["lab", "test"]).args(some).output().unwrap())
        })
        .collect();
    for play in plays {
        let output = play.join().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
}

#[test]
fn what_explain_prints_builds_the_same_network_by_hand() {
    if !possible("what_explain_prints_builds_the_same_network_by_hand") {
        return;
    }
    let explained = echoline(&["lab", "run", "home", "laptop", "--explain", "--", "true"]).stderr;
    let script = format!(
        "set -e\nPATH=$PATH:/usr/sbin\nmount -t tmpfs tmpfs /run\n{{\n{explained}\n}} > /dev/null\nmkfifo /run/ready\n\
         ip netns exec server {ECHOLINE} serve -q --once :5151 > /run/ready &\nread endpoint < /run/ready\n\
         echo hello | ip netns exec laptop {ECHOLINE} connect -q 203.0.113.10\n"
    );
    // As a person without root would make room to try it: namespaces from util-linux.
    let mut unshare = Command::new("unshare");
    let ended = finish(unshare.args(["-Urnm", "--kill-child", "-f", "sh", "-s"]), script.as_bytes());
    assert_eq!((ended.code, ended.out()), (Some(0), "hello\n"), "{}", ended.stderr);
}

#[test]
fn a_watch_tells_what_nat_rewrote_and_writes_what_wireshark_opens() {
    if !possible("a_watch_tells_what_nat_rewrote_and_writes_what_wireshark_opens") {
        return;
    }
    let up = Up::new(&format!("watched-{}", std::process::id()));
    let directory = tempfile::tempdir().unwrap();
    let pcap = directory.path().join("wan.pcap");
    let watch = |arguments: &[&str]| {
        let mut command = Command::new(ECHOLINE);
        command.args(["lab", "watch", "--lab", &up.name]).args(arguments).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        (child, lines)
    };
    let (mut both, mut lines) = watch(&[]);
    let (mut one, mut written) = watch(&["wan", "--write", pcap.to_str().unwrap()]);
    // A watch says nothing before something passes; so knock until both have heard.
    let talking = || assert_eq!(up.client().code, Some(0));
    talking();
    let rewrote = |line: &str| {
        line.contains("wan") && line.contains("SYN,") && line.contains("NAT: from was 192.168.1.10:")
    };
    thread::scope(|scope| {
        let heard = scope.spawn(|| {
            let told = lines.any(|line| rewrote(&line.unwrap()));
            let passed = written.any(|line| line.unwrap().contains("data 1..7 \"hello\\n\""));
            (told, passed)
        });
        let deadline = Instant::now() + DEADLINE;
        while !heard.is_finished() && Instant::now() < deadline {
            talking();
        }
        for child in [&both, &one] {
            kill_process(Pid::from_raw(child.id().cast_signed()).unwrap(), Signal::INT).unwrap();
        }
        assert_eq!(heard.join().unwrap(), (true, true));
    });
    assert_eq!(both.wait().unwrap().code(), Some(0));
    assert_eq!(one.wait().unwrap().code(), Some(0));
    let bytes = fs::read(&pcap).unwrap();
    // Nanosecond pcap in either byte order (draft-ietf-opsawg-pcap, section 4).
    assert!(matches!(bytes[..4], [0x4d, 0x3c, 0xb2, 0xa1] | [0xa1, 0xb2, 0x3c, 0x4d]), "{:x?}", &bytes[..4]);
    assert!(bytes.windows(6).any(|window| window == b"hello\n"));
}

#[test]
fn a_machine_that_forbids_namespaces_is_told_with_the_remedy() {
    if !possible("a_machine_that_forbids_namespaces_is_told_with_the_remedy") {
        return;
    }
    // Inside a lab the limits are the lab's own, so nobody else notices: one namespace, then none.
    for (limit, remedy) in
        [("0", "sysctl -w user.max_user_namespaces"), ("1", "end other labs or containers")]
    {
        let inner = "echoline lab run pair alice -- echoline lab run pair bob -- true";
        let script = format!("echo {limit} > /proc/sys/user/max_user_namespaces; {inner}");
        let ended = echoline(&["lab", "run", "pair", "alice", "--", "sh", "-c", &script]);
        assert_eq!(ended.code, Some(2));
        assert!(ended.stderr.contains("this machine forbids namespaces"), "{}", ended.stderr);
        assert!(ended.stderr.contains(remedy), "{}", ended.stderr);
    }
}

#[test]
fn a_scenario_that_shows_something_else_fails_with_the_difference() {
    if !possible("a_scenario_that_shows_something_else_fails_with_the_difference") {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("mine.toml");
    let text = "name = \"mine\"\nabout = \"Mine.\"\ntopology = \"pair\"\n\n[[step]]\non = \"alice\"\n\
                run = \"hostname\"\nprints = \"bob\\n\"\n";
    fs::write(&file, text).unwrap();
    let ended = echoline(&["lab", "test", file.to_str().unwrap()]);
    assert_eq!(ended.code, Some(1));
    let told = "line 5: on alice: hostname\n        wanted standard output \"bob\\n\"\n        came   \"alice\\n\"\n";
    assert!(ended.out().contains(told), "{}", ended.out());
    let ended = echoline(&["lab", "test", "--json", file.to_str().unwrap()]);
    let report: serde_json::Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((ended.code, &report["scenarios"][0]["pass"]), (Some(1), &serde_json::Value::Bool(false)));
}

#[test]
fn a_name_that_a_change_does_not_find_has_one_code_and_the_names_that_there_are() {
    if !possible("a_name_that_a_change_does_not_find_has_one_code_and_the_names_that_there_are") {
        return;
    }
    for (change, told) in [
        ("link nosuch cut", "no link of this lab is called `nosuch`; there is wire"),
        ("names remove nosuch", "no name of this lab is called `nosuch`; there is alice.lab.test"),
    ] {
        let ended = echoline(&["lab", "run", "pair", "alice", "--with", change, "--", "true"]);
        assert_eq!((ended.out(), ended.code), ("", Some(2)), "{}", ended.stderr);
        assert!(ended.stderr.contains(told), "{}", ended.stderr);
        assert!(ended.stderr.contains("[lab-unknown-name]"), "{}", ended.stderr);
    }
    let change = "names remove echo.lab.test.";
    let ended = echoline(&["lab", "run", "pair", "alice", "--with", change, "--", "true"]);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
}

#[test]
fn without_a_path_a_host_finds_its_programs_where_a_login_does() {
    if !possible("without_a_path_a_host_finds_its_programs_where_a_login_does") {
        return;
    }
    let mut command = Command::new(ECHOLINE);
    let ended = finish(
        command.env_clear().args([
            "lab",
            "run",
            "pair",
            "alice",
            "--",
            "sh",
            "-c",
            "echo $PATH; echoline explain",
        ]),
        b"",
    );
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let path = ended.out().lines().next().unwrap();
    assert!(path.split(':').any(|directory| directory == "/bin"), "{path}");
    assert!(path.split(':').all(|directory| directory.starts_with('/')), "{path}");
}
