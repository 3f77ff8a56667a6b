//! One setting of a link, as one word reads and writes it.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use echoline_diagnosis::units::{Rate, Span};

pub use echoline_diagnosis::units::Chance;

/// The longest delay, jitter or hold that a link accepts.
pub const MAX_DELAY: Duration = Duration::from_secs(60);
/// The most frames that may wait for a slow wire.
pub const MAX_QUEUE: usize = 100_000;
/// The most bytes of `lose_text`.
pub const MAX_PATTERN: usize = 256;

/// One setting with its value, as `loss=5%`, or `none`, which forgets all others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting(pub(super) Value);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Clean,
    Loss(Chance),
    Duplicate(Chance),
    Reorder(Chance),
    Corrupt(Chance),
    Delay(Duration),
    Jitter(Duration),
    Hold(Duration),
    Rate(Option<u64>),
    Queue(usize),
    /// One word.
    LoseText(Option<String>),
}

impl FromStr for Setting {
    type Err = SettingError;

    fn from_str(word: &str) -> Result<Self, SettingError> {
        if word == "none" {
            return Ok(Self(Value::Clean));
        }
        let (key, value) = word.split_once('=').ok_or_else(|| SettingError::NoValue(word.into()))?;
        Ok(Self(match key {
            "loss" => Value::Loss(chance("loss", value)?),
            "duplicate" => Value::Duplicate(chance("duplicate", value)?),
            "reorder" => Value::Reorder(chance("reorder", value)?),
            "corrupt" => Value::Corrupt(chance("corrupt", value)?),
            "delay" => Value::Delay(duration("delay", value)?),
            "jitter" => Value::Jitter(duration("jitter", value)?),
            "hold" => Value::Hold(duration("hold", value)?),
            "rate" => Value::Rate(rate(value)?),
            "queue" => Value::Queue(queue(value)?),
            "lose_text" => Value::LoseText(pattern(value)?),
            _ => return Err(SettingError::UnknownKey(key.into())),
        }))
    }
}

/// The word that reads back as the same setting.
impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Value::Clean => f.write_str("none"),
            Value::Loss(chance) => write!(f, "loss={chance}"),
            Value::Duplicate(chance) => write!(f, "duplicate={chance}"),
            Value::Reorder(chance) => write!(f, "reorder={chance}"),
            Value::Corrupt(chance) => write!(f, "corrupt={chance}"),
            Value::Delay(time) => write!(f, "delay={time:?}"),
            Value::Jitter(time) => write!(f, "jitter={time:?}"),
            Value::Hold(time) => write!(f, "hold={time:?}"),
            Value::Rate(Some(bits)) => write!(f, "rate={}", Rate(*bits)),
            Value::Rate(None) => f.write_str("rate=off"),
            Value::Queue(frames) => write!(f, "queue={frames}"),
            Value::LoseText(text) => write!(f, "lose_text={}", text.as_deref().unwrap_or_default()),
        }
    }
}

/// A setting that a link does not have, or a value that it cannot take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingError {
    /// The text is no `key=value`.
    #[error("'{}' is not a link setting; write key=value, for example loss=5% (or none)", .0.escape_debug())]
    NoValue(String),
    /// No setting has this name.
    #[error(
        "a link has no setting '{}'; it has loss, duplicate, reorder, corrupt, delay, jitter, hold, rate, queue and lose_text",
        .0.escape_debug()
    )]
    UnknownKey(String),
    /// The value does not fit the setting.
    #[error("{key} cannot be '{}'; {wants}", .value.escape_debug())]
    BadValue {
        /// The setting.
        key: &'static str,
        /// What was given.
        value: String,
        /// What it takes.
        wants: &'static str,
    },
}

fn bad(key: &'static str, value: &str, wants: &'static str) -> SettingError {
    SettingError::BadValue { key, value: value.into(), wants }
}

fn chance(key: &'static str, value: &str) -> Result<Chance, SettingError> {
    let wants = "it takes a share of the frames from 0% to 100%, for example 5%";
    value.parse().map_err(|_| bad(key, value, wants))
}

fn duration(key: &'static str, value: &str) -> Result<Duration, SettingError> {
    let wants = "it takes a time up to 60s, for example 20ms, 1.5s or 250us";
    delay(value).ok_or_else(|| bad(key, value, wants))
}

/// A time of at most [`MAX_DELAY`], to the nearest nanosecond.
pub(crate) fn delay(text: &str) -> Option<Duration> {
    Span::nearest(text).ok().map(|Span(time)| time).filter(|time| *time <= MAX_DELAY)
}

fn rate(value: &str) -> Result<Option<u64>, SettingError> {
    const BOUNDS: RangeInclusive<u64> = 1_000..=100_000_000_000;
    if value == "off" {
        return Ok(None);
    }
    match value.parse() {
        Ok(Rate(bits)) if BOUNDS.contains(&bits) => Ok(Some(bits)),
        _ => Err(bad(
            "rate",
            value,
            "it takes bits a second from 1kbit to 100gbit, for example 10mbit, or off",
        )),
    }
}

fn queue(value: &str) -> Result<usize, SettingError> {
    match value.parse() {
        Ok(frames) if (1..=MAX_QUEUE).contains(&frames) => Ok(frames),
        _ => Err(bad("queue", value, "it takes how many frames may wait, from 1 to 100000")),
    }
}

fn pattern(value: &str) -> Result<Option<String>, SettingError> {
    match value {
        "" => Ok(None),
        text if text.len() <= MAX_PATTERN => Ok(Some(text.to_owned())),
        _ => Err(bad("lose_text", value, "it takes at most 256 bytes; nothing switches it off")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_time_has_every_unit_that_the_program_reads_and_is_one_word_of_a_minute_at_most() {
        let read = |text| delay(text).map(|time| time.as_nanos());
        assert_eq!(
            [read("1m"), read("60s"), read(".5us")],
            [Some(60_000_000_000), Some(60_000_000_000), Some(500)]
        );
        assert_eq!(read("0.0000000015s"), Some(2), "to the nearest nanosecond");
        for text in ["60.1s", "2m", "1s loss=5%", "none", "5", ""] {
            assert_eq!(read(text), None, "{text}");
        }
    }

    #[test]
    fn a_setting_writes_the_word_that_it_reads() {
        for word in [
            "none",
            "loss=5%",
            "delay=1.5ms",
            "hold=0ns",
            "rate=10mbit",
            "rate=off",
            "queue=7",
            "lose_text=first",
            "lose_text=",
        ] {
            let setting: Setting = word.parse().expect(word);
            assert_eq!(setting.to_string(), word);
        }
    }

    proptest! {
        #[test]
        fn whatever_word_is_a_setting_reads_back(key in "[a-z_]{4,9}", value in "[^\\s]{0,8}") {
            for key in [key.as_str(), "loss", "delay", "rate", "queue", "lose_text"] {
                let Ok(setting) = format!("{key}={value}").parse::<Setting>() else { continue };
                prop_assert_eq!(setting.to_string().parse(), Ok(setting));
            }
        }
    }
}
