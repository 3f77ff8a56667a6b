//! The driver with a kernel of the test's own, in any order of completions and with every error at every call.
//!
//! A failing seed is repeated with `ECHOLINE_SEED=n cargo test -p echoline-server simulation`; `ECHOLINE_SEEDS=n`
//! plays fewer than usual, for slow instrumented builds, or more.

mod fake;
mod turns;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::num::NonZeroUsize;
use std::os::fd::OwnedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;

use self::fake::{CONNECTIONS, FakeKernel};
use crate::config::{Config, LongLines};
use crate::engine::errors::{self, Operation};
use crate::engine::uring::driver::Driver;
use crate::engine::uring::kernel::Kernel as _;
use crate::service::{Instance, ServiceKind};
use crate::shared::{NamedService, Shared};
use crate::stats::{Ending, Stats};
use crate::worker::{Listening, Worker};

const SEEDS: u64 = 10_000;
/// With fewer seeds not every error has its turn.
const SEEDS_FOR_ALL: u64 = SEEDS / 2;
const MAX_LINE: usize = 16;
/// More turns than any seed needs: one that gets here is stuck, or spins.
const TURNS: usize = 2_000;

/// This seed's server drains: its conversations are finished after so many turns, wherever they are.
fn drains_after(seed: u64) -> Option<usize> {
    (seed % 8 > 5).then(|| usize::try_from(seed / 8 % 64).expect("small"))
}

/// Clients of this seed may fall silent; no other is so slow that it counts as idle.
fn has_silent_clients(seed: u64) -> bool {
    seed % 8 == 4
}

/// What the clients of a seed talk to.
#[derive(Clone, Copy, PartialEq)]
enum Manner {
    Lines,
    Bytes,
    /// A line above the limit ends the conversation, and the client may still talk.
    ShortLines,
}

impl Manner {
    fn of(seed: u64, wanted: Option<(Operation, Errno)>) -> Self {
        match (wanted, seed / 2 % 3) {
            // A drain shuts the output anyway.
            (Some((Operation::ShutOutput, _)), _) if drains_after(seed).is_none() => Self::ShortLines,
            // Whoever refuses a line waits for the client's end, and a silent one has none.
            (_, 0) if !has_silent_clients(seed) => Self::ShortLines,
            (_, 1) => Self::Lines,
            _ => Self::Bytes,
        }
    }

    /// What is to come back, and how that ends.
    fn reference(self, says: &[u8]) -> (&[u8], Ending) {
        let mut len = 0;
        for line in says.split_inclusive(|byte| *byte == b'\n') {
            let short = line.len() < MAX_LINE || (line.len() == MAX_LINE && line.ends_with(b"\n"));
            if self == Self::ShortLines && !short {
                return (&says[..len], Ending::LongLine);
            }
            len += line.len();
        }
        (says, Ending::Done)
    }
}

struct Seat {
    listener: TcpListener,
    /// Stands for the descriptors of connections.
    null: Rc<OwnedFd>,
    max_connections: usize,
}

impl Seat {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let null = Rc::new(OwnedFd::from(std::fs::File::open("/dev/null").expect("/dev/null")));
        Self { listener, null, max_connections: Config::default().max_connections }
    }

    fn begin(&self, kernel: FakeKernel, manner: Manner) -> (Driver<FakeKernel>, Worker) {
        let config = Config {
            max_line: NonZeroUsize::new(MAX_LINE).expect("not zero"),
            long_lines: if manner == Manner::ShortLines { LongLines::Close } else { LongLines::Pass },
            max_pending_output: NonZeroUsize::new(24).expect("not zero"),
            workers: NonZeroUsize::MIN,
            max_connections: self.max_connections,
            min_progress: None,
            idle_timeout: kernel.silence.then_some(Duration::from_mins(1)),
            // An end by the clock would hide how it ended; other tests see to it.
            linger: Duration::from_hours(24),
            ..Config::default()
        };
        let kind = if manner == Manner::Bytes { ServiceKind::EchoBytes } else { ServiceKind::Echo };
        let factory = kind.factory(&config, &Arc::new(Instance::new()));
        let service = NamedService { name: kind.to_string(), factory };
        let shared = Arc::new(Shared::new(config, vec![service], 1, kernel.now()));
        let address = self.listener.local_addr().expect("bound");
        let listener = self.listener.try_clone().expect("a descriptor");
        let mut worker = Worker::new(shared, 0, vec![Listening { listener, address, service: 0 }]);
        let mut driver = Driver::new(kernel);
        driver.listen(&mut worker).expect("a listener");
        (driver, worker)
    }

    /// Serves all clients of one seed, then drains. Returns how many turns that took, too.
    fn play(
        &self,
        seed: u64,
        wanted: Option<(Operation, Errno)>,
        manner: Manner,
    ) -> (FakeKernel, Stats, usize) {
        let mut kernel = FakeKernel::new(seed, wanted, Rc::clone(&self.null));
        kernel.silence = has_silent_clients(seed);
        let mut now = kernel.now();
        let (mut driver, mut worker) = self.begin(kernel, manner);
        for turn in 1.. {
            assert!(turn < TURNS, "seed {seed} is stuck");
            // Retiring with clients still in the queue must lose none of them.
            let left = driver.kernel.to_accept.len();
            let retires = match wanted {
                Some((Operation::AcceptOnce, Errno::CANCELED)) => driver.kernel.accepts_once() || left == 0,
                _ => left <= usize::try_from(seed % 4).expect("small"),
            };
            if retires {
                worker.shared.order(|orders| orders.retire = true);
            }
            if drains_after(seed) == Some(turn) {
                worker.shared.order(|orders| (orders.retire, orders.finish_at) = (true, Some(now)));
            }
            if !driver.turn(&mut worker, &mut now).expect("the kernel answers") {
                return (driver.kernel, worker.shared.stats(), turn);
            }
        }
        unreachable!("the loop has no end");
    }
}

/// Says which seed it was, wherever the panic came from.
struct Playing(u64);

impl Drop for Playing {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("again: ECHOLINE_SEED={}", self.0);
        }
    }
}

/// What holds at the end of every seed.
fn judge(seed: u64, kernel: &FakeKernel, stats: Stats, manner: Manner) {
    assert!(kernel.stream.all_returned() && kernel.bulk.all_returned(), "seed {seed} leaked a buffer");
    let mut ended = [0; Ending::ALL.len()];
    let (mut said, mut heard, mut clients) = (0, 0, 0);
    for client in kernel.clients.values().chain(&kernel.gone) {
        assert!(client.receive.is_none() && client.send.is_none(), "seed {seed}: closed too early");
        let (due, ending) = manner.reference(&client.says);
        assert!(due.starts_with(&client.heard), "seed {seed}: changed or reordered");
        let whole = client.heard == due;
        assert!(client.failed.is_some() || whole || drains_after(seed).is_some(), "seed {seed}: lost");
        ended[client.failed.unwrap_or(if whole { ending } else { Ending::Drained }) as usize] += 1;
        said += client.said as u64;
        heard += client.heard.len() as u64;
        clients += 1;
    }
    let comparable = |mut ended: [u64; Ending::ALL.len()]| {
        // A drain may come when all was said and the end was not.
        for orderly in [Ending::Done, Ending::LongLine].into_iter().filter(|_| drains_after(seed).is_some()) {
            ended[Ending::Drained as usize] += std::mem::take(&mut ended[orderly as usize]);
        }
        ended
    };
    assert_eq!(comparable(stats.ended), comparable(ended), "seed {seed}: other endings");
    assert_eq!((stats.bytes_in, stats.bytes_out), (said, heard), "seed {seed}: counted otherwise");
    assert_eq!((stats.accepted, stats.open), (clients, 0), "seed {seed}");
    // One that waits for descriptors when the time is up is not.
    let held_back = drains_after(seed).is_some() && !kernel.failed_accepts.is_empty();
    let all_served = clients == CONNECTIONS as u64;
    assert!(all_served || kernel.broken || held_back, "seed {seed}: a client was not served");
}

#[test]
fn no_order_of_completions_and_no_error_loses_changes_or_reorders_a_byte_or_leaks_a_buffer() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().expect("a number"));
    let one = number("ECHOLINE_SEED");
    let seeds = number("ECHOLINE_SEEDS").unwrap_or(SEEDS);
    let (seat, wanted) = (Seat::new(), errors::all());
    let (mut answered, mut most_turns) = (BTreeSet::<(Operation, i32)>::new(), 0);
    for seed in one.map_or(0..seeds, |seed| seed..seed + 1) {
        let _playing = Playing(seed);
        // Every other seed has an error that it must show.
        let number = usize::try_from(seed / 2).expect("small") % wanted.len();
        let wanted = Some(wanted[number]).filter(|_| seed % 2 == 1);
        let manner = Manner::of(seed, wanted);
        let (kernel, stats, turns) = seat.play(seed, wanted, manner);
        judge(seed, &kernel, stats, manner);
        answered.extend(&kernel.answered);
        most_turns = most_turns.max(turns);
    }
    println!("{} errors at their calls, at most {most_turns} turns", answered.len());
    if one.is_none() && seeds >= SEEDS_FOR_ALL {
        let missing: Vec<_> =
            wanted.iter().filter(|(at, errno)| !answered.contains(&(*at, errno.raw_os_error()))).collect();
        assert!(missing.is_empty(), "never answered: {missing:?}");
    }
}

#[test]
fn a_queue_that_waits_for_descriptors_is_tried_eight_times_a_second_until_the_time_is_up() {
    let seat = Seat::new();
    let mut kernel = FakeKernel::new(1, None, Rc::clone(&seat.null));
    kernel.exhausted = true;
    let begun = kernel.now();
    let (mut driver, mut worker) = seat.begin(kernel, Manner::Lines);
    let seconds = 5;
    let finish_at = Some(begun + Duration::from_secs(seconds));
    worker.shared.order(|orders| (orders.retire, orders.finish_at) = (true, finish_at));
    let mut now = begun;
    let turns = (1..TURNS).find(|_| !driver.turn(&mut worker, &mut now).expect("the kernel answers"));
    let failed = driver.kernel.failed_accepts.len() as u64;
    assert!(turns.is_some_and(|turns| turns < 20 * seconds as usize), "{turns:?} turns");
    assert!((7 * seconds..=10 * seconds).contains(&failed), "{failed} failed accepts");
    assert!(now < begun + Duration::from_secs(seconds + 1));
}

#[test]
fn an_error_of_entering_that_stays_ends_the_worker_with_it() {
    let seat = Seat::new();
    for (number, errno) in errors::ENTER_FOR_EVER.iter().enumerate() {
        let mut kernel = FakeKernel::new(number as u64, None, Rc::clone(&seat.null));
        kernel.enter_fails = Some((number, *errno));
        let mut now = kernel.now();
        let (mut driver, mut worker) = seat.begin(kernel, Manner::Lines);
        let error = (0..=number).find_map(|_| driver.turn(&mut worker, &mut now).err());
        assert_eq!(error.and_then(|error| Errno::from_io_error(&error)), Some(*errno));
    }
}
