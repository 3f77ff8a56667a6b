//! Work that takes long runs elsewhere, and its result comes back to the conversation that asked for it.

use std::io::Write;
use std::net::Shutdown;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Barrier, Mutex, mpsc};

use echoline_server::{Ending, LineService, Lines, Out, Server, ServiceKind};

use crate::support::*;

on_each_engine! {
    a_slow_job_delays_nobody_and_lines_wait_for_it_in_order,
    a_client_that_finishes_during_a_job_still_gets_its_answer,
    a_client_that_leaves_during_a_job_hurts_nobody,
    a_client_that_leaves_takes_a_job_along_that_has_not_begun,
    a_job_that_panics_ends_its_own_conversation_alone,
    a_boundary_makes_a_send_of_its_own,
}

/// Answers each line with a copy, computed by a job that waits for the test.
struct Slow(Arc<Mutex<mpsc::Receiver<()>>>);
impl LineService for Slow {
    fn on_line(&mut self, line: &[u8], out: &mut Out<'_>) {
        assert_ne!(line, b"panic\n", "outside of a job this would be a defect");
        let (line, may_go) = (line.to_vec(), Arc::clone(&self.0));
        out.compute(move || {
            // A test that has gone lets every job go.
            let _ = may_go.lock().unwrap().recv();
            line
        });
    }

    fn on_computed(&mut self, result: Vec<u8>, out: &mut Out<'_>) {
        out.write_vec(result);
    }
}

/// Serves `Slow` beside an echo, and lets one job go for each message.
fn slow_server(case: &Case) -> (Server, mpsc::Sender<()>) {
    let (go, may_go) = mpsc::channel();
    let may_go = Arc::new(Mutex::new(may_go));
    let max_line = NonZeroUsize::new(1024).unwrap();
    let server = Server::builder(case.config())
        .listen_service("slow", move |_| Lines::new(max_line, Slow(Arc::clone(&may_go))), listener())
        .listen(ServiceKind::Echo, listener())
        .start()
        .unwrap();
    (server, go)
}

fn a_slow_job_delays_nobody_and_lines_wait_for_it_in_order(case: &Case) {
    let (server, go) = slow_server(case);
    let mut client = connect(&server);
    client.write_all(b"one\ntwo\nthree\n").unwrap();
    let mut other = connect_to(server.endpoints()[1].address);
    for _ in 0..100 {
        exchange(&mut other, b"not delayed\n");
    }
    for expected in [&b"one\n"[..], b"two\n", b"three\n"] {
        go.send(()).unwrap();
        assert_eq!(one_read(&mut client), expected);
    }
}

fn a_client_that_finishes_during_a_job_still_gets_its_answer(case: &Case) {
    let (server, go) = slow_server(case);
    let mut client = connect(&server);
    client.write_all(b"one\ntwo\ntail").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    for _ in 0..3 {
        go.send(()).unwrap();
    }
    assert_eq!(read_to_end(&mut client), b"one\ntwo\ntail");
    until(&server, |stats| stats.ended_by(Ending::Done) == 1);
}

fn a_client_that_leaves_during_a_job_hurts_nobody(case: &Case) {
    let (server, go) = slow_server(case);
    let mut client = connect(&server);
    client.write_all(b"gone\n").unwrap();
    until(&server, |stats| stats.lines == 1);
    reset(client);
    until(&server, |stats| stats.ended_by(Ending::Reset) == 1);
    // The next connection takes the slot; the result that is still to come is not for it.
    let mut next = connect(&server);
    next.write_all(b"mine\n").unwrap();
    go.send(()).unwrap();
    go.send(()).unwrap();
    assert_eq!(one_read(&mut next), b"mine\n");
}

/// Answers each line with how many jobs have begun; the first waits for the test.
struct Counted(Arc<AtomicUsize>, Arc<Barrier>);
impl LineService for Counted {
    fn on_line(&mut self, _line: &[u8], out: &mut Out<'_>) {
        let (begun, barrier) = (Arc::clone(&self.0), Arc::clone(&self.1));
        out.compute(move || {
            let before = begun.fetch_add(1, SeqCst);
            if before == 0 {
                barrier.wait();
            }
            format!("{before} before\n").into_bytes()
        });
    }

    fn on_computed(&mut self, result: Vec<u8>, out: &mut Out<'_>) {
        out.write_vec(result);
    }
}

fn a_client_that_leaves_takes_a_job_along_that_has_not_begun(case: &Case) {
    const LEAVE: u64 = 50;
    let (begun, barrier) = (Arc::new(AtomicUsize::new(0)), Arc::new(Barrier::new(2)));
    let mut config = case.config();
    config.compute_threads = NonZeroUsize::MIN;
    let (max_line, theirs) = (NonZeroUsize::new(1024).unwrap(), Arc::clone(&barrier));
    let service = move |_: &_| Lines::new(max_line, Counted(Arc::clone(&begun), Arc::clone(&theirs)));
    let server = Server::builder(config).listen_service("counted", service, listener()).start().unwrap();
    let mut first = connect(&server);
    first.write_all(b"go\n").unwrap();
    until(&server, |stats| stats.lines == 1);
    for number in 1..=LEAVE {
        let mut client = connect(&server);
        client.write_all(b"go\n").unwrap();
        until(&server, |stats| stats.lines == 1 + number);
        reset(client);
    }
    until(&server, |stats| stats.ended_by(Ending::Reset) == LEAVE);
    let mut last = connect(&server);
    last.write_all(b"go\n").unwrap();
    barrier.wait();
    assert_eq!(one_read(&mut first), b"0 before\n");
    assert_eq!(one_read(&mut last), b"1 before\n");
}

/// Its job panics, as that of a defective service would.
struct Defective;
impl LineService for Defective {
    fn on_line(&mut self, _line: &[u8], out: &mut Out<'_>) {
        out.compute(|| panic!("on purpose"));
    }
}

fn a_job_that_panics_ends_its_own_conversation_alone(case: &Case) {
    let max_line = NonZeroUsize::new(1024).unwrap();
    let server = Server::builder(case.config())
        .listen_service("defective", move |_| Lines::new(max_line, Defective), listener())
        .listen(ServiceKind::Echo, listener())
        .start()
        .unwrap();
    let mut other = connect_to(server.endpoints()[1].address);
    exchange(&mut other, b"before\n");
    let mut client = connect(&server);
    client.write_all(b"go\n").unwrap();
    assert_eq!(read_to_end(&mut client), b"");
    until(&server, |stats| stats.ended_by(Ending::Fault) == 1);
    exchange(&mut other, b"after\n");
}

/// Says OKAY in a send of its own, then the rest.
struct Polite(Arc<Barrier>);
impl LineService for Polite {
    fn on_line(&mut self, _line: &[u8], out: &mut Out<'_>) {
        out.write(b"OKAY\r\n");
        out.boundary();
        let barrier = Arc::clone(&self.0);
        out.compute(move || {
            barrier.wait();
            b"DROP 4\r\nREADY\r\n".to_vec()
        });
    }

    fn on_computed(&mut self, result: Vec<u8>, out: &mut Out<'_>) {
        out.write_vec(result);
    }
}

fn a_boundary_makes_a_send_of_its_own(case: &Case) {
    let barrier = Arc::new(Barrier::new(2));
    let (max_line, theirs) = (NonZeroUsize::new(1024).unwrap(), Arc::clone(&barrier));
    let server = Server::builder(case.config())
        .listen_service("polite", move |_| Lines::new(max_line, Polite(Arc::clone(&theirs))), listener())
        .start()
        .unwrap();
    let mut client = connect(&server);
    client.write_all(b"DROP 3\r\n").unwrap();
    assert_eq!(one_read(&mut client), b"OKAY\r\n");
    barrier.wait();
    assert_eq!(one_read(&mut client), b"DROP 4\r\nREADY\r\n");
}
