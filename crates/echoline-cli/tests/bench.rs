//! `echoline bench` as a program: against its own server, ours, and servers that misbehave.
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use echoline_testing::{have, skip};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use support::load::{bench, line_server, server};
use support::{ECHOLINE, Serving, bound, echoline, end_of, finish, unshared};

#[test]
fn without_a_host_a_server_of_its_own_is_measured_and_every_byte_is_compared() {
    let ended = echoline(&["bench", "-n", "5000", "-c", "10", "--size", "1..300", "--depth", "4", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((&report["embedded"], &report["lines"]), (&true.into(), &5000.into()));
    assert_eq!(report["errors"]["total"], 0);
    assert_eq!(report["connections"]["open"], 10);
    assert!(report["generator"]["cpu_us_per_line"].as_f64().unwrap() > 0.0);
    assert_eq!(ended.stderr, "");
}

#[test]
fn the_keys_of_the_report_stay() {
    let server = Serving::echo(&[]);
    let (_, report) = bench(&server.address(0).port().to_string(), &["-n", "100"]);
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    let mut all: Vec<_> = report.as_object().unwrap().keys().map(String::as_str).collect();
    all.sort_unstable();
    let expected = "bytes bytes_per_s capacity_lines_per_s connect_us connections elapsed_s embedded errors generator \
        histograms interrupted latency_us lines lines_per_s missed options per_second schema service_us target tries warnings";
    assert_eq!(all.join(" "), expected);
    assert_eq!(report["schema"], "echoline-bench/1");
    for times in ["latency_us", "service_us", "connect_us"] {
        let mut found = keys(&report[times]).split(' ').map(str::to_owned).collect::<Vec<_>>();
        found.sort_unstable();
        assert_eq!(found.join(" "), "count max mean p50 p90 p99 p99_9 p99_99");
    }
}

#[test]
fn long_lines_come_back_whole_through_partial_sends() {
    let server = Serving::echo(&[]);
    let port = server.address(0).port().to_string();
    let (ended, report) = bench(&port, &["-n", "40", "-c", "4", "--size", "1MiB", "--depth", "2"]);
    assert_eq!((ended.code, &report["errors"]["total"]), (Some(0), &0.into()), "{ended:?}");
    assert_eq!(report["bytes"], 40 << 20);
}

#[test]
fn a_churn_opens_a_connection_for_every_line() {
    let port = server(|mut stream, _| {
        let mut line = [0; 64];
        stream.read_exact(&mut line).unwrap();
        stream.write_all(&line).unwrap();
        // A second line on the same connection would stay without an answer.
        let _ = stream.read(&mut line);
    });
    let (ended, report) = bench(&port, &["-n", "200", "-c", "4", "--churn"]);
    assert_eq!((ended.code, &report["lines"]), (Some(0), &200.into()), "{ended:?}");
    assert!(report["connect_us"]["count"].as_u64().unwrap() >= 200);
}

#[test]
fn a_churn_times_each_line_from_its_own_moment_after_connections_failed() {
    // Nobody answers for the first half second or so, since each failure is followed by a tenth of one. At ten lines a
    // second, a line that takes the moment of one before it is late by 100 ms at least.
    let port = server(|mut stream, number| {
        let mut line = [0; 64];
        stream.read_exact(&mut line).unwrap();
        if number >= 6 {
            stream.write_all(&line).unwrap();
            let _ = stream.read(&mut line);
        }
    });
    let flags = ["--churn", "-c", "1", "--rate", "10", "-t", "3s", "--warm-up", "0s"];
    let (ended, report) = bench(&port, &flags);
    assert_eq!(report["errors"]["by_code"], serde_json::json!({"closed-early": 6}), "{ended:?}");
    let last = report["per_second"][2]["p50_us"].as_f64().unwrap();
    assert!(last < 100_000.0, "{last} {report:#}");
}

#[test]
fn the_rate_of_a_number_of_lines_does_not_count_the_wait_for_the_other_side_to_finish() {
    let port = server(|mut stream, _| {
        let mut line = [0; 64];
        while stream.read_exact(&mut line).and_then(|()| stream.write_all(&line)).is_ok() {}
        // Open until the test ends: a thread that is parked for ever holds it.
        loop {
            thread::park();
        }
    });
    let begin = Instant::now();
    let (ended, report) = bench(&port, &["-n", "1", "-c", "1"]);
    let whole_s = begin.elapsed().as_secs_f64();
    assert_eq!((ended.code, &report["lines"]), (Some(0), &1.into()), "{ended:?}");
    let elapsed_s = report["elapsed_s"].as_f64().unwrap();
    // The farewell alone waits for half a second, which the whole takes longer than the lines.
    assert!(elapsed_s + 0.5 <= whole_s, "{elapsed_s} of {whole_s}");
}

#[test]
fn lines_that_are_altered_fail_the_run() {
    let port = line_server(|number, line| {
        let mut line = line.to_vec();
        if number % 10 == 9 {
            line[4] ^= 1;
        }
        line
    });
    let (ended, report) = bench(&port, &["-n", "100", "-c", "1"]);
    assert_eq!((ended.code, &report["errors"]["altered"]), (Some(1), &10.into()), "{ended:?}");
    assert_eq!((&report["errors"]["lost"], &report["errors"]["surplus"]), (&0.into(), &0.into()));
}

#[test]
fn lines_that_are_lost_fail_the_run() {
    let port = line_server(|number, line| if number % 10 == 4 { Vec::new() } else { line.to_vec() });
    let (ended, report) = bench(&port, &["-n", "100", "-c", "1", "--depth", "5", "--wait", "5s"]);
    assert_eq!((ended.code, &report["errors"]["lost"]), (Some(1), &10.into()), "{ended:?}");
    assert_eq!((&report["errors"]["altered"], &report["errors"]["surplus"]), (&0.into(), &0.into()));
}

#[test]
fn lines_that_nobody_sent_fail_the_run_even_after_the_last_answer() {
    let port = server(|stream, _| {
        let mut out = stream.try_clone().unwrap();
        for (number, line) in (1..).zip(BufReader::new(stream).split(b'\n')) {
            out.write_all(&[&line.unwrap()[..], b"\n"].concat()).unwrap();
            if number % 10 == 0 {
                // So late that every answer has come, and its own write.
                thread::sleep(Duration::from_millis(20));
                out.write_all(b"and this\n").unwrap();
            }
        }
    });
    let (ended, report) = bench(&port, &["-n", "100", "-c", "1"]);
    assert_eq!((ended.code, &report["errors"]["surplus"]), (Some(1), &10.into()), "{ended:?}");
    assert_eq!((&report["errors"]["altered"], &report["errors"]["lost"]), (&0.into(), &0.into()));
}

#[test]
fn a_stall_shows_in_the_response_times_of_all_the_lines_that_had_to_wait() {
    // One stall of 200 ms in 100 lines; at 1,000 lines a second, 100 more become due meanwhile.
    let port = line_server(|number, line| {
        if number == 50 {
            thread::sleep(Duration::from_millis(200));
        }
        line.to_vec()
    });
    let flags = ["-c", "1", "--rate", "1000", "-t", "1s", "--warm-up", "0", "--depth", "1"];
    let (ended, report) = bench(&port, &flags);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let us = |times: &str, percentile: &str| report[times][percentile].as_f64().unwrap();
    assert_eq!(report["lines"], 1000);
    assert!(us("latency_us", "p90") > 50_000.0, "{ended:?}");
    // From their own send, one line in a thousand was slow.
    assert!(us("service_us", "max") >= 200_000.0);
    assert!(us("service_us", "p90") < us("latency_us", "p90"), "{ended:?}");
}

#[test]
fn a_bound_that_is_missed_exits_3_and_says_which() {
    let server = Serving::echo(&[]);
    let port = server.address(0).port().to_string();
    let (kept, _) = bench(&port, &["-n", "50", "--require", "max=1h,errors=0"]);
    assert_eq!(kept.code, Some(0), "{kept:?}");
    let (missed, report) = bench(&port, &["-n", "50", "--require", "p50=1ns,errors=0"]);
    assert_eq!(missed.code, Some(3), "{missed:?}");
    assert_eq!(report["missed"][0]["required"], "p50=1ns");
    let altering = line_server(|_, line| line.to_ascii_uppercase());
    let (missed, _) = bench(&altering, &["-n", "50", "-c", "1", "--require", "errors=0"]);
    assert_eq!(missed.code, Some(3), "{missed:?}");
}

#[test]
fn a_rate_beyond_what_the_server_does_misses_its_bound_though_the_lines_that_left_were_fast() {
    // 5 ms a line: 200 a second; the other lines are still waiting at the end.
    let port = line_server(|_, line| {
        thread::sleep(Duration::from_millis(5));
        line.to_vec()
    });
    let flags =
        ["-c", "1", "--depth", "1", "--rate", "2000", "-t", "500ms", "--warm-up", "0", "--wait", "1s"];
    let (ended, report) = bench(&port, &[&flags[..], &["--require", "p50=1h"]].concat());
    assert_eq!((ended.code, &report["errors"]["total"]), (Some(3), &0.into()), "{ended:?}");
    let (lines, unsent) = (report["lines"].as_u64().unwrap(), report["errors"]["unsent"].as_u64().unwrap());
    assert_eq!(lines + unsent, 1000);
    assert!(unsent > 500, "{unsent}");
}

#[test]
fn a_server_that_leaves_early_is_counted_by_its_code() {
    let leaving = || {
        server(|mut stream, number| {
            if number > 0 {
                let mut line = [0; 64];
                while stream.read_exact(&mut line).and_then(|()| stream.write_all(&line)).is_ok() {}
            }
        })
    };
    let (ended, report) = bench(&leaving(), &["-n", "100", "-c", "3"]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let errors = &report["errors"];
    assert_eq!(errors["connections_closed"], 1);
    let by_code = errors["by_code"].as_object().unwrap();
    assert!(by_code.contains_key("closed-early") || by_code.contains_key("reset"), "{by_code:?}");

    let port = leaving();
    let text = echoline(&["bench", "127.0.0.1", &port, "-n", "100", "-c", "3"]);
    assert_eq!(text.code, Some(1), "{text:?}");
    let check =
        format!("  next  echoline check --expect echo 127.0.0.1:{port} says why\n  next  echoline explain ");
    assert!(text.out().contains(&check) || cfg!(not(target_os = "linux")), "{}", text.out());
}

#[test]
fn an_answer_with_the_end_right_behind_it_holds_nothing_up() {
    let port = server(|mut stream, number| {
        let mut line = [0; 64];
        while stream.read_exact(&mut line).and_then(|()| stream.write_all(&line)).is_ok() && number == 0 {}
    });
    let (ended, report) = bench(&port, &["-t", "300ms", "--warm-up", "0s", "-c", "9"]);
    assert_eq!((ended.code, &report["errors"]["connections_closed"]), (Some(1), &8.into()), "{ended:?}");
}

#[test]
fn a_churn_takes_the_end_behind_an_answer_for_the_end_of_that_conversation() {
    let port = server(|mut stream, _| {
        let mut line = [0; 64];
        stream.read_exact(&mut line).and_then(|()| stream.write_all(&line)).unwrap();
    });
    let (ended, report) = bench(&port, &["-n", "200", "-c", "4", "--churn"]);
    assert_eq!((ended.code, &report["errors"]["total"]), (Some(0), &0.into()), "{ended:?}");
}

#[test]
fn a_reply_without_an_end_is_left_in_time_and_counted_by_its_code() {
    for text in [b"a".as_slice(), b"a\n"] {
        let port = server(move |mut stream, _| {
            let mut line = [0; 64];
            let flood: Vec<u8> = text.iter().copied().cycle().take(256 * 1024).collect();
            // The client leaves when it has seen enough.
            if stream.read_exact(&mut line).and_then(|()| stream.write_all(&line)).is_ok() {
                while stream.write_all(&flood).is_ok() {}
            }
        });
        let (ended, report) = bench(&port, &["-t", "300ms", "--warm-up", "0s", "-c", "2"]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert_eq!(report["errors"]["by_code"], serde_json::json!({"endless": 2}), "{report:#}");
    }
}

#[test]
fn nothing_that_listens_is_a_failure_that_explains_itself() {
    let (_held, nobody) = bound();
    let ended = echoline(&["bench", &nobody.to_string()]);
    assert_eq!((ended.code, ended.out()), (Some(1), ""));
    assert!(ended.stderr.contains("[refused]") && ended.stderr.contains("explain refused"), "{ended:?}");
}

#[test]
fn who_asked_for_json_gets_a_document_of_a_run_that_failed_too() {
    let (_held, nobody) = bound();
    let nobody = nobody.to_string();
    for (arguments, code, exit) in [
        (["--json", nobody.as_str()], "refused", 1),
        (["--json-stream", nobody.as_str()], "refused", 1),
        (["--json", "-c4000000"], "too-many-open-files", 2),
    ] {
        let ended = echoline(&["bench", arguments[0], arguments[1]]);
        let document: Value = serde_json::from_slice(&ended.stdout).unwrap();
        assert_eq!((&document["error"]["code"], ended.code), (&code.into(), Some(exit)), "{ended:?}");
        assert_eq!(document["schema"], "echoline-bench/1");
    }
}

#[test]
fn wrong_flags_exit_2_and_say_what_would_be_right() {
    for (flags, says) in [
        (vec!["--require", "p98=1ms"], "use p50, p90"),
        (vec!["--size", "0"], "outside 1 byte"),
        (vec!["--threads", "9", "-c", "3"], "--threads 3"),
        (vec!["--depth", "9999999"], "--depth"),
        (vec!["-c", "4000000"], "open files"),
        (vec!["-n", "1", "-c", "9223372036854775808"], "open files"),
        (vec!["-n", "1", "-c", "18446744073709551615", "--threads", "18446744073709551615"], "open files"),
        (vec!["--find-capacity"], "--require"),
        (vec!["-t", "10"], "10s"),
    ] {
        let ended = echoline(&[&["bench"], &flags[..]].concat());
        assert_eq!(ended.code, Some(2), "{flags:?} {ended:?}");
        assert!(ended.stderr.contains(says), "{flags:?} {ended:?}");
    }
}

#[test]
fn an_interrupt_ends_the_run_with_its_report_and_calls_nothing_lost() {
    // It answers ten lines a connection and then is silent.
    let port = line_server(|number, line| if number < 10 { line.to_vec() } else { Vec::new() });
    let mut child = Command::new(ECHOLINE)
        .args(["bench", "127.0.0.1", &port, "-t", "10m", "-c", "2", "--warm-up", "0", "--json-stream"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut answered = 0;
    for number in 1.. {
        let told: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        assert_eq!(told["second"]["second"], number);
        answered += told["second"]["lines"].as_u64().unwrap();
        if answered >= 20 {
            break;
        }
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let last: Value = serde_json::from_str(&lines.last().unwrap().unwrap()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let report = &last["report"];
    assert_eq!((&report["interrupted"], &report["lines"]), (&true.into(), &20.into()));
    assert_eq!(report["errors"]["lost"], 0);
}

/// A server that answers the first bytes of each connection with these, one at a time and again and again.
fn dripping_server(bytes: &'static [u8]) -> String {
    server(move |mut stream, _| {
        // The client may leave at any time.
        let _ = stream.read(&mut [0; 4096]);
        for byte in bytes.iter().cycle() {
            thread::sleep(Duration::from_millis(20));
            if stream.write_all(&[*byte]).is_err() {
                return;
            }
        }
    })
}

#[test]
fn a_server_that_drips_what_answers_nothing_is_given_up_as_a_silent_one_is() {
    let flags = ["-c", "2", "-t", "10m", "--warm-up", "0s", "--wait", "300ms"];
    let (ended, report) = bench(&dripping_server(b"#"), &flags);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    assert_eq!(report["errors"]["by_code"], serde_json::json!({"no-reply": 2}), "{report:#}");
}

#[test]
fn answers_that_come_on_byte_by_byte_for_ever_do_not_hold_the_run_up() {
    let port = server(|mut stream, _| {
        let mut line = [0; 1024];
        stream.read_exact(&mut line).unwrap();
        for byte in line {
            thread::sleep(Duration::from_millis(50));
            if stream.write_all(&[byte]).is_err() {
                return;
            }
        }
    });
    let flags = ["-c", "1", "-t", "300ms", "--warm-up", "0s", "--wait", "300ms", "--size", "1KiB"];
    let (ended, report) = bench(&port, &flags);
    assert_eq!((ended.code, &report["errors"]["lost"]), (Some(1), &1.into()), "{ended:?}");
    assert_eq!(report["errors"]["by_code"], serde_json::json!({"no-reply": 1}), "{report:#}");
}

#[test]
fn an_interrupt_ends_the_run_against_a_server_that_drips() {
    let mut child = Command::new(ECHOLINE)
        .args(["bench", "127.0.0.1", &dripping_server(b"#"), "-t", "10m", "-c", "2", "--wait", "10m"])
        .args(["--warm-up", "0", "--json-stream"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.next().unwrap().unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    // This kills it if it goes on.
    assert_eq!(end_of(child).code, Some(130));
    let last: Value = serde_json::from_str(&lines.last().unwrap().unwrap()).unwrap();
    assert_eq!(last["report"]["interrupted"], true);
}

#[test]
fn the_page_needs_no_other_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("page.html");
    let ended = echoline(&["bench", "-n", "500", "--html", &file.display().to_string(), "-q"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let page = std::fs::read_to_string(file).unwrap();
    assert!(page.contains("<polyline") && page.contains("prefers-color-scheme: dark"));
    for outside in ["http:", "https:", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn the_search_finds_a_rate_that_is_kept() {
    // A server that needs 2 ms a line, on one connection: some 500 lines a second.
    let port = line_server(|_, line| {
        thread::sleep(Duration::from_millis(2));
        line.to_vec()
    });
    let flags = [
        "-c",
        "1",
        "--find-capacity",
        "--require",
        "p50=40ms",
        "-t",
        "400ms",
        "--warm-up",
        "0",
        "--wait",
        "500ms",
    ];
    let (ended, report) = bench(&port, &flags);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let capacity = report["capacity_lines_per_s"].as_u64().unwrap();
    assert!((1..=500).contains(&capacity), "{capacity}");
    assert!(report["tries"].as_array().unwrap().len() >= 2);
}

#[cfg(target_os = "linux")]
#[test]
fn a_closed_port_that_is_connected_to_itself_is_refused_and_echoes_nothing() {
    const TEST: &str = "a_closed_port_that_is_connected_to_itself_is_refused_and_echoes_nothing";
    // A network of its own, where a client has two ports to come from: the one of the server, once that has left, too.
    let network = "ip link set lo up && echo 40050 40051 > /proc/sys/net/ipv4/ip_local_port_range";
    let talk = "\"$0\" serve -q --once 127.0.0.1:40050 | { read endpoint; \
                \"$0\" bench --churn -c 1 -t 1s --warm-up 0 --json 127.0.0.1:40050; }";
    let inside = |script: &str| finish(unshared(&["--net"], script).arg(ECHOLINE), b"");
    if !have("ip") || inside(network).code != Some(0) {
        return skip(TEST, "unshare and ip, and user namespaces");
    }
    let ended = inside(&format!("{network} && {talk}"));
    let report: Value = serde_json::from_slice(&ended.stdout).unwrap();
    assert_eq!((ended.code, &report["lines"]), (Some(1), &1.into()), "{ended:?}");
    assert!(report["errors"]["by_code"]["refused"].as_u64() >= Some(1), "{}", report["errors"]);
}

#[test]
fn a_measured_time_ends_when_it_is_over_though_nothing_is_due_then_and_its_rate_is_told_alike() {
    let server = Serving::echo(&[]);
    let port = server.address(0).port().to_string();
    // The last line is due in the middle, so its answer is there long before the end.
    let flags = ["-c", "1", "--rate", "2", "-t", "950ms", "--warm-up", "0"];
    let (ended, report) = bench(&port, &flags);
    assert_eq!((ended.code, &report["lines"]), (Some(0), &2.into()), "{ended:?}");
    // The end is the planned one; a busy machine lets the generator begin a little later.
    let elapsed = report["elapsed_s"].as_f64().unwrap();
    assert!((0.5..=0.95).contains(&elapsed), "{report:#}");
    let ended = echoline(&[&["bench", "127.0.0.1", &port, "--require", "rate=1000"], &flags[..]].concat());
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let told = ended.out().lines().find(|line| line.starts_with("2 lines in 0.")).unwrap();
    assert!(told.contains(" s: 2 lines/s"), "{told}");
    assert!(ended.out().contains("missed   rate=1000: 2\n"), "{}", ended.out());
}

#[test]
fn a_span_too_short_to_judge_by_says_nothing_of_the_generator() {
    let (ended, report) = bench(&Serving::echo(&[]).address(0).port().to_string(), &["-n", "1", "-c", "1"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let generator = &report["generator"];
    assert!(generator["busiest_thread_percent"].is_null(), "{generator}");
    assert!(generator["waited_percent"].is_null(), "{generator}");
    assert!(generator["cpu_us_per_line"].as_f64() > Some(0.0), "{generator}");
    for code in ["generator-bound", "generator-crowded"] {
        assert!(!ended.out().contains(code), "{}", report["warnings"]);
    }
}
