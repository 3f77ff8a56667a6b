//! What is shown while a run goes on: a bar, a line a second, or JSON a line.

use std::io::IsTerminal;
use std::time::Duration;

use echoline_diagnosis::units::{count, grouped};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::config::{Config, Format, LONGEST, Voice};
use super::figures::short;
use super::load::Load;
use super::master::{Observer, Second};
use super::report::Row;
use crate::failure::Stop;
use crate::output::Output;
use crate::talk::Talk;

pub(super) struct Show {
    each_second: bool,
    talk: Talk,
    bar: ProgressBar,
    stream: Option<Output>,
    warm_up: Duration,
    lines: u64,
    by_lines: bool,
}

impl Show {
    pub(super) fn new(config: &Config) -> Result<Self, Stop> {
        let bar = config.voice == Voice::Progress && std::io::stderr().is_terminal();
        let target = if bar { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        Ok(Self {
            each_second: config.voice == Voice::EachSecond,
            talk: Talk::default(),
            bar: ProgressBar::with_draw_target(None, target),
            stream: (config.format == Format::JsonStream).then(Output::new).transpose()?,
            warm_up: config.shape.warm_up,
            lines: 0,
            by_lines: false,
        })
    }

    /// Takes the bar away, so that the report stands alone.
    pub(super) fn end(&self) {
        self.bar.finish_and_clear();
    }
}

/// One second of a stream: a document that says what it is.
#[derive(Serialize)]
struct Streamed<'a> {
    second: &'a Row,
}

impl Observer for Show {
    fn started(&mut self, load: &Load) {
        self.warm_up = load.shape.warm_up;
        self.lines = 0;
        self.by_lines = load.shape.duration >= LONGEST;
        let whole = load.shape.warm_up + load.shape.duration;
        let length = load.shape.lines.filter(|_| self.by_lines).unwrap_or_else(|| millis(whole));
        self.bar.set_length(length);
        self.bar.set_position(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}") {
            self.bar.set_style(style.progress_chars("##-"));
        }
        self.bar.set_message(if load.shape.warm_up.is_zero() { "" } else { "warming up" });
    }

    fn second(&mut self, second: &Second) -> Result<(), Stop> {
        let row = Row::new(second);
        self.lines += row.lines;
        let times = match (row.p50_us, row.p99_us, row.max_us) {
            (Some(p50), Some(p99), Some(max)) => {
                format!("p50 {} us, p99 {} us, max {} us", short(p50), short(p99), short(max))
            }
            _ => "nothing came back".to_owned(),
        };
        let errors = if row.errors > 0 { format!(", {}", count(row.errors, "error")) } else { String::new() };
        let line = format!("{:>9} lines, {times}{errors}", grouped(row.lines));
        if self.each_second {
            self.talk.say(format_args!("{:>4} s {line}", row.second));
        }
        self.bar.set_message(line);
        if let Some(out) = &mut self.stream {
            out.json_line(&Streamed { second: &row })?;
        }
        Ok(())
    }

    fn turn(&mut self, elapsed: Duration) {
        self.bar.set_position(if self.by_lines { self.lines } else { millis(elapsed) });
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
