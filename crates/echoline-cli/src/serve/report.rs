//! What a server did, as a value with two renderings.

use echoline_diagnosis::units::{count, human_size, human_time};
use echoline_server::{Ending, Stats};
use std::time::Duration;

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
    /// One line, and one more for each limit that acted and for whatever was not as it should be.
    pub(super) fn text(&self) -> String {
        let stats = &self.stats;
        let mut text = format!(
            "Served {} in {}: {}, {} in, {} out.",
            count(stats.accepted, "connection"),
            human_time(self.ran),
            count(stats.lines, "line"),
            human_size(stats.bytes_in),
            human_size(stats.bytes_out),
        );
        if stats.open > 0 {
            text.push_str(&format!(" {} open.", count(stats.open, "connection")));
        }
        let notes =
            Ending::ALL.into_iter().filter_map(|ending| Some((stats.ended_by(ending), meaning(ending)?)));
        let limits = [
            (
                stats.refused_at_limit,
                if self.once {
                    "refused: one connection alone is served (--once)"
                } else {
                    "refused: the maximum of connections was open (--max-connections)"
                },
            ),
            (
                stats.refused_at_source_limit,
                "refused: their source had its share of connections open (--max-connections-per-source)",
            ),
            (stats.passed_for_memory, "unfinished lines passed on: memory was used up (--max-buffered)"),
            (stats.passed_as_long, "long lines passed on as they came (--max-line)"),
            (
                stats.held_up,
                "times that nothing was read from a client before it had read (--max-pending-output)",
            ),
            (stats.accept_shortages, "failed accepts: descriptors or memory were short (ulimit -n)"),
            (self.log_dropped, "log records dropped: standard error was too slow"),
        ];
        for (number, meaning) in notes.chain(limits).filter(|(number, _)| *number > 0) {
            text.push_str(&format!("\n  {number} {meaning}"));
        }
        text
    }

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

/// What to say of connections that ended so; nothing of those that came to their end.
fn meaning(ending: Ending) -> Option<&'static str> {
    match ending {
        Ending::Done => None,
        Ending::Reset => Some("reset by the client"),
        Ending::Lost => Some("lost: the client's side answered no more (--keepalive, --user-timeout)"),
        Ending::Slow => Some("closed: too slow in the middle of a line, or in reading (--min-progress)"),
        Ending::Memory => Some("closed: they held the most when memory was used up (--max-buffered)"),
        Ending::Idle => Some("closed: nothing moved for the idle timeout (--idle-timeout)"),
        Ending::LongLine => Some("closed: a line was longer than --max-line"),
        Ending::Drained => Some("finished by the server when the drain's time was over (--drain)"),
        Ending::CutOff => Some("cut off: the client did not take its last bytes in time"),
        Ending::Fault => Some("ended by a fault of the server"),
        _ => Some("ended otherwise"),
    }
}
