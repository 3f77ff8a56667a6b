//! Slow clients are waited for within bounds, and a close destroys nothing.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use echoline_server::{Config, Ending, LineService, Lines, Out, Server, ServiceKind};

use crate::support::*;

on_each_engine! {
    a_client_that_never_reads_is_read_up_to_the_cap,
    a_service_that_finishes_destroys_nothing_that_it_said,
    a_client_that_does_not_leave_is_left_after_the_linger_time,
    a_reset_is_counted_and_hurts_nobody,
    a_reset_ends_a_conversation_whose_output_is_blocked,
    a_service_that_says_much_is_paused,
    many_clients_that_never_read_leave_the_others_served,
    clients_that_never_stop_sending_leave_the_others_served,
}

fn a_client_that_never_reads_is_read_up_to_the_cap(case: &Case) {
    const CAP: usize = 20_000;
    /// What the engine may have received at once when the cap is reached, and two kernel buffers.
    const ROOM: u64 = 64 * 1024 + 64 * 1024;
    for kind in [ServiceKind::Echo, ServiceKind::EchoBytes] {
        let config = Config { max_pending_output: NonZeroUsize::new(CAP).unwrap(), ..case.config() };
        let server = Server::builder(config).listen(kind, narrow_listener()).start().unwrap();
        let mut client = narrow_client(&server);
        let bytes = noise(3, 4 << 20, 60);
        client.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
        let (start, mut sent, mut before) = (Instant::now(), 0, 0);
        // A server that was merely held up has not come to its cap, or goes on.
        let read = loop {
            assert!(sent < bytes.len(), "everything was read");
            match client.write(&bytes[sent..]) {
                Ok(taken) => sent += taken,
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    let read = server.stats().bytes_in;
                    if read >= CAP as u64 && read == before {
                        break read;
                    }
                    assert!(start.elapsed() < PATIENCE, "{read} bytes were read");
                    before = read;
                }
            }
        };
        assert!(read <= CAP as u64 + ROOM, "{read} bytes were read");

        // Others are served meanwhile, and it goes on where it stopped.
        exchange(&mut connect(&server), b"still there?\n");
        client.set_write_timeout(Some(PATIENCE)).unwrap();
        let sender = send_behind(&client, vec![bytes[sent..].to_vec()]);
        assert!(read_to_end(&mut client) == bytes);
        sender.join().unwrap();
    }
}

/// Says so many bytes and leaves.
struct Farewell(usize);
impl LineService for Farewell {
    fn on_line(&mut self, _line: &[u8], out: &mut Out<'_>) {
        out.write(&vec![b'.'; self.0]);
        out.finish();
    }
}

fn farewell(case: &Case, length: usize, linger: Duration) -> Server {
    let config = Config { linger, ..case.config() };
    let service = move |_: &_| Lines::new(NonZeroUsize::new(1000).unwrap(), Farewell(length));
    Server::builder(config).listen_service("farewell", service, listener()).start().unwrap()
}

fn a_service_that_finishes_destroys_nothing_that_it_said(case: &Case) {
    const LENGTH: usize = 400_000;
    let server = farewell(case, LENGTH, PATIENCE);
    let mut client = connect(&server);
    // The client goes on talking: what it says after the end must not reset what it has not read.
    let chatter = noise(5, 2 << 20, 60);
    let sender = send_behind(&client, vec![b"bye\n".to_vec(), chatter]);
    sender.join().unwrap();
    assert_eq!(read_to_end(&mut client).len(), LENGTH);
    let stats = until(&server, |stats| stats.open == 0);
    assert_eq!(stats.ended_by(Ending::Done), 1);
}

fn a_client_that_does_not_leave_is_left_after_the_linger_time(case: &Case) {
    // The kernel takes it all at once: a client that is held up does not look like one that takes nothing.
    const LENGTH: usize = 10_000;
    let server = farewell(case, LENGTH, Duration::from_secs(1));
    let mut client = connect(&server);
    client.write_all(b"bye\n").unwrap();
    assert_eq!(read_to_end(&mut client).len(), LENGTH);
    let stats = until(&server, |stats| stats.open == 0);
    assert_eq!(stats.ended_by(Ending::Done), 1);
}

fn a_reset_is_counted_and_hurts_nobody(case: &Case) {
    let server = case.server(ServiceKind::Echo, |_| {});
    let mut other = connect(&server);
    exchange(&mut other, b"here\n");
    let mut client = connect(&server);
    client.write_all(b"hello\nhal").unwrap();
    client.read_exact(&mut [0; 6]).unwrap();
    reset(client);
    let stats = until(&server, |stats| stats.open == 1);
    assert_eq!(stats.ended_by(Ending::Reset), 1);
    exchange(&mut other, b"still here\n");
}

fn a_reset_ends_a_conversation_whose_output_is_blocked(case: &Case) {
    let server = Server::builder(case.config()).listen(ServiceKind::Echo, narrow_listener()).start().unwrap();
    let mut client = narrow_client(&server);
    fill(&mut client, &[b'\n'; 10_000]);
    reset(client);
    let stats = until(&server, |stats| stats.open == 0);
    assert_eq!(stats.ended_by(Ending::Reset), 1);
}

/// Sends copies of `bytes` until nobody takes them. Returns how many bytes were sent.
fn fill(client: &mut TcpStream, bytes: &[u8]) -> usize {
    client.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut sent = 0;
    while let Ok(taken) = client.write(&bytes[sent % bytes.len()..]) {
        sent += taken;
        assert!(sent < 64 << 20, "everything was read");
    }
    sent
}

fn many_clients_that_never_read_leave_the_others_served(case: &Case) {
    const MANY: usize = 150;
    case.in_child_with_files(400, || {
        let server =
            Server::builder(case.config()).listen(ServiceKind::Echo, narrow_listener()).start().unwrap();
        let mut canary = connect(&server);
        let bytes = noise(11, 100_003, 40);
        let fill_one = || {
            let mut client = narrow_client(&server);
            let sent = fill(&mut client, &bytes);
            (client, sent)
        };
        let full: Vec<(TcpStream, usize)> = thread::scope(|scope| {
            let fillers: Vec<_> = (0..MANY).map(|_| scope.spawn(fill_one)).collect();
            fillers.into_iter().map(|filler| filler.join().unwrap()).collect()
        });
        exchange(&mut canary, b"still there?\n");
        exchange(&mut connect(&server), b"and for who comes now?\n");
        // Each gets its own bytes back once it reads.
        for (mut client, sent) in full {
            client.shutdown(Shutdown::Write).unwrap();
            let back = read_to_end(&mut client);
            assert_eq!(back.len(), sent);
            assert!(back.chunks(bytes.len()).all(|chunk| chunk == &bytes[..chunk.len()]));
        }
        exchange(&mut canary, b"still there!\n");
    });
}

fn clients_that_never_stop_sending_leave_the_others_served(case: &Case) {
    let server = case.server(ServiceKind::Echo, |_| {});
    let over = AtomicBool::new(false);
    let mut canary = connect(&server);
    thread::scope(|scope| {
        for _ in 0..3 {
            let client = connect(&server);
            let mut output = client.try_clone().unwrap();
            scope.spawn({
                let over = &over;
                move || {
                    let bytes = noise(13, 1 << 20, 40);
                    while !over.load(SeqCst) {
                        output.write_all(&bytes).unwrap();
                    }
                    output.shutdown(Shutdown::Write).unwrap();
                }
            });
            scope.spawn(move || std::io::copy(&mut { client }, &mut std::io::sink()).unwrap());
        }
        until(&server, |stats| stats.bytes_out > 10 << 20);
        for _ in 0..50 {
            exchange(&mut canary, b"still there?\n");
        }
        over.store(true, SeqCst);
    });
}

/// Answers each line with ten thousand times as much.
struct Flood;
impl LineService for Flood {
    fn on_line(&mut self, line: &[u8], out: &mut Out<'_>) {
        out.write(&line.repeat(10_000));
    }
}

fn a_service_that_says_much_is_paused(case: &Case) {
    const LINES: usize = 500;
    let config = Config { max_pending_output: NonZeroUsize::new(50_000).unwrap(), ..case.config() };
    let service = |_: &_| Lines::new(NonZeroUsize::new(1000).unwrap(), Flood);
    let server = Server::builder(config).listen_service("flood", service, narrow_listener()).start().unwrap();
    let mut client = narrow_client(&server);
    client.write_all(&b"a\n".repeat(LINES)).unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let stats = until(&server, |stats| stats.bytes_in == 2 * LINES as u64 && stats.bytes_out > 0);
    assert!(stats.lines < 20, "{} lines were answered to nobody", stats.lines);
    assert!(read_to_end(&mut client) == b"a\n".repeat(LINES * 10_000));
    until(&server, |stats| stats.lines == LINES as u64);
}
