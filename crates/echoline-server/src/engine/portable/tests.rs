//! Every error at every system call on a connection or a listener, between two conversations over loopback.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use super::calls::Call;
use super::calls::failing::{self, Failure};
use super::*;
use crate::config::{Config, LongLines};
use crate::engine::errors::{self, Operation};
use crate::service::{Instance, ServiceKind};
use crate::shared::{NamedService, Shared};
use crate::stats::Stats;
use crate::worker::Listening;

const PATIENCE: Duration = Duration::from_secs(20);
const MAX_LINE: usize = 16;

/// What every client says: the second line is refused where long lines are.
const SAYS: &[&[u8]] = &[b"one\n", b"a line that is too long\n", b"three\n"];

fn config(long_lines: LongLines) -> Config {
    Config {
        max_line: NonZeroUsize::new(MAX_LINE).expect("not zero"),
        long_lines,
        workers: NonZeroUsize::MIN,
        ..Config::default()
    }
}

fn engine(listener: TcpListener, config: Config) -> (Portable, Worker) {
    listener.set_nonblocking(true).expect("a socket can be");
    let address = listener.local_addr().expect("bound");
    let factory = ServiceKind::Echo.factory(&config, &Arc::new(Instance::new()));
    let service = NamedService { name: "echo".to_owned(), factory };
    let shared = Arc::new(Shared::new(config, vec![service], 1, Instant::now()));
    let worker = Worker::new(Arc::clone(&shared), 0, vec![Listening { listener, address, service: 0 }]);
    let engine = Portable::new().expect("a poller");
    shared.post(0).set_waker(engine.waker());
    (engine, worker)
}

/// Serves so many clients on this thread until they have left, and then nobody.
fn serve(listener: TcpListener, config: Config, clients: u64) -> Stats {
    let (engine, worker) = engine(listener, config);
    let shared = Arc::clone(&worker.shared);
    thread::scope(|scope| {
        scope.spawn(|| {
            let since = Instant::now();
            let in_time = || since.elapsed() < PATIENCE;
            while shared.stats().accepted < clients && !shared.is_over() && in_time() {
                thread::yield_now();
            }
            shared.order(|orders| orders.retire = true);
            while !shared.is_over() && in_time() {
                thread::yield_now();
            }
            // For who has failed by now: the test looks at how each ended.
            shared.order(|orders| orders.stop = true);
        });
        engine.run(worker).expect("polling works");
    });
    shared.stats()
}

/// Serves two clients, on a thread of its own, with one call that fails.
fn serve_failing(failure: Failure, long_lines: LongLines) -> (SocketAddr, thread::JoinHandle<Stats>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let serving = thread::spawn(move || {
        failing::set(Some(failure));
        let stats = serve(listener, config(long_lines), 2);
        assert!(failing::set(None).is_none(), "{failure:?} did not happen");
        stats
    });
    (address, serving)
}

/// Says everything, then hears until the server is done. `None` if the connection broke.
fn talk(address: SocketAddr) -> Option<Vec<u8>> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let mut heard = Vec::new();
    let whole = SAYS.iter().try_for_each(|line| stream.write_all(line));
    let finished = whole.and_then(|()| stream.shutdown(Shutdown::Write));
    match finished.and_then(|()| stream.read_to_end(&mut heard)) {
        Ok(_) => Some(heard),
        Err(error) => {
            assert_ne!(error.kind(), ErrorKind::WouldBlock, "the server hangs");
            None
        }
    }
}

fn check(call: Call, operation: Operation, errno: Errno, after: u8, long_lines: LongLines) {
    let failure = Failure { call, errno, after };
    let (address, serving) = serve_failing(failure, long_lines);
    let clients = [address; 2].map(|address| thread::spawn(move || talk(address)));
    let heard = clients.map(|client| client.join().expect("a client"));
    let stats = serving.join().unwrap_or_else(|_| panic!("{failure:?}"));
    let (all, ending) = match long_lines {
        LongLines::Pass => (SAYS.concat(), Ending::Done),
        LongLines::Close => (SAYS[0].to_vec(), Ending::LongLine),
    };
    if call == Call::Accept {
        let broken = errors::breaks_a_listener(errno);
        let whole = heard.iter().flatten().filter(|heard| **heard == all).count();
        assert!(broken || whole == 2, "{failure:?}: {heard:?}");
        return;
    }
    let failed = errors::ending(operation, errno);
    let whole = heard.iter().flatten().filter(|heard| **heard == all).count();
    assert!(whole >= if failed.is_some() { 1 } else { 2 }, "{failure:?}: {heard:?}");
    let mut ended = [0; Ending::ALL.len()];
    ended[failed.unwrap_or(ending) as usize] += 1;
    ended[ending as usize] += 1;
    assert_eq!(stats.ended, ended, "{failure:?}");
}

#[test]
fn no_error_of_a_call_harms_another_connection_and_each_ends_with_its_reason() {
    let never_blocks = |errno: &Errno| *errno != Errno::AGAIN;
    for after in [0, 1] {
        for errno in errors::of(Operation::ReceiveBulk).into_iter().filter(never_blocks) {
            // Buffers and cancelling are the ring's.
            if !matches!(errno, Errno::NOBUFS | Errno::CANCELED) {
                check(Call::Receive, Operation::ReceiveBulk, errno, after, LongLines::Pass);
            }
        }
        for errno in errors::of(Operation::SendNow).into_iter().filter(never_blocks) {
            check(Call::Send, Operation::SendNow, errno, after, LongLines::Pass);
        }
        for errno in errors::of(Operation::AcceptQueued).into_iter().filter(never_blocks) {
            check(Call::Accept, Operation::AcceptQueued, errno, after, LongLines::Pass);
        }
        for errno in errors::of(Operation::ShutOutput) {
            check(Call::ShutOutput, Operation::ShutOutput, errno, after, LongLines::Close);
        }
    }
}

#[test]
fn deadlines_hold_for_a_client_that_pours_faster_than_anybody_reads() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
    // Refused for its long line; what still arrives is thrown away, for as long as the server lingers and no longer.
    let config = Config { linger: Duration::from_millis(50), idle_timeout: None, ..config(LongLines::Close) };
    let serving = thread::spawn(move || {
        failing::flood();
        serve(listener, config, 1)
    });
    (&client).write_all(b"x").expect("room for a byte");
    let stats = serving.join().expect("the server");
    assert_eq!(stats.ended_by(Ending::LongLine), 1, "{stats:?}");
}

#[test]
fn a_turn_of_those_who_all_say_much_is_as_long_as_that_of_one_and_they_take_turns() {
    const CROWD: usize = 8;
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    let (mut engine, mut worker) = engine(listener, config(LongLines::Pass));
    let now = Instant::now();
    engine.listen(&mut worker).expect("a listener can be watched");
    let clients = [address; CROWD].map(|address| TcpStream::connect(address).expect("loopback"));
    while worker.shared.stats().accepted < CROWD as u64 {
        engine.accept_all(&mut worker, now);
    }
    failing::flood();
    // What each turn received, until all were heard. The flood leaves the bytes themselves where they are.
    let mut spoken = 0;
    let mut speak = |engine: &mut Portable, worker: &mut Worker| {
        spoken += 1;
        clients.iter().for_each(|mut client| client.write_all(b"x").expect("room for a byte"));
        let arrived = |one: &Connection| one.stream.peek(&mut [0; 8]).is_ok_and(|bytes| bytes == spoken);
        while !engine.connections.iter().all(|(_, one)| arrived(one)) {
            assert!(now.elapsed() < PATIENCE, "a byte does not arrive");
            thread::yield_now();
        }
        let mut events = Events::with_capacity(EVENTS);
        let (mut turns, mut heard) = (Vec::new(), [false; CROWD]);
        while heard.contains(&false) {
            let before = worker.shared.stats().bytes_in;
            engine.poll.poll(&mut events, Some(PATIENCE)).expect("polling works");
            let ready = events.iter().filter(|event| event.is_readable() && event.token().0 < CROWD);
            ready.for_each(|event| heard[event.token().0] = true);
            engine.on_events(worker, &events, now);
            turns.push(worker.shared.stats().bytes_in - before);
        }
        turns
    };
    let turns = speak(&mut engine, &mut worker);
    assert!(turns.iter().all(|received| *received <= TURN_BYTES as u64), "{turns:?}");
    assert_eq!(engine.unfinished.len(), CROWD, "each was heard in part");
    let turns = speak(&mut engine, &mut worker);
    assert!(
        turns.iter().all(|received| *received == 0),
        "who waits for a turn does not get another: {turns:?}"
    );
    let order: Vec<_> = engine.unfinished.iter().copied().collect();
    engine.go_on(&mut worker, now);
    let rotated = [&order[1..], &order[..1]].concat();
    assert_eq!(engine.unfinished, rotated, "one has had its turn");
    for key in std::mem::take(&mut engine.unfinished) {
        engine.connections.get_mut(key).expect("it is open").unfinished = false;
    }
    let turns = speak(&mut engine, &mut worker);
    assert!(turns.iter().all(|received| *received == 0), "who said much waits in a crowd: {turns:?}");
    assert_eq!(engine.unfinished.len(), CROWD);
}
