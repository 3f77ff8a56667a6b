//! The ring against the real kernel, each edge with an operation truly pending.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use super::*;
use crate::service::Batch;

const KEY: Key = Key { index: 0, generation: 7 };
/// A turn of the ring never waits longer: a test that waits for nothing fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(10);

/// A ring, or the test says that there can be none here: containers often forbid it.
fn ring() -> Option<Ring> {
    let made = Ring::new();
    if let Err(error) = &made {
        eprintln!("{error}");
        echoline_testing::skip(std::thread::current().name().unwrap_or("a test of the ring"), "io_uring");
    }
    made.ok()
}

/// Both ends of a connection: ours, and the peer's.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let peer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    (listener.accept().unwrap().0, peer)
}

fn wait(ring: &mut Ring) -> Completion {
    loop {
        if let Some(completion) = ring.next() {
            return completion;
        }
        let before = Instant::now();
        ring.enter(Some(PATIENCE)).unwrap();
        assert!(before.elapsed() < PATIENCE, "nothing completed");
    }
}

fn wait_received(ring: &mut Ring) -> (io::Result<Received>, bool) {
    match wait(ring) {
        Completion::Received { key, result, more } => {
            assert_eq!(key, KEY);
            (result, more)
        }
        other => panic!("{other:?}"),
    }
}

fn wait_sent(ring: &mut Ring) -> (Sending, io::Result<usize>) {
    match wait(ring) {
        Completion::Sent { key, sending, result } => {
            assert_eq!(key, KEY);
            (sending, result)
        }
        other => panic!("{other:?}"),
    }
}

fn held(bytes: &[u8]) -> Sending {
    Sending { batch: Batch { held: bytes.to_vec(), input: 0..0 }, source: None }
}

fn errno(result: io::Result<impl std::fmt::Debug>) -> i32 {
    result.unwrap_err().raw_os_error().unwrap()
}

#[test]
fn a_receive_that_is_cancelled_before_the_close_lets_the_peer_see_fin() {
    let Some(mut ring) = ring() else { return };
    let (ours, mut peer) = pair();
    ring.receive(KEY, ours.as_fd(), Appetite::Stream);
    ring.enter(Some(Duration::ZERO)).unwrap();
    ring.cancel(KEY, Request::Receive(Appetite::Stream));
    let (result, more) = wait_received(&mut ring);
    assert_eq!((errno(result), more), (libc::ECANCELED, false));
    drop(ours);
    assert_eq!(peer.read(&mut [0; 1]).unwrap(), 0);
}

#[test]
fn a_receive_without_free_buffers_ends_with_enobufs_and_loses_nothing() {
    let Some(mut ring) = ring() else { return };
    let (ours, mut peer) = pair();
    let bytes: Vec<u8> = (0..3 << 20).map(|_| fastrand::u8(..)).collect();
    let sent = bytes.clone();
    let writer = std::thread::spawn(move || peer.write_all(&sent).map(|()| peer));
    ring.receive(KEY, ours.as_fd(), Appetite::Stream);
    let (mut kept, mut got, mut shortages) = (Vec::new(), Vec::new(), 0);
    while got.len() < bytes.len() {
        let (result, more) = wait_received(&mut ring);
        match result {
            Ok(received) => {
                got.extend_from_slice(ring.bytes(&received));
                kept.push(received);
            }
            Err(error) => {
                assert_eq!((error.raw_os_error(), more), (Some(libc::ENOBUFS), false));
                assert!(!ring.has_buffer(Appetite::Stream));
                shortages += 1;
                kept.drain(..).for_each(|received| ring.recycle(received));
                ring.receive(KEY, ours.as_fd(), Appetite::Stream);
                continue;
            }
        }
        if !more {
            ring.receive(KEY, ours.as_fd(), Appetite::Stream);
        }
    }
    assert!(shortages > 0, "more bytes than buffers");
    assert!(got == bytes);
    drop(writer.join().unwrap().unwrap());
}

#[test]
fn a_receive_ends_by_itself_at_the_end_of_input() {
    let Some(mut ring) = ring() else { return };
    let (ours, peer) = pair();
    ring.receive(KEY, ours.as_fd(), Appetite::Stream);
    ring.enter(Some(Duration::ZERO)).unwrap();
    drop(peer);
    let (result, more) = wait_received(&mut ring);
    assert_eq!((result.unwrap().len, more), (0, false));
}

#[test]
fn a_bulk_receive_takes_a_large_buffer_once() {
    let Some(mut ring) = ring() else { return };
    let (ours, mut peer) = pair();
    ring.receive(KEY, ours.as_fd(), Appetite::Bulk);
    ring.enter(Some(Duration::ZERO)).unwrap();
    peer.write_all(b"once").unwrap();
    let (result, more) = wait_received(&mut ring);
    let received = result.unwrap();
    assert_eq!((ring.bytes(&received), more), (&b"once"[..], false));
    ring.recycle(received);
}

#[test]
fn a_send_to_a_slow_reader_is_short_then_full_then_waits() {
    let Some(mut ring) = ring() else { return };
    let (ours, mut peer) = pair();
    let bytes: Vec<u8> = (0..16 << 20).map(|_| fastrand::u8(..)).collect();
    let mut at = 0;
    loop {
        ring.send(KEY, ours.as_fd(), held(&bytes[at..]), Patience::Now);
        match wait_sent(&mut ring).1 {
            // The kernel may make more room while nobody reads, but not for all of it.
            Ok(sent) => at += sent,
            Err(error) => break assert_eq!(error.raw_os_error(), Some(libc::EAGAIN)),
        }
    }
    // In the end one is truly pending: it completes only because the peer reads.
    loop {
        assert!(0 < at && at < bytes.len(), "the socket's buffers took {at} bytes");
        ring.send(KEY, ours.as_fd(), held(&bytes[at..]), Patience::Wait);
        ring.enter(Some(Duration::from_millis(20))).unwrap();
        match ring.next() {
            None => break,
            Some(Completion::Sent { result, .. }) => at += result.unwrap(),
            Some(other) => panic!("{other:?}"),
        }
    }
    let reader = std::thread::spawn(move || {
        let mut got = Vec::new();
        peer.read_to_end(&mut got).map(|_| got)
    });
    loop {
        let (_, result) = wait_sent(&mut ring);
        at += result.unwrap();
        if at == bytes.len() {
            break;
        }
        ring.send(KEY, ours.as_fd(), held(&bytes[at..]), Patience::Wait);
    }
    drop(ours);
    assert!(reader.join().unwrap().unwrap() == bytes);
}

#[test]
fn held_bytes_and_a_range_of_the_buffer_leave_in_one_segment() {
    let Some(mut ring) = ring() else { return };
    let (ours, mut peer) = pair();
    peer.write_all(b"ld\nnext").unwrap();
    ring.receive(KEY, ours.as_fd(), Appetite::Stream);
    let (result, _) = wait_received(&mut ring);
    let batch = Batch { held: b"wor".to_vec(), input: 0..3 };
    ring.send(KEY, ours.as_fd(), Sending { batch, source: Some(result.unwrap()) }, Patience::Now);
    let (sending, result) = wait_sent(&mut ring);
    assert_eq!(result.unwrap(), 6);
    ring.recycle(sending.source.unwrap());
    let mut one_read = [0; 64];
    assert_eq!(peer.read(&mut one_read).unwrap(), 6);
    assert_eq!(&one_read[..6], b"world\n");
}

#[test]
fn more_requests_and_completions_than_both_queues_hold_all_arrive_in_order() {
    const SENDS: u32 = COMPLETIONS + 2 * SUBMISSIONS;
    let Some(mut ring) = ring() else { return };
    let (ours, mut peer) = pair();
    for index in 0..SENDS {
        ring.send(Key { index, generation: 0 }, ours.as_fd(), held(&[index as u8]), Patience::Now);
    }
    assert!(!ring.waiting.is_empty(), "the submission queue is full");
    // Submits without taking completions, so that their queue overflows.
    while !ring.fill() {
        ring.submit(0, Some(Duration::ZERO)).unwrap();
    }
    ring.submit(0, Some(Duration::ZERO)).unwrap();
    assert!(ring.completions.is_empty() && ring.ring.completion().is_full());
    for expected in 0..SENDS {
        match wait(&mut ring) {
            Completion::Sent { key, result, .. } => assert_eq!((key.index, result.unwrap()), (expected, 1)),
            other => panic!("{other:?}"),
        }
    }
    let mut got = vec![0; SENDS as usize];
    peer.read_exact(&mut got).unwrap();
    assert!(got.iter().enumerate().all(|(at, byte)| *byte == at as u8));
}

#[test]
fn an_entry_says_that_the_kernel_has_more_until_all_that_is_ready_has_come() {
    const CONNECTIONS: u32 = 2 * AN_ENTRY as u32 + 5;
    let Some(mut ring) = ring() else { return };
    let pairs: Vec<_> = (0..CONNECTIONS).map(|_| pair()).collect();
    for (index, (ours, _)) in (0..).zip(&pairs) {
        ring.receive(Key { index, generation: 0 }, ours.as_fd(), Appetite::Stream);
    }
    ring.enter(Some(Duration::ZERO)).unwrap();
    for (ours, peer) in &pairs {
        (&*peer).write_all(b"x").unwrap();
        assert_eq!(ours.peek(&mut [0]).unwrap(), 1, "it is there");
    }
    let mut came = 0;
    let mut has_more = true;
    while has_more {
        has_more = ring.enter(Some(Duration::ZERO)).unwrap();
        while let Some(completion) = ring.next() {
            let Completion::Received { result, .. } = completion else { panic!("{completion:?}") };
            ring.recycle(result.unwrap());
            came += 1;
        }
    }
    assert_eq!(came, CONNECTIONS);
}

#[test]
fn the_waker_ends_a_sleep_from_another_thread_every_time() {
    let Some(mut ring) = ring() else { return };
    for _ in 0..3 {
        let waker = ring.waker();
        std::thread::spawn(move || waker.wake()).join().unwrap();
        assert!(matches!(wait(&mut ring), Completion::Woken));
    }
}

#[test]
fn an_accept_is_cancelled_and_later_connections_stay_in_the_queue() {
    let Some(mut ring) = ring() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ring.accept(0, listener.as_fd(), true);
    let _first = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    assert!(matches!(wait(&mut ring), Completion::Accepted { result: Ok(_), more: true, .. }));
    ring.cancel_accept(0);
    match wait(&mut ring) {
        Completion::Accepted { result, more, .. } => {
            assert_eq!((errno(result), more), (libc::ECANCELED, false));
        }
        other => panic!("{other:?}"),
    }
    let _second = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    listener.set_nonblocking(true).unwrap();
    assert!(ring.accept_queued(&listener).is_ok());
}

#[test]
fn dropping_a_ring_takes_pending_requests_back_first() {
    let (ours, peer) = pair();
    let (full, _never_reads) = pair();
    let Some(mut ring) = ring() else { return };
    ring.receive(KEY, ours.as_fd(), Appetite::Stream);
    ring.send(Key { index: 1, generation: 0 }, full.as_fd(), held(&vec![0; 16 << 20]), Patience::Wait);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    ring.accept(0, listener.as_fd(), true);
    ring.enter(Some(Duration::ZERO)).unwrap();
    assert!(ring.outstanding >= 3);
    let begun = Instant::now();
    drop(ring);
    assert!(begun.elapsed() < CANCEL_PATIENCE, "everything was cancelled, nothing leaked");
    // The kernel has let go of the socket: bytes that arrive now stay in its queue.
    let mut peer = peer;
    peer.write_all(b"later").unwrap();
    let mut ours = ours;
    let mut got = [0; 5];
    ours.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"later");
    // And of the file: a request that is left keeps it open, and the peer would see no FIN.
    drop(ours);
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(peer.read(&mut got).unwrap(), 0);
}

#[test]
fn dropping_a_ring_takes_thousands_of_requests_back() {
    let (ours, mut peer) = pair();
    let Some(mut ring) = ring() else { return };
    // As many connections would have; one socket will do for them.
    for index in 0..6_000 {
        ring.receive(Key { index, generation: 0 }, ours.as_fd(), Appetite::Stream);
    }
    ring.enter(Some(Duration::ZERO)).unwrap();
    drop(ring);
    // A request that is left keeps the socket open, and the peer would see no FIN.
    drop(ours);
    peer.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(peer.read(&mut [0]).unwrap(), 0);
}
