//! The schedule under every kind of network, with a clock made of numbers.

use proptest::prelude::*;

use super::*;

fn v4(n: u8) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, n], 5151))
}

fn v6(n: u16) -> SocketAddr {
    SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, n], 5151))
}

#[test]
fn families_take_turns_and_the_preferred_one_starts() {
    assert_eq!(interleave(vec![v6(1), v6(2), v6(3), v4(1)]), [v6(1), v4(1), v6(2), v6(3)]);
    assert_eq!(interleave(vec![v4(1), v4(2), v6(1), v6(2), v6(3)]), [v4(1), v6(1), v4(2), v6(2), v6(3)]);
    assert_eq!(interleave(vec![]), []);
}

#[test]
fn a_failure_of_the_newest_attempt_starts_the_next_at_once() {
    let now = Instant::now();
    let mut schedule = Schedule::new([v6(1), v4(1), v6(2)], STAGGER, now + 10 * STAGGER);
    assert_eq!(schedule.next(now), Step::Start(0));
    assert_eq!(schedule.next(now + STAGGER), Step::Start(1));
    schedule.failed(0); // the older one: the newest still has its time
    assert_eq!(schedule.next(now + STAGGER), Step::Wait(now + 2 * STAGGER));
    schedule.failed(1);
    assert_eq!(schedule.next(now + STAGGER), Step::Start(2));
    schedule.failed(2);
    assert_eq!(schedule.next(now + STAGGER), Step::Over);
}

#[test]
fn the_deadline_ends_it_whatever_runs() {
    let now = Instant::now();
    let mut schedule = Schedule::new([v6(1), v4(1)], STAGGER, now + STAGGER / 2);
    assert_eq!(schedule.next(now), Step::Start(0));
    assert_eq!(schedule.next(now), Step::Wait(now + STAGGER / 2));
    assert_eq!(schedule.next(now + STAGGER / 2), Step::Over);
}

/// What the network does to each address: fails after so many milliseconds, or never answers.
fn network() -> impl Strategy<Value = Vec<(bool, Option<u64>)>> {
    prop::collection::vec((any::<bool>(), prop::option::of(0..2000_u64)), 0..12)
}

proptest! {
    #[test]
    fn every_address_is_tried_once_in_order_spaced_by_the_stagger_and_never_after_the_deadline(
        network in network(),
        deadline_ms in 0..5000_u64,
    ) {
        let begin = Instant::now();
        let at = |ms| begin + Duration::from_millis(ms);
        let addresses = network.iter().zip(0..).map(|((is_v6, _), n)| if *is_v6 { v6(n) } else { v4(n as u8) });
        let addresses: Vec<_> = addresses.collect();
        // The address says which entry of `network` it is.
        let fails_after = |address: SocketAddr| {
            network[addresses.iter().position(|a| *a == address).unwrap()].1.map(Duration::from_millis)
        };
        let mut schedule = Schedule::new(addresses.clone(), STAGGER, at(deadline_ms));
        let mut now = begin;
        let mut running: Vec<(Instant, usize)> = Vec::new();
        let mut starts: Vec<(Instant, bool)> = Vec::new();
        let mut newest_failed = true;
        for _ in 0..1000 {
            match schedule.next(now) {
                Step::Over => break,
                Step::Start(index) => {
                    prop_assert_eq!(index, starts.len());
                    prop_assert!(now < at(deadline_ms));
                    starts.push((now, newest_failed));
                    newest_failed = false;
                    let fails = fails_after(schedule.addresses()[index]);
                    running.push((now + fails.unwrap_or(Duration::from_secs(1000)), index));
                }
                Step::Wait(until) => {
                    prop_assert!(until > now && until <= at(deadline_ms));
                    prop_assert!(!running.is_empty(), "waits for something");
                    running.sort();
                    now = until.min(running[0].0).max(now);
                    while running.first().is_some_and(|(end, _)| *end <= now) {
                        let (_, index) = running.remove(0);
                        newest_failed |= index + 1 == starts.len();
                        schedule.failed(index);
                    }
                }
            }
        }
        prop_assert_eq!(schedule.next(now), Step::Over, "it ends");
        for pair in starts.windows(2) {
            let ((before, _), (after, newest_had_failed)) = (pair[0], pair[1]);
            prop_assert!(newest_had_failed || after >= before + STAGGER);
        }
        if now < at(deadline_ms) {
            prop_assert_eq!(starts.len(), addresses.len(), "none is forgotten");
            prop_assert!(running.is_empty(), "all have failed");
        }
        let mut sorted = schedule.addresses().to_vec();
        let mut expected = addresses;
        sorted.sort();
        expected.sort();
        prop_assert_eq!(sorted, expected);
    }
}
