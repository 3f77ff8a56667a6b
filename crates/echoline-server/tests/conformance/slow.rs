//! Clients that are slow on purpose, and those that are merely slow.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant};

use echoline_server::{Config, Ending, MinProgress, Server, ServiceKind};

use crate::support::*;

on_each_engine! {
    a_line_that_dribbles_is_ended_and_whole_lines_are_not,
    a_client_that_does_not_read_is_ended,
    a_reader_that_dribbles_is_ended,
    a_reader_that_is_merely_slow_gets_every_byte,
    a_client_without_room_is_given_up_after_the_user_timeout,
}

const INTERVAL: Duration = Duration::from_millis(400);

fn at_least(bytes: u64) -> Option<MinProgress> {
    Some(MinProgress { bytes: NonZeroU64::new(bytes).unwrap(), interval: INTERVAL })
}

/// Writes a byte now and then until the server has ended the connection.
fn dribble(mut stream: TcpStream) {
    let start = Instant::now();
    while stream.write_all(b"x").is_ok() {
        assert!(start.elapsed() < PATIENCE, "the server lets it dribble");
        thread::sleep(INTERVAL / 20);
    }
}

fn a_line_that_dribbles_is_ended_and_whole_lines_are_not(case: &Case) {
    let server = case.server(ServiceKind::Echo, |config| config.min_progress = at_least(1000));
    let (dribbling, mut honest, mut silent) = (connect(&server), connect(&server), connect(&server));
    exchange(&mut silent, b"and then no more\n");
    let dribbling = thread::spawn(move || dribble(dribbling));
    let mut ended = false;
    while !ended {
        ended = dribbling.is_finished();
        exchange(&mut honest, b"short\n");
        thread::sleep(INTERVAL / 20);
    }
    dribbling.join().unwrap();
    exchange(&mut silent, b"still here\n");
    let stats = until(&server, |stats| stats.open == 2);
    assert_eq!(stats.ended_by(Ending::Slow), 1);
}

/// A server that is felt soon by who does not read.
fn narrow(case: &Case, change: impl FnOnce(&mut Config)) -> Server {
    let mut config = case.config();
    change(&mut config);
    Server::builder(config).listen(ServiceKind::EchoBytes, narrow_listener()).start().unwrap()
}

/// Writes until nothing more is taken, or the server has ended it.
fn stuff(stream: &mut TcpStream) {
    stream.set_write_timeout(Some(Duration::from_millis(100))).unwrap();
    while stream.write(&[7; 16 * 1024]).is_ok() {}
}

fn a_client_that_does_not_read_is_ended(case: &Case) {
    let server = narrow(case, |config| config.min_progress = at_least(1));
    let mut client = narrow_client(&server);
    stuff(&mut client);
    let stats = until(&server, |stats| stats.open == 0);
    assert_eq!(stats.ended_by(Ending::Slow), 1);
}

fn a_reader_that_dribbles_is_ended(case: &Case) {
    let server = narrow(case, |config| config.min_progress = at_least(1 << 20));
    let mut client = narrow_client(&server);
    stuff(&mut client);
    let start = Instant::now();
    // Each byte is progress for a bare timeout.
    while server.stats().open > 0 && client.read(&mut [0; 64]).is_ok() {
        assert!(start.elapsed() < PATIENCE, "the server lets it dribble");
        thread::sleep(INTERVAL / 40);
    }
    let stats = until(&server, |stats| stats.open == 0);
    assert_eq!(stats.ended_by(Ending::Slow), 1);
}

fn a_reader_that_is_merely_slow_gets_every_byte(case: &Case) {
    const SENT: usize = 2 << 20;
    let server = narrow(case, |config| {
        config.min_progress = Some(MinProgress { bytes: NonZeroU64::MIN, interval: 4 * INTERVAL });
    });
    // With room for a few segments: a window that is always shut opens when the kernel pleases.
    let mut client = connect(&server);
    let sender = send_behind(&client, vec![vec![7; SENT]]);
    let start = Instant::now();
    let (mut read, mut piece) = (0, [0; 32 * 1024]);
    loop {
        match client.read(&mut piece).unwrap() {
            0 => break,
            got => read += got,
        }
        // Each piece is well within an interval, and all of them are many.
        thread::sleep(INTERVAL / 5);
    }
    assert!(start.elapsed() > 8 * INTERVAL, "that was not slow: {:?}", start.elapsed());
    sender.join().unwrap();
    assert_eq!(read, SENT);
    let stats = until(&server, |stats| stats.open == 0);
    assert_eq!(stats.ended_by(Ending::Done), 1, "{stats:?}");
}

fn a_client_without_room_is_given_up_after_the_user_timeout(case: &Case) {
    let timeout = Duration::from_secs(1);
    let server = narrow(case, |config| {
        (config.min_progress, config.user_timeout) = (None, Some(timeout));
    });
    let mut client = narrow_client(&server);
    stuff(&mut client);
    let start = Instant::now();
    let stats = until(&server, |stats| stats.open == 0);
    assert_eq!(stats.ended_by(Ending::Lost), 1, "{stats:?}");
    assert!(start.elapsed() < PATIENCE / 2);
}
