//! Crowds, and those who say much: everybody else has a turn in between.

use std::os::fd::RawFd;
use std::rc::Rc;
use std::time::Instant;

use super::fake::{FakeKernel, Pool};
use super::{Manner, Seat};
use crate::engine::uring::driver::{Driver, MORE_ENTRIES, TURN_BUFFERS};
use crate::engine::uring::kernel::Kernel as _;
use crate::stats::Ending;
use crate::worker::{TURN, Worker};

/// A server and a kernel in which nothing happens by itself.
struct Play {
    driver: Driver<FakeKernel>,
    worker: Worker,
    now: Instant,
}

impl Play {
    fn begin(seat: &Seat) -> Self {
        let mut kernel = FakeKernel::new(1, None, Rc::clone(&seat.null));
        (kernel.by_hand, kernel.stream, kernel.an_entry) = (true, Pool::new(64, 8), usize::MAX);
        kernel.to_accept.clear();
        let now = kernel.now();
        let (driver, worker) = seat.begin(kernel, Manner::Bytes);
        let mut play = Self { driver, worker, now };
        // The first turn asks for what there is to accept.
        play.turn();
        play
    }

    fn turn(&mut self) {
        assert!(self.driver.turn(&mut self.worker, &mut self.now).expect("the kernel answers"));
    }

    fn served(&self) -> Vec<RawFd> {
        let clients = self.driver.kernel.clients.iter();
        clients.filter(|(_, client)| client.receive.is_some()).map(|(fd, _)| *fd).collect()
    }
}

#[test]
fn a_crowd_comes_and_leaves_some_at_a_time_and_bytes_of_others_go_first() {
    // Also where the kernel completes few requests an entry.
    for an_entry in [usize::MAX, 3] {
        let seat = Seat::new();
        let mut play = Play::begin(&seat);
        play.driver.kernel.an_entry = an_entry;
        play.driver.kernel.arrive(1, b"hello");
        play.turn();
        let first = play.served()[0];
        let crowd = 5 * TURN;
        play.driver.kernel.arrive(crowd, b"");
        // It stands behind all of them.
        play.driver.kernel.pour(first);
        for turn in 1..=5 {
            play.turn();
            assert_eq!(play.served().len(), turn * TURN, "without the one who has said all");
            assert_eq!(play.worker.shared.stats().bytes_in, 5, "served in the first turn");
        }
        // The end of the first one is the last to have waited; it has still to be sent its bytes.
        play.turn();
        for fd in play.served() {
            play.driver.kernel.pour(fd);
        }
        let open = play.worker.shared.stats().open;
        for turn in 1..=3 {
            play.turn();
            assert_eq!(play.worker.shared.stats().open, open - (turn * TURN) as u64);
        }
    }
}

#[test]
fn a_crowd_has_its_turn_however_much_more_the_kernel_has() {
    let seat = Seat::new();
    let mut play = Play::begin(&seat);
    play.driver.kernel.an_entry = 1;
    let crowd = MORE_ENTRIES + 2;
    play.driver.kernel.arrive(crowd, b"");
    play.turn();
    assert_eq!((play.served().len(), play.driver.kernel.left()), (TURN, 1));
}

#[test]
fn descriptors_are_not_short_while_a_crowd_that_has_them_waits_for_its_turn() {
    let seat = Seat::new();
    let mut play = Play::begin(&seat);
    play.driver.kernel.arrive(3 * TURN, b"");
    play.driver.kernel.run_out();
    for _ in 0..4 {
        assert!(!play.driver.kernel.accepts());
        play.turn();
    }
    play.turn();
    assert_eq!((play.served().len(), play.worker.shared.stats().accept_shortages), (3 * TURN, 0));
    assert!(play.driver.kernel.accepts(), "it asks again once they have been seen to");
    // With nobody who waits, it is what it seems.
    play.driver.kernel.run_out();
    play.turn();
    assert_eq!(play.worker.shared.stats().accept_shortages, 1);
    assert!(!play.driver.kernel.accepts());
}

#[test]
fn whole_queues_are_accepted_only_while_there_are_places_for_all_in_them() {
    let mut seat = Seat::new();
    let backlog = echoline_sys::backlog(&seat.listener).expect("a listener") as usize;
    seat.max_connections = backlog + 3 * TURN;
    let mut play = Play::begin(&seat);
    play.driver.kernel.arrive(3 * TURN, b"");
    // Who waits for a turn has a descriptor, too.
    play.turn();
    play.turn();
    assert!(!play.driver.kernel.is_to_end_accepting());
    play.driver.kernel.arrive(TURN, b"");
    play.turn();
    assert!(!play.driver.kernel.is_to_end_accepting(), "not known before");
    play.turn();
    assert!(play.driver.kernel.is_to_end_accepting());
    play.driver.kernel.end_accepting();
    play.turn();
    play.turn();
    assert_eq!(play.served().len(), 4 * TURN);
    // One by one from now on, and whole queues again once there is room.
    for _ in 0..2 {
        assert!(play.driver.kernel.accepts_once());
        play.driver.kernel.arrive(1, b"");
        play.turn();
        play.turn();
    }
    for fd in play.served() {
        play.driver.kernel.pour(fd);
    }
    while play.worker.shared.stats().open > 0 {
        play.turn();
    }
    play.driver.kernel.arrive(1, b"");
    play.turn();
    play.turn();
    assert!(play.driver.kernel.accepts() && !play.driver.kernel.accepts_once());
}

#[test]
fn one_who_says_much_is_served_in_parts_and_in_order_and_the_end_comes_last() {
    let seat = Seat::new();
    let mut play = Play::begin(&seat);
    let says: Vec<u8> = (0..100).collect();
    play.driver.kernel.arrive(2, &says);
    play.turn();
    let [much, little] = play.served()[..] else { panic!("two clients") };
    play.driver.kernel.pour(much);
    play.driver.kernel.pour(little);
    let part = u64::from(TURN_BUFFERS) * play.driver.kernel.stream_buffer() as u64;
    for turn in 1..=3 {
        play.turn();
        assert_eq!(play.worker.shared.stats().bytes_in, 2 * part * turn, "both have their part");
    }
    for _ in 0..super::TURNS {
        if play.worker.shared.stats().open == 0 {
            break;
        }
        play.driver.kernel.complete_sends();
        play.turn();
    }
    let stats = play.worker.shared.stats();
    let heard: Vec<_> = play.driver.kernel.clients.values().map(|client| client.heard.as_slice()).collect();
    assert_eq!(heard, [&says[..]; 2]);
    assert_eq!((stats.open, stats.ended_by(Ending::Done)), (0, 2));
}

#[test]
fn an_error_that_waits_behind_bytes_is_not_hidden_by_a_send_that_fails_after_it() {
    let seat = Seat::new();
    let mut play = Play::begin(&seat);
    let buffers = usize::from(TURN_BUFFERS) + 1;
    play.driver.kernel.arrive(1, &vec![b'a'; buffers * play.driver.kernel.stream_buffer()]);
    play.turn();
    let client = play.served()[0];
    play.driver.kernel.say(client);
    play.turn();
    // Its first bytes are being sent; more come than its turn allows, then the error, and the send fails, too.
    (1..buffers).for_each(|_| play.driver.kernel.say(client));
    play.driver.kernel.lose(client);
    play.driver.kernel.complete_sends();
    play.turn();
    play.turn();
    let stats = play.worker.shared.stats();
    assert_eq!((stats.open, stats.ended_by(Ending::Lost)), (0, 1), "{stats:?}");
}
