//! Checks of programs of this machine, through the public interface.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a panic is the report of a test")]

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::{Duration, Instant};

use echoline_check::report::{Connections, Seen};
use echoline_check::{Cancel, Expect, HostOptions, Options, run};
use echoline_diagnosis::{Certainty, code};

/// Listens and answers nothing.
fn mute() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

#[test]
fn a_host_that_accepts_connections_is_reported_in_typed_steps() {
    let (_listener, address) = mute();
    let report = run(&Options::host(address.into()), &Cancel::new());
    assert_eq!((report.verdict.code(), report.interrupted), (code::OK, false), "{report:?}");
    let connected = report.steps.iter().any(|step| match &step.seen {
        Seen::Connect(Some(Connections::To(tried))) => tried[0].address == address,
        _ => false,
    });
    assert!(connected, "{report:?}");
}

#[test]
fn a_check_that_is_cancelled_ends_at_once_and_is_sure_of_nothing() {
    let (_listener, address) = mute();
    let mut options = HostOptions::new(address.into());
    (options.expect, options.timeout) = (Expect::Echo, Duration::from_secs(120));
    let cancel = Cancel::new();
    let begin = Instant::now();
    let ending = thread::spawn({
        let cancel = cancel.clone();
        move || {
            thread::sleep(Duration::from_millis(200));
            cancel.cancel();
        }
    });
    let report = run(&Options::Host(options), &cancel);
    ending.join().unwrap();
    assert!(begin.elapsed() < Duration::from_secs(60), "{:?}", begin.elapsed());
    assert!(report.interrupted, "{report:?}");
    assert_eq!(report.verdict.certainty(), Certainty::CannotTell, "{report:?}");
    assert!(report.verdict.to_string().ends_with("The check was ended early."), "{report:?}");
}

#[test]
fn a_port_of_this_machine_is_checked_by_its_number() {
    let (_listener, address) = mute();
    let report = run(&Options::listen(address.port().into()), &Cancel::new());
    assert_eq!(report.verdict.code(), code::LOOPBACK_ONLY, "{report:?}");
}
