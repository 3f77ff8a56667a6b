//! Limits hold, say so, and let go again.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::thread;
use std::time::{Duration, Instant};

use echoline_server::{Config, Ending, LineService, Lines, Out, Server, ServerError, ServiceKind};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::support::*;

on_each_engine! {
    one_connection_too_many_is_reset_and_counted,
    a_silent_connection_is_closed_as_idle,
    a_connection_that_moves_bytes_is_not_idle,
    times_that_the_kernel_cannot_count_are_the_longest_that_it_can,
    a_shortage_of_descriptors_pauses_accepting_and_recovers,
    clients_that_broke_off_in_the_queue_are_no_shortage,
    a_thousand_connections_are_served_at_once,
    ten_thousand_idle_connections_cost_at_most_a_kibibyte_each,
    a_line_without_end_passes_in_bounded_memory,
    connections_are_dealt_to_all_workers,
    several_services_and_both_families_run_on_one_server,
}

fn one_connection_too_many_is_reset_and_counted(case: &Case) {
    let server = case.server(ServiceKind::Echo, |config| config.max_connections = 2);
    let mut first = connect(&server);
    let mut second = connect(&server);
    exchange(&mut first, b"one\n");
    exchange(&mut second, b"two\n");
    let refused = connect(&server).read(&mut [0; 10]).unwrap_err();
    assert!(is_reset(&refused), "{refused}");
    let stats = server.stats();
    assert_eq!((stats.accepted, stats.open, stats.refused_at_limit), (2, 2, 1));
    assert_eq!(stats.refused_at_source_limit, 0);
    drop(first);
    until(&server, |stats| stats.open == 1);
    exchange(&mut connect(&server), b"a place is free again\n");
    exchange(&mut second, b"two\n");
}

fn a_silent_connection_is_closed_as_idle(case: &Case) {
    // Not shorter: who is held up between its connect and its write would find the connection closed.
    let server = case.server(ServiceKind::Echo, |config| config.idle_timeout = Some(Duration::from_secs(1)));
    let mut silent = connect(&server);
    let mut unfinished = connect(&server);
    unfinished.write_all(b"half a line").unwrap();
    assert_eq!(read_to_end(&mut silent), b"");
    assert_eq!(read_to_end(&mut unfinished), b"");
    let stats = until(&server, |stats| stats.open == 0);
    assert_eq!(stats.ended_by(Ending::Idle), 2);
}

fn times_that_the_kernel_cannot_count_are_the_longest_that_it_can(case: &Case) {
    let server = case.server(ServiceKind::Echo, |config| {
        config.keepalive = Some(Duration::MAX);
        config.user_timeout = Some(Duration::MAX);
        config.idle_timeout = Some(Duration::MAX);
        config.linger = Duration::MAX;
    });
    exchange(&mut connect(&server), b"for ever\n");
}

fn a_connection_that_moves_bytes_is_not_idle(case: &Case) {
    const IDLE: Duration = Duration::from_secs(2);
    let server = case.server(ServiceKind::Echo, |config| config.idle_timeout = Some(IDLE));
    let mut client = connect(&server);
    let start = Instant::now();
    while start.elapsed() < IDLE + IDLE / 4 {
        exchange(&mut client, b"still here\n");
        thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(server.stats().open, 1);
}

fn limit_descriptors(current: u64) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(current), maximum }).unwrap();
}

/// Takes every descriptor that this process may have.
fn take_all_descriptors() -> Vec<File> {
    std::iter::from_fn(|| File::open("/dev/null").ok()).collect()
}

fn a_shortage_of_descriptors_pauses_accepting_and_recovers(case: &Case) {
    case.in_child(|| {
        // Before the server starts: a request to a ring keeps the limit that stood when it was made.
        limit_descriptors(200);
        let server = case.server(ServiceKind::Echo, |_| {});
        let mut old = connect(&server);
        exchange(&mut old, b"before\n");
        // One descriptor is free: for the client's end of the next connection, and none for the server's.
        let mut taken = take_all_descriptors();
        taken.pop();
        let mut waiting = connect(&server);
        let start = Instant::now();
        let first = until(&server, |stats| stats.accept_shortages > 0).accept_shortages;
        exchange(&mut old, b"meanwhile\n");
        thread::sleep(Duration::from_secs(2));
        let tries = server.stats().accept_shortages - first;
        let most = start.elapsed().as_secs_f64() * 10.0;
        assert!(tries >= 2 && tries as f64 <= most, "{tries} failed tries, at most {most:.0} allowed");
        assert_eq!(server.stats().accepted, 1);
        // The server's own close lets the one in the queue in.
        drop(old);
        exchange(&mut waiting, b"after\n");
        assert_eq!(server.stats().accepted, 2);
        taken.clear();
        exchange(&mut connect(&server), b"and as before\n");
    });
}

fn clients_that_broke_off_in_the_queue_are_no_shortage(case: &Case) {
    let listener = listener();
    for _ in 0..100 {
        reset(connect_to(listener.local_addr().unwrap()));
    }
    let server = Server::builder(case.config()).listen(ServiceKind::Echo, listener).start().unwrap();
    exchange(&mut connect(&server), b"behind them in the queue\n");
    assert_eq!(server.stats().accept_shortages, 0, "{:?}", server.stats());
}

fn a_thousand_connections_are_served_at_once(case: &Case) {
    case.in_child_with_files(2_100, || {
        let server = case.server(ServiceKind::Echo, |config| config.workers = NonZeroUsize::new(2).unwrap());
        let mut clients: Vec<TcpStream> = (0..1000).map(|_| connect(&server)).collect();
        until(&server, |stats| stats.open == 1000);
        for round in 0..3 {
            let line = |n| format!("line {round} of client {n}\n").into_bytes();
            for (n, client) in clients.iter_mut().enumerate() {
                client.write_all(&line(n)).unwrap();
            }
            for (n, client) in clients.iter_mut().enumerate() {
                let mut back = line(n);
                back.fill(0);
                client.read_exact(&mut back).unwrap();
                assert_eq!(back, line(n));
            }
        }
        drop(clients);
        until(&server, |stats| stats.open == 0 && stats.ended_by(Ending::Done) == 1000);
    });
}

/// Memory of this process in bytes.
fn resident() -> u64 {
    memory("VmRSS:")
}

fn memory(what: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(what)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Clients cost a descriptor each and no memory worth counting, so they are in the same process.
fn ten_thousand_idle_connections_cost_at_most_a_kibibyte_each(case: &Case) {
    const BASE: u64 = 1000;
    const BESIDE: u64 = 200;
    // With fewer connections above the base, what the kernel gives in pieces would count for much.
    case.in_child_with_files(2 * (BASE + 1000) + BESIDE, || {
        let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let most = ((files - BESIDE) / 2).min(10_000);
        let server = case.server(ServiceKind::Echo, |config| {
            config.max_connections = 20_000;
            config.max_connections_per_source = None;
        });
        let mut clients = Vec::with_capacity(most as usize);
        // What is allocated once does not count.
        for n in 0..BASE {
            clients.push(TcpStream::connect(address(&server)).unwrap());
            until(&server, |stats| stats.open == n + 1);
        }
        let before = resident();
        for n in BASE..most {
            clients.push(TcpStream::connect(address(&server)).unwrap());
            until(&server, |stats| stats.open + 100 > n);
        }
        until(&server, |stats| stats.open == most);
        let each = (resident() - before) / (most - BASE);
        eprintln!("measured: {each} bytes a silent connection ({}, {most} connections)", case.engine);
        assert!(each <= 1024, "{each} bytes a connection");
    });
}

fn a_line_without_end_passes_in_bounded_memory(case: &Case) {
    const SIZE: usize = 256 << 20;
    const MOST: u64 = 2 << 20;
    case.in_child(|| {
        let server = case.server(ServiceKind::Echo, |_| {});
        let mut client = connect(&server);
        let piece = vec![b'x'; 1 << 16];
        let mut back = piece.clone();
        let mut output = client.try_clone().unwrap();
        let mut run = |count: usize| {
            thread::scope(|scope| {
                scope.spawn(|| (0..count).for_each(|_| output.write_all(&piece).unwrap()));
                for _ in 0..count {
                    client.read_exact(&mut back).unwrap();
                    assert!(back == piece);
                }
            });
        };
        // The first mebibytes pay for what is allocated once.
        run(64);
        let before = memory("VmHWM:");
        run(SIZE / piece.len() - 64);
        let grown = memory("VmHWM:") - before;
        eprintln!("measured: {grown} bytes more for a line of {SIZE} bytes ({})", case.engine);
        assert!(grown <= MOST, "grew by {grown} bytes");
    });
}

/// Answers with the name of its thread.
struct Whose;
impl LineService for Whose {
    fn on_line(&mut self, _line: &[u8], out: &mut Out<'_>) {
        out.write(thread::current().name().unwrap_or("none").as_bytes());
        out.write(b"\n");
    }
}

fn connections_are_dealt_to_all_workers(case: &Case) {
    let config = Config { workers: NonZeroUsize::new(3).unwrap(), ..case.config() };
    let service = |_: &_| Lines::new(NonZeroUsize::new(100).unwrap(), Whose);
    let server = Server::builder(config).listen_service("whose", service, listener()).start().unwrap();
    let mut names: Vec<Vec<u8>> = Vec::new();
    let mut clients = Vec::new();
    for _ in 0..6 {
        let mut client = connect(&server);
        client.write_all(b"?\n").unwrap();
        names.push(one_read(&mut client));
        clients.push(client);
    }
    names.sort();
    let count = |name: &[u8]| names.iter().filter(|other| *other == name).count();
    assert_eq!(names.iter().map(|name| count(name)).collect::<Vec<_>>(), [2; 6], "{names:?}");
}

fn several_services_and_both_families_run_on_one_server(case: &Case) {
    if !case.has_ipv6() {
        return;
    }
    let builder = Server::builder(case.config())
        .listen(ServiceKind::Echo, listener())
        .listen(ServiceKind::EchoBytes, TcpListener::bind("[::1]:0").unwrap())
        .listen(ServiceKind::Echo, TcpListener::bind("[::1]:0").unwrap());
    let server = builder.start().unwrap();
    let names: Vec<&str> = server.endpoints().iter().map(|bound| bound.service.as_str()).collect();
    assert_eq!(names, ["echo", "echo-bytes", "echo"]);
    for (index, unfinished) in [(0, false), (1, true), (2, false)] {
        let address = server.endpoints()[index].address;
        assert_eq!((address.is_ipv6(), address.port() == 0), (index > 0, false));
        let mut client = TcpStream::connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        exchange(&mut client, b"hello\n");
        if unfinished {
            exchange(&mut client, b"no line");
        }
    }
}

#[test]
fn a_server_without_a_listener_does_not_start() {
    let error = Server::builder(Config::default()).start().unwrap_err();
    assert!(matches!(error, ServerError::NoListener), "{error}");
}
