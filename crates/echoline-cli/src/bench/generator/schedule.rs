//! The open loop's plan: when each line is meant to leave, whatever the server does.
//!
//! Times do not depend on answers. A line that leaves late, because an answer or the socket was slow, is still timed
//! from here, so that a stalled server is not flattered (Gil Tene's "coordinated omission").

/// One thread's part of the plan. Line `k` of connection `c` out of `n` is due at `start + (k * n + c) / rate`.
#[derive(Debug)]
pub(super) struct Schedule {
    start_ns: u64,
    rate_per_s: u64,
    connections: u64,
    threads: u64,
    thread: u64,
    own: u64,
    /// How many of this thread's lines have been due.
    passed: u64,
}

/// A thread's connection `i` is connection `i * threads + thread` of the whole run.
pub(super) fn own_connections(connections: usize, threads: usize, thread: usize) -> usize {
    (connections + threads - 1 - thread) / threads
}

impl Schedule {
    pub(super) fn new(
        start_ns: u64,
        rate_per_s: u64,
        connections: usize,
        threads: usize,
        thread: usize,
    ) -> Self {
        assert!(rate_per_s > 0 && thread < threads && thread < connections);
        let own = own_connections(connections, threads, thread) as u64;
        let (connections, threads, thread) = (connections as u64, threads as u64, thread as u64);
        Self { start_ns, rate_per_s, connections, threads, thread, own, passed: 0 }
    }

    /// When this thread's connection `own` is meant to send its line `k`.
    pub(super) fn intended_ns(&self, own: usize, k: u64) -> u64 {
        let line = u128::from(k) * u128::from(self.connections)
            + u128::from(own as u64 * self.threads + self.thread);
        let after = line * 1_000_000_000 / u128::from(self.rate_per_s);
        self.start_ns.saturating_add(u64::try_from(after).unwrap_or(u64::MAX))
    }

    /// When the next line is due.
    pub(super) fn next_ns(&self) -> u64 {
        self.intended_ns(self.next_connection(), self.passed / self.own)
    }

    /// The connection whose line is due at `now_ns` or was before, and when; each line once, in order.
    pub(super) fn pop_due(&mut self, now_ns: u64) -> Option<(usize, u64)> {
        let intended_ns = self.next_ns();
        if intended_ns > now_ns {
            return None;
        }
        let connection = self.next_connection();
        self.passed += 1;
        Some((connection, intended_ns))
    }

    /// How many of this thread's lines are due before `until_ns` and have not been popped.
    pub(super) fn left_before(&self, until_ns: u64) -> u64 {
        let time_ns = u128::from(until_ns.saturating_sub(self.start_ns));
        // Line `n` of the run is due in the nanosecond that `n / rate` falls into.
        let lines = (time_ns * u128::from(self.rate_per_s)).div_ceil(1_000_000_000);
        let lines = u64::try_from(lines).unwrap_or(u64::MAX);
        let (rounds, rest) = (lines / self.connections, lines % self.connections);
        let due = rounds * self.own + (rest + self.threads - 1 - self.thread) / self.threads;
        due.saturating_sub(self.passed)
    }

    fn next_connection(&self) -> usize {
        usize::try_from(self.passed % self.own).expect("below a number of connections")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_threads_together_send_evenly_at_the_rate(rate in 1..2_000_000_u64, connections in 1..40_usize, threads in 1..5_usize, start in 0..1_000_000_u64) {
            let threads = threads.min(connections);
            let end = start + 1_000_000_000 * 200 / rate;
            let mut times = Vec::new();
            for thread in 0..threads {
                let mut plan = Schedule::new(start, rate, connections, threads, thread);
                let mut sent = vec![0; own_connections(connections, threads, thread)];
                let mut last = 0;
                let whole = plan.left_before(end);
                while plan.next_ns() < end {
                    let at = plan.next_ns();
                    let (connection, due) = plan.pop_due(at).unwrap();
                    prop_assert_eq!(due, at);
                    prop_assert_eq!(at, plan.intended_ns(connection, sent[connection]));
                    prop_assert!(at >= last);
                    last = at;
                    sent[connection] += 1;
                    times.push(at);
                }
                prop_assert_eq!(plan.pop_due(end - 1), None);
                prop_assert_eq!(plan.left_before(end), 0);
                prop_assert_eq!(whole, sent.iter().sum::<u64>());
            }
            times.sort_unstable();
            prop_assert_eq!(times.len(), 200);
            for (n, at) in times.iter().enumerate() {
                prop_assert_eq!(*at, start + n as u64 * 1_000_000_000 / rate);
            }
        }

        #[test]
        fn every_connection_belongs_to_one_thread(connections in 1..5000_usize, threads in 1..17_usize) {
            let sum: usize = (0..threads).map(|thread| own_connections(connections, threads, thread)).sum();
            prop_assert_eq!(sum, connections);
        }
    }
}
