//! Memory for all: when it is used up, the largest holders go first, and nobody else.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::num::NonZeroUsize;

use echoline_server::{Ending, LongLines, Server, ServiceKind};

use crate::support::*;

on_each_engine! {
    unfinished_lines_share_one_budget_and_come_back_whole,
    where_long_lines_close_the_largest_holder_is_closed,
    a_client_that_does_not_read_is_read_from_until_its_cap_is_reached,
    clients_that_do_not_read_share_the_same_budget,
    one_worker_may_use_what_the_others_do_not,
}

const KIB: usize = 1024;

/// Waits until the server has all of it.
fn begin_line(stream: &mut TcpStream, server: &Server, byte: u8, len: usize) {
    let before = server.stats().bytes_in;
    stream.write_all(&vec![byte; len]).unwrap();
    until(server, |stats| stats.bytes_in == before + len as u64);
}

fn unfinished_lines_share_one_budget_and_come_back_whole(case: &Case) {
    const CLIENTS: u8 = 32;
    const LINE: usize = 48 * KIB;
    let most = 256 * KIB;
    let server =
        case.server(ServiceKind::Echo, |config| config.max_buffered = NonZeroUsize::new(most).unwrap());
    let mut small = connect(&server);
    begin_line(&mut small, &server, b's', 100);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| connect(&server)).collect();
    for (n, client) in (0..).zip(&mut clients) {
        begin_line(client, &server, b'A' + n, LINE);
        let stats = until(&server, |stats| stats.buffered <= most as u64);
        assert_eq!(stats.open, 1 + u64::from(CLIENTS));
    }
    assert!(server.stats().passed_for_memory >= 20, "{:?}", server.stats());
    for (n, client) in (0..).zip(&mut clients) {
        client.write_all(b"\n").unwrap();
        let mut back = vec![0; LINE + 1];
        std::io::Read::read_exact(client, &mut back).unwrap();
        assert!(back[..LINE].iter().all(|byte| *byte == b'A' + n) && back[LINE] == b'\n');
    }
    // Nobody took from who holds little: the line leaves in one piece.
    small.write_all(b"\n").unwrap();
    assert_eq!(one_read(&mut small).len(), 101);
    drop((small, clients));
    let stats = until(&server, |stats| stats.open == 0);
    assert_eq!((stats.buffered, stats.ended_by(Ending::Done)), (0, 1 + u64::from(CLIENTS)));
}

fn where_long_lines_close_the_largest_holder_is_closed(case: &Case) {
    let server = case.server(ServiceKind::Echo, |config| {
        config.long_lines = LongLines::Close;
        config.max_buffered = NonZeroUsize::new(64 * KIB).unwrap();
    });
    let (mut large, mut small) = (connect(&server), connect(&server));
    begin_line(&mut large, &server, b'l', 40 * KIB);
    begin_line(&mut small, &server, b's', 30 * KIB);
    assert_eq!(read_to_end(&mut large), b"");
    small.write_all(b"\n").unwrap();
    assert_eq!(one_read(&mut small).len() % KIB, 1, "the smaller one is whole");
    drop(large);
    let stats = until(&server, |stats| stats.open == 1);
    assert_eq!((stats.ended_by(Ending::Memory), stats.passed_for_memory), (1, 0));
}

/// Reads nothing, and writes until the server reads nothing either, or has closed the connection.
fn write_until_held_up(client: &TcpStream, server: &Server) {
    let before = server.stats().held_up;
    client.set_nonblocking(true).unwrap();
    until(server, |stats| {
        let mut client = client;
        let broken = client.write(&[7; 16 * KIB]).is_err_and(|error| error.kind() != ErrorKind::WouldBlock);
        broken || stats.held_up > before
    });
}

fn a_client_that_does_not_read_is_read_from_until_its_cap_is_reached(case: &Case) {
    const CHUNK: usize = 4 * KIB;
    let config = case.config();
    let cap = config.max_pending_output.get() as u64;
    let server = Server::builder(config).listen(ServiceKind::EchoBytes, narrow_listener()).start().unwrap();
    let mut client = narrow_client(&server);
    // Chunk after chunk, so that the ring sees small buffers filled, and goes over to large ones, before the cap.
    for chunk in 1.. {
        client.write_all(&[7; CHUNK]).unwrap();
        let stats = until(&server, |stats| stats.held_up > 0 || stats.bytes_in >= chunk * CHUNK as u64);
        if stats.held_up > 0 {
            break;
        }
    }
    until(&server, |stats| stats.buffered >= cap);
}

fn clients_that_do_not_read_share_the_same_budget(case: &Case) {
    // Each may have its cap buffered, and in a ring what one request received before it could be cancelled.
    const CLIENTS: usize = 24;
    let most = 1024 * KIB;
    let mut config = case.config();
    config.max_buffered = NonZeroUsize::new(most).unwrap();
    let server = Server::builder(config).listen(ServiceKind::EchoBytes, narrow_listener()).start().unwrap();
    let mut honest = connect(&server);
    let clients: Vec<_> = (0..CLIENTS).map(|_| narrow_client(&server)).collect();
    for client in &clients {
        write_until_held_up(client, &server);
        exchange(&mut honest, b"served all the while\n");
        until(&server, |stats| stats.buffered <= most as u64);
    }
    let stats = until(&server, |stats| stats.ended_by(Ending::Memory) > 0);
    assert!(stats.open >= 4, "only as many as needed: {stats:?}");
    exchange(&mut honest, b"and still\n");
}

fn one_worker_may_use_what_the_others_do_not(case: &Case) {
    const LINE: usize = 60 * KIB;
    let server = case.server(ServiceKind::Echo, |config| {
        config.workers = NonZeroUsize::new(2).unwrap();
        config.max_buffered = NonZeroUsize::new(4 * LINE).unwrap();
    });
    // They are dealt to the workers in turn.
    let clients: Vec<_> = (0..6).map(|_| connect(&server)).collect();
    let (mut large, mut small): (Vec<_>, Vec<_>) =
        clients.into_iter().enumerate().partition(|(n, _)| n % 2 == 0);
    begin_line(&mut small[0].1, &server, b's', 100);
    for (_, client) in &mut large {
        begin_line(client, &server, b'l', LINE);
    }
    let stats = until(&server, |stats| stats.buffered >= 3 * LINE as u64);
    assert_eq!(stats.passed_for_memory, 0, "it is more than half of the memory, and all of it fits");
    // The other uses it up: who has more than an even share gives some back, though nothing happens to it.
    begin_line(&mut small[1].1, &server, b's', LINE);
    until(&server, |stats| stats.passed_for_memory == 1);
    for (n, (_, client)) in small.iter_mut().enumerate().take(2) {
        client.write_all(b"\n").unwrap();
        let mut back = vec![0; if n == 0 { 101 } else { LINE + 1 }];
        std::io::Read::read_exact(client, &mut back).unwrap();
        assert_eq!(back.last(), Some(&b'\n'));
    }
    assert_eq!(server.stats().passed_for_memory, 1);
}
