//! Where the kernel denies `io_uring`, as many containers' seccomp profiles do.

use std::io::Write;

use echoline_server::{Config, EngineChoice, Server, ServerError, ServiceKind};
use rustix::io::Errno;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use crate::support::*;

on_each_engine! {
    a_denied_ring_falls_back_with_a_reason_or_fails_clearly,
}

/// From here on `io_uring_setup` fails in this process's thread and in those that it starts.
fn deny_io_uring(errno: Errno) {
    let action = SeccompAction::Errno(errno.raw_os_error().cast_unsigned());
    let rules = [(libc::SYS_io_uring_setup, Vec::new())].into();
    let arch = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, action, arch).unwrap();
    seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

fn a_denied_ring_falls_back_with_a_reason_or_fails_clearly(case: &Case) {
    case.in_child(|| {
        // The last filter that says anything but "allow" wins, so each errno has its turn.
        for errno in [Errno::PERM, Errno::NOSYS, Errno::NOMEM] {
            let engine = case.engine;
            std::thread::spawn(move || denied(engine, errno)).join().unwrap();
        }
    });
}

fn denied(engine: EngineChoice, errno: Errno) {
    deny_io_uring(errno);
    let start = |engine| {
        let config = Config { engine, ..Config::default() };
        Server::builder(config).listen(ServiceKind::Echo, listener()).start()
    };
    let said = std::io::Error::from(errno).to_string();
    if engine == EngineChoice::Uring {
        let Err(ServerError::EngineUnavailable { engine: "uring", reason }) = start(engine) else {
            panic!("an engine that was asked for and denied is an error");
        };
        assert!(reason.to_string().contains("io_uring_setup"), "{reason}");
        assert_eq!(std::error::Error::source(&reason).unwrap().to_string(), said);
        return;
    }
    let server = start(EngineChoice::Auto).unwrap();
    let report = server.engine();
    assert_eq!(report.name, "portable");
    let why = report.fallback.as_ref().expect("a fallback says why");
    assert!(why.contains("io_uring_setup") && why.contains(&said), "{why}");
    let mut client = connect(&server);
    client.write_all(b"served all the same\n").unwrap();
    assert_eq!(one_read(&mut client), b"served all the same\n");
}
