//! How a server ends: drained, stopped, after one conversation, or by a defect.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use echoline_server::{Config, Drained, Ending, Out, Server, ServerError, Service, ServiceKind};

use crate::support::*;

on_each_engine! {
    a_drain_lets_conversations_end,
    a_drain_of_nothing_ends_at_once,
    the_deadline_of_a_drain_finishes_in_order,
    a_client_that_reads_nothing_cannot_hold_up_a_drain,
    connections_in_the_queue_at_a_drain_are_served,
    a_stop_ends_a_drain_at_once,
    once_serves_one_connection_and_ends,
    a_panic_in_a_service_ends_the_server_and_is_told,
    nothing_is_left_of_a_server_that_ended,
}

const HOUR: Duration = Duration::from_secs(3600);

/// Waits until the listener is gone.
fn until_refused(server: &Server) {
    until_some(|| match TcpStream::connect(address(server)) {
        Ok(_) => Err("connected"),
        Err(_) => Ok(()),
    });
}

fn a_drain_lets_conversations_end(case: &Case) {
    let server = case.server(ServiceKind::Echo, |config| config.workers = NonZeroUsize::new(2).unwrap());
    let mut clients: Vec<TcpStream> = (0..4).map(|_| connect(&server)).collect();
    clients.iter_mut().for_each(|client| exchange(client, b"before\n"));
    let drained = thread::scope(|scope| {
        let drain = scope.spawn(|| server.drain(HOUR));
        until_refused(&server);
        clients.iter_mut().for_each(|client| exchange(client, b"during\n"));
        drop(clients);
        drain.join().unwrap()
    });
    assert_eq!(drained.cut_off, 0);
    assert!(drained.ended >= 4, "{drained:?}");
    server.wait().unwrap();
}

fn a_drain_of_nothing_ends_at_once(case: &Case) {
    for workers in 1..=3 {
        let server =
            case.server(ServiceKind::Echo, |config| config.workers = NonZeroUsize::new(workers).unwrap());
        assert_eq!(server.drain(HOUR), Drained { ended: 0, cut_off: 0 });
        assert_eq!(server.drain(HOUR), Drained { ended: 0, cut_off: 0 });
    }
}

fn the_deadline_of_a_drain_finishes_in_order(case: &Case) {
    let config = Config { linger: PATIENCE, ..case.config() };
    let server = Server::builder(config).listen(ServiceKind::EchoBytes, narrow_listener()).start().unwrap();
    let mut idle = connect(&server);
    exchange(&mut idle, b"hello\n");
    let mut slow = narrow_client(&server);
    let bytes = noise(9, 60_000, 50);
    slow.write_all(&bytes[..40_000]).unwrap();
    let drained = thread::scope(|scope| {
        until(&server, |stats| stats.bytes_in == 40_006);
        let drain = scope.spawn(|| server.drain(Duration::ZERO));
        assert_eq!(read_to_end(&mut idle), b"");
        drop(idle);
        // All that was pending arrives, and then the end of the stream, not a reset.
        assert!(read_to_end(&mut slow) == bytes[..40_000]);
        drop(slow);
        drain.join().unwrap()
    });
    assert_eq!(drained, Drained { ended: 0, cut_off: 2 });
    assert_eq!(server.stats().ended_by(Ending::Drained), 2);
}

fn a_client_that_reads_nothing_cannot_hold_up_a_drain(case: &Case) {
    let config = Config { linger: Duration::from_millis(100), idle_timeout: None, ..case.config() };
    let server = Server::builder(config).listen(ServiceKind::EchoBytes, narrow_listener()).start().unwrap();
    let mut client = narrow_client(&server);
    client.write_all(&noise(9, 50_000, 50)).unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    until(&server, |stats| stats.bytes_in == 50_000);
    assert_eq!(server.drain(Duration::ZERO), Drained { ended: 0, cut_off: 1 });
    assert_eq!(server.stats().ended_by(Ending::CutOff), 1);
}

/// Echoes, but at "wait" says so and keeps its worker until it is let go.
struct Busy(Arc<Mutex<(mpsc::Sender<()>, mpsc::Receiver<()>)>>);
impl Service for Busy {
    fn on_input(&mut self, input: &[u8], out: &mut Out<'_>) -> usize {
        if input == b"wait" {
            let (held, let_go) = &*self.0.lock().unwrap();
            held.send(()).unwrap();
            let_go.recv().unwrap();
        }
        out.echo(0..input.len());
        input.len()
    }
}

fn connections_in_the_queue_at_a_drain_are_served(case: &Case) {
    let (held, is_held) = mpsc::channel();
    let (let_go, is_let_go) = mpsc::channel();
    let ends = Arc::new(Mutex::new((held, is_let_go)));
    let service = move |_: &_| Busy(Arc::clone(&ends));
    let server = Server::builder(case.config()).listen_service("busy", service, listener()).start().unwrap();
    let mut busy = connect(&server);
    busy.write_all(b"wait").unwrap();
    is_held.recv_timeout(PATIENCE).unwrap();
    // Who connects now waits in the queue, and the worker has not heard of it.
    let mut queued: Vec<TcpStream> = (0..40).map(|_| connect(&server)).collect();
    let drained = thread::scope(|scope| {
        let drain = scope.spawn(|| server.drain(HOUR));
        // Not to be ready: to make it likely that the order to drain comes before the queue is looked at.
        thread::sleep(Duration::from_millis(50));
        let_go.send(()).unwrap();
        busy.read_exact(&mut [0; 4]).unwrap();
        queued.iter_mut().for_each(|client| exchange(client, b"in time"));
        // Not before the order has come, however late: who asks for that may have been served, too.
        until_refused(&server);
        drop((busy, queued));
        drain.join().unwrap()
    });
    assert_eq!(drained.cut_off, 0);
    assert!(drained.ended >= 41, "{drained:?}");
}

fn a_stop_ends_a_drain_at_once(case: &Case) {
    let server = case.server(ServiceKind::Echo, |_| {});
    let mut client = connect(&server);
    exchange(&mut client, b"hello\n");
    thread::scope(|scope| {
        let drain = scope.spawn(|| server.drain(HOUR));
        until_refused(&server);
        server.stop();
        drain.join().unwrap();
    });
    assert_eq!(client.read(&mut [0; 10]).unwrap_or(0), 0);
    server.wait().unwrap();
}

fn once_serves_one_connection_and_ends(case: &Case) {
    for workers in 1..=3 {
        let server = case.server(ServiceKind::Echo, |config| {
            config.once = true;
            config.workers = NonZeroUsize::new(workers).unwrap();
        });
        let mut client = connect(&server);
        exchange(&mut client, b"hello\n");
        if let Ok(second) = TcpStream::connect(address(&server)) {
            assert!(is_reset(&refusal(&second)));
        }
        exchange(&mut client, b"still the one\n");
        drop(client);
        server.wait().unwrap();
        assert_eq!(server.stats().accepted, 1);
    }
}

/// How a connection ends that nobody serves. A busy machine loses packets, on loopback too: where the last one of a handshake
/// never came and the listener is closed, the client learns of it when it sends.
fn refusal(mut stream: &TcpStream) -> std::io::Error {
    stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    let silence = stream.read(&mut [0; 10]).unwrap_err();
    if is_reset(&silence) {
        return silence;
    }
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(b"x").unwrap();
    stream.read(&mut [0; 10]).unwrap_err()
}

struct Fragile;
impl Service for Fragile {
    fn on_input(&mut self, _input: &[u8], _out: &mut Out<'_>) -> usize {
        panic!("provoked by a test");
    }
}

fn a_panic_in_a_service_ends_the_server_and_is_told(case: &Case) {
    let config = Config { workers: NonZeroUsize::new(2).unwrap(), ..case.config() };
    let server = Server::builder(config).listen_service("fragile", |_| Fragile, listener()).start().unwrap();
    let mut other = connect(&server);
    connect(&server).write_all(b"x").unwrap();
    assert!(matches!(server.wait(), Err(ServerError::WorkerPanicked)));
    assert_eq!(other.read(&mut [0; 10]).unwrap_or(0), 0);
    assert_eq!(server.stats().open, 0);
}

fn count(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

fn nothing_is_left_of_a_server_that_ended(case: &Case) {
    case.in_child(|| {
        let measure = || (count("/proc/self/fd"), count("/proc/self/task"));
        let session = |end: fn(&Server)| {
            let workers = NonZeroUsize::new(3).unwrap();
            let config = Config { workers, linger: Duration::from_millis(20), ..case.config() };
            let server =
                Server::builder(config).listen(ServiceKind::Echo, narrow_listener()).start().unwrap();
            let mut clients: Vec<TcpStream> = (0..20).map(|_| connect(&server)).collect();
            clients.iter_mut().for_each(|client| exchange(client, b"hello\n"));
            // Some are in the middle of something: half a line, or output that nobody takes.
            clients[0].write_all(b"half a line").unwrap();
            let mut full = narrow_client(&server);
            full.set_write_timeout(Some(Duration::from_millis(50))).unwrap();
            while full.write(&[b'\n'; 10_000]).is_ok() {}
            end(&server);
        };
        session(Server::stop);
        let before = measure();
        for _ in 0..3 {
            session(|_| {});
            session(Server::stop);
            session(|server| assert_eq!(server.drain(Duration::ZERO).cut_off, 21));
        }
        // The kernel takes a joined thread off its list a little later.
        until_some(|| Some(measure()).filter(|now| *now == before).ok_or((measure(), before)));
    });
}
