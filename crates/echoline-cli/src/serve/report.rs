//! What a server did, as a value; as a record of a log in JSON.

use std::time::Duration;

use echoline_server::{Ending, Stats};

/// The end of a run of `serve`.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    pub(super) ran: Duration,
    pub(super) stats: Stats,
    /// One connection was to be served, and then none.
    pub(super) once: bool,
    /// Log records that were dropped because standard error was too slow.
    pub(super) log_dropped: u64,
}

impl Summary {
    /// The last record of a log in JSON.
    pub(super) fn log(&self) {
        self.record("served");
    }

    /// The counters while the server goes on, for whoever sent SIGUSR1.
    pub(super) fn log_counters(&self) {
        self.record("counters");
    }

    fn record(&self, message: &str) {
        let stats = &self.stats;
        tracing::info!(
            ran_s = self.ran.as_secs_f64(),
            accepted = stats.accepted,
            open = stats.open,
            lines = stats.lines,
            bytes_in = stats.bytes_in,
            bytes_out = stats.bytes_out,
            buffered = stats.buffered,
            refused_at_limit = stats.refused_at_limit,
            refused_at_source_limit = stats.refused_at_source_limit,
            passed_for_memory = stats.passed_for_memory,
            passed_as_long = stats.passed_as_long,
            held_up = stats.held_up,
            accept_shortages = stats.accept_shortages,
            ended_done = stats.ended_by(Ending::Done),
            ended_reset = stats.ended_by(Ending::Reset),
            ended_lost = stats.ended_by(Ending::Lost),
            ended_idle = stats.ended_by(Ending::Idle),
            ended_slow = stats.ended_by(Ending::Slow),
            ended_long_line = stats.ended_by(Ending::LongLine),
            ended_memory = stats.ended_by(Ending::Memory),
            ended_drained = stats.ended_by(Ending::Drained),
            ended_cut_off = stats.ended_by(Ending::CutOff),
            ended_fault = stats.ended_by(Ending::Fault),
            log_dropped = self.log_dropped,
            "{message}"
        );
    }
}
