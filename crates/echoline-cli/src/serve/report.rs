//! What a server did, as a value with two renderings.

use crate::units::{count, human_size, human_time};
use echoline_server::{Ending, Stats};
use std::time::Duration;

/// The end of a run of `serve`.
#[derive(Debug, Clone)]
pub(super) struct Summary {
    pub(super) ran: Duration,
    pub(super) stats: Stats,
    /// Log records that were dropped because standard error was too slow.
    pub(super) log_dropped: u64,
}

impl Summary {
    /// One line, and one more for each thing that was not as it should be.
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
        let notes =
            Ending::ALL.into_iter().filter_map(|ending| Some((stats.ended_by(ending), meaning(ending)?)));
        let limits = [
            (stats.refused_at_limit, "refused: the maximum of connections was open (--max-connections)"),
            (stats.accept_shortages, "pauses in accepting: descriptors or memory were short (ulimit -n)"),
            (self.log_dropped, "log records dropped: standard error was too slow"),
        ];
        for (number, meaning) in notes.chain(limits).filter(|(number, _)| *number > 0) {
            text.push_str(&format!("\n  {number} {meaning}"));
        }
        text
    }

    /// The last record of a log in JSON.
    pub(super) fn log(&self) {
        let stats = &self.stats;
        tracing::info!(
            ran_s = self.ran.as_secs_f64(),
            accepted = stats.accepted,
            lines = stats.lines,
            bytes_in = stats.bytes_in,
            bytes_out = stats.bytes_out,
            refused_at_limit = stats.refused_at_limit,
            accept_shortages = stats.accept_shortages,
            ended_reset = stats.ended_by(Ending::Reset),
            ended_idle = stats.ended_by(Ending::Idle),
            ended_long_line = stats.ended_by(Ending::LongLine),
            ended_drained = stats.ended_by(Ending::Drained),
            ended_cut_off = stats.ended_by(Ending::CutOff),
            log_dropped = self.log_dropped,
            "served"
        );
    }
}

/// What to say of connections that ended so; nothing of those that came to their end.
fn meaning(ending: Ending) -> Option<&'static str> {
    match ending {
        Ending::Done => None,
        Ending::Reset => Some("reset by the client"),
        Ending::Idle => Some("closed: nothing moved for the idle timeout (--idle-timeout)"),
        Ending::LongLine => Some("closed: a line was longer than --max-line"),
        Ending::Drained => Some("finished by the server when the drain's time was over (--drain)"),
        Ending::CutOff => Some("cut off: the client did not take its last bytes in time"),
        _ => Some("ended otherwise"),
    }
}
