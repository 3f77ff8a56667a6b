use super::*;

#[test]
fn a_shortage_allows_one_try_a_probe_interval() {
    let start = Instant::now();
    let gate = AcceptGate::new(start);
    assert!(gate.on_shortage(start));
    let mut tries = 0;
    for ms in 0..1000 {
        if gate.ask(start + Duration::from_millis(ms)) == Permission::Once {
            tries += 1;
            assert!(!gate.on_shortage(start + Duration::from_millis(ms)));
        }
    }
    assert_eq!(tries, 7);
}

#[test]
fn a_close_of_ours_allows_one_try_at_once() {
    let now = Instant::now();
    let gate = AcceptGate::new(now);
    gate.on_shortage(now);
    assert!(matches!(gate.ask(now), Permission::NotBefore(_)));
    assert!(gate.on_closed());
    assert_eq!(gate.ask(now), Permission::Once);
    assert!(matches!(gate.ask(now), Permission::NotBefore(_)));
}

#[test]
fn two_listeners_do_not_probe_at_the_same_time() {
    let now = Instant::now();
    let gate = AcceptGate::new(now);
    gate.on_shortage(now);
    let probe = now + PROBE_EVERY;
    assert_eq!(gate.ask(probe), Permission::Once);
    assert_eq!(gate.ask(probe), Permission::NotBefore(probe + PROBE_EVERY));
}

#[test]
fn an_error_that_stays_counts_as_a_shortage() {
    let now = Instant::now();
    let gate = AcceptGate::new(now);
    for _ in 0..MAX_SKIPS {
        assert_eq!(gate.on_skip(), AcceptFailure::Skip);
    }
    assert_eq!(gate.on_skip(), AcceptFailure::Shortage);
    gate.on_accepted(now);
    assert_eq!(gate.on_skip(), AcceptFailure::Skip);
}

#[test]
fn a_success_ends_a_shortage_only_when_a_probe_would_have_failed() {
    let start = Instant::now();
    let gate = AcceptGate::new(start);
    gate.on_shortage(start);
    gate.on_closed();
    assert_eq!(gate.ask(start), Permission::Once);
    gate.on_accepted(start);
    let probe = start + PROBE_EVERY;
    assert_eq!(gate.ask(start), Permission::NotBefore(probe));
    assert_eq!(gate.ask(probe), Permission::Once);
    gate.on_accepted(probe);
    assert_eq!(gate.ask(probe), Permission::Once, "more may be free");
    gate.on_accepted(probe + PROBE_EVERY);
    assert_eq!(gate.ask(probe + PROBE_EVERY), Permission::Freely);
    assert!(!gate.on_closed());
}

#[test]
fn an_empty_queue_keeps_the_descriptor_for_the_next_client() {
    let now = Instant::now();
    let gate = AcceptGate::new(now);
    gate.on_shortage(now);
    gate.on_closed();
    for _ in 0..3 {
        assert_eq!(gate.ask(now), Permission::Once);
        gate.on_empty(now);
    }
    assert_eq!(gate.ask(now), Permission::Once);
    gate.on_accepted(now);
    assert!(matches!(gate.ask(now), Permission::NotBefore(_)));
    gate.on_empty(now + PROBE_EVERY);
    assert_eq!(gate.ask(now + PROBE_EVERY), Permission::Freely);
}

mod among_others {
    //! The gate of a process whose clients come and go and whose descriptors others take and give back.

    use proptest::prelude::*;

    use super::*;

    /// What happens in one millisecond.
    #[derive(Debug, Clone, Copy)]
    struct Moment {
        come: usize,
        leave: usize,
        /// Descriptors that others free, or take where it is negative.
        others_free: isize,
    }

    struct Process {
        gate: AcceptGate,
        /// An accept stays under way while the queue is empty, as in a ring; else it says that it is.
        pends: bool,
        under_way: Option<Permission>,
        queued: usize,
        open: usize,
        free: usize,
        failed_at: Vec<u64>,
    }

    impl Process {
        fn live(&mut self, ms: u64, now: Instant, moment: Moment) {
            self.queued += moment.come;
            self.free = self.free.saturating_add_signed(moment.others_free);
            for _ in 0..moment.leave.min(self.open) {
                (self.open, self.free) = (self.open - 1, self.free + 1);
                self.gate.on_closed();
            }
            while let Some(permission) = self.permission(now) {
                if self.free == 0 {
                    // A ring has reserved one when it began to wait, and gives it back meanwhile.
                    if self.pends && self.under_way.is_some() && self.queued == 0 {
                        return;
                    }
                    self.under_way = None;
                    self.failed_at.push(ms);
                    self.gate.on_shortage(now);
                } else if self.queued == 0 {
                    if self.pends {
                        self.under_way = Some(permission);
                    } else {
                        self.gate.on_empty(now);
                    }
                    return;
                } else {
                    (self.free, self.queued, self.open) = (self.free - 1, self.queued - 1, self.open + 1);
                    self.gate.on_accepted(now);
                    self.under_way = Some(permission).filter(|it| self.pends && *it == Permission::Freely);
                }
            }
        }

        fn permission(&self, now: Instant) -> Option<Permission> {
            let permission = self.under_way.unwrap_or_else(|| self.gate.ask(now));
            (!matches!(permission, Permission::NotBefore(_))).then_some(permission)
        }
    }

    fn moments(others: std::ops::RangeInclusive<isize>) -> impl Strategy<Value = Vec<Moment>> {
        let moment = (0..4_usize, 0..4_usize, others).prop_map(|(come, leave, others_free)| Moment {
            come: come.saturating_sub(1),
            leave: leave.saturating_sub(1),
            others_free,
        });
        // Quiet times between the busy ones.
        let quiet = Just(Moment { come: 0, leave: 0, others_free: 0 });
        prop::collection::vec(prop_oneof![moment, quiet], 1..3000)
    }

    /// Plays it; the longest time in milliseconds for which a client and a descriptor were there and not together.
    fn play(pends: bool, free: usize, moments: &[Moment]) -> Result<u64, TestCaseError> {
        let start = Instant::now();
        let gate = AcceptGate::new(start);
        let mut process =
            Process { gate, pends, under_way: None, queued: 0, open: 0, free, failed_at: Vec::new() };
        let (mut since, mut longest) = (None, 0);
        for (ms, moment) in (0..).zip(moments) {
            process.live(ms, start + Duration::from_millis(ms), *moment);
            let waits = process.queued > 0 && process.free > 0;
            since = waits.then(|| since.unwrap_or(ms));
            longest = since.map_or(longest, |since| longest.max(ms + 1 - since));
        }
        for (nth, at) in process.failed_at.iter().enumerate() {
            let in_a_second = process.failed_at[nth..].iter().take_while(|it| **it < at + 1000).count();
            prop_assert!(in_a_second <= 10, "{in_a_second} failed within a second: {:?}", process.failed_at);
        }
        Ok(longest)
    }

    proptest! {
        #[test]
        fn what_we_close_serves_at_once(pends: bool, free in 1..8_usize, moments in moments(0..=0)) {
            prop_assert_eq!(play(pends, free, &moments)?, 0);
        }

        #[test]
        fn what_others_free_serves_within_150_ms(pends: bool, free in 1..8_usize, moments in moments(0..=1)) {
            prop_assert!(play(pends, free, &moments)? <= 150);
        }

        #[test]
        fn nothing_that_others_do_makes_us_spin(pends: bool, free in 1..8_usize, moments in moments(-2..=2)) {
            prop_assert!(play(pends, free, &moments)? <= 500);
        }
    }
}
