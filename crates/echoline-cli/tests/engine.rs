//! What `serve` says where the kernel denies `io_uring`, as many containers' seccomp profiles do.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

mod support;

use std::process::Command;
use std::thread;

use rustix::process::Signal;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use support::{ECHOLINE, Serving, finish};

/// Does something on a thread on which, and in whose children, `io_uring_setup` fails with EPERM.
fn where_io_uring_is_denied<T: Send + 'static>(job: impl FnOnce() -> T + Send + 'static) -> T {
    let denied = move || {
        let action = SeccompAction::Errno(libc::EPERM.cast_unsigned());
        let rules = [(libc::SYS_io_uring_setup, Vec::new())].into();
        let arch = std::env::consts::ARCH.try_into().unwrap();
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).unwrap();
        seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
        job()
    };
    thread::spawn(denied).join().unwrap()
}

fn serve(engine: &str) -> Command {
    let mut command = Command::new(ECHOLINE);
    command.args(["serve", "127.0.0.1:0", "--engine", engine]);
    command
}

#[test]
fn auto_serves_on_the_portable_engine_and_says_why_in_one_line() {
    let serving = where_io_uring_is_denied(|| Serving::spawn(&mut serve("auto"), 1));
    serving.signal(Signal::TERM);
    let ended = serving.end();
    let said: Vec<_> = ended.stderr.lines().filter(|line| line.contains("uring")).collect();
    assert_eq!(
        said,
        ["Engine: portable, because uring does not work here: io_uring_setup with DEFER_TASKRUN \
          (Linux 6.1 and later): Operation not permitted (os error 1)."]
    );
    assert_eq!(ended.code, Some(0));
}

#[test]
fn who_wants_to_know_more_is_told_the_reason_once_too() {
    let serving = where_io_uring_is_denied(|| Serving::spawn(serve("auto").arg("-v"), 1));
    serving.signal(Signal::TERM);
    let ended = serving.end();
    assert_eq!(ended.stderr.matches("uring does not work here").count(), 1, "{}", ended.stderr);
}

#[test]
fn an_engine_that_was_asked_for_and_is_denied_is_a_failure_that_says_why() {
    let ended = where_io_uring_is_denied(|| finish(&mut serve("uring"), b""));
    assert_eq!(
        ended.stderr,
        "the uring engine does not work here: io_uring_setup with DEFER_TASKRUN (Linux 6.1 and later): \
         Operation not permitted (os error 1)   [engine-unavailable]\n  \
         next  --engine auto takes what works here and says why\n  \
         next  echoline explain engine-unavailable\n"
    );
    assert_eq!((ended.out(), ended.code), ("", Some(2)));
}
