//! What a link does to the frames of one way, as a value that reads and writes like `tc netem`.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

pub use echoline_diagnosis::units::Chance;
use echoline_diagnosis::units::{Rate, Span};

/// The longest delay, jitter or hold that a link accepts.
pub const MAX_DELAY: Duration = Duration::from_secs(60);
/// The most frames that may wait for a slow wire.
pub const MAX_QUEUE: usize = 100_000;
/// The most bytes of `lose_text`.
pub const MAX_PATTERN: usize = 256;

/// What one way of a link does to its frames. The default is a clean wire.
///
/// It reads what people know from `tc netem`, one `key=value` a word:
///
/// ```
/// use echoline_lab::link::LinkSettings;
/// let way: LinkSettings = "loss=5% delay=10ms".parse()?;
/// let way = way.merge("loss=0% rate=1mbit")?; // the delay stays
/// assert_eq!(way.to_string(), "delay=10ms rate=1mbit");
/// # Ok::<(), echoline_lab::link::SettingError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkSettings {
    /// How long each frame takes.
    pub delay: Duration,
    /// Each frame takes up to this much more or less than `delay`; the order stays.
    pub jitter: Duration,
    /// Frames that vanish.
    pub loss: Chance,
    /// Frames that arrive twice.
    pub duplicate: Chance,
    /// Frames that wait `hold` longer, so that those behind them overtake.
    pub reorder: Chance,
    /// Frames in which one bit behind the Ethernet header is flipped.
    pub corrupt: Chance,
    /// How much longer a frame picked by `reorder` waits.
    pub hold: Duration,
    /// Bits a second; `None` is as fast as the machine.
    pub rate: Option<u64>,
    /// How many frames may wait for a wire with a `rate`; those above are dropped.
    pub queue: usize,
    /// Every frame that contains these bytes vanishes, each time it is sent: a message that never arrives.
    pub lose_text: Option<Vec<u8>>,
}

impl Default for LinkSettings {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            jitter: Duration::ZERO,
            loss: Chance::NEVER,
            duplicate: Chance::NEVER,
            reorder: Chance::NEVER,
            corrupt: Chance::NEVER,
            hold: Duration::from_millis(2),
            rate: None,
            queue: 1000,
            lose_text: None,
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

impl LinkSettings {
    /// True where frames pass at once and unchanged.
    pub fn is_clean(&self) -> bool {
        let relevant = Self { hold: Self::default().hold, queue: Self::default().queue, ..self.clone() };
        relevant == Self::default()
    }

    /// These settings with what the words name changed; the word `none` first forgets all of them.
    ///
    /// # Errors
    ///
    /// The first word that is no setting, or whose value is none of it.
    pub fn merge(&self, words: &str) -> Result<Self, SettingError> {
        let mut merged = self.clone();
        for word in words.split_whitespace() {
            if word == "none" {
                merged = Self::default();
                continue;
            }
            let (key, value) = word.split_once('=').ok_or_else(|| SettingError::NoValue(word.into()))?;
            merged.set(key, value)?;
        }
        Ok(merged)
    }

    /// Changes one setting, named as in [`LinkSettings::merge`].
    ///
    /// # Errors
    ///
    /// There is no such setting, or it cannot have this value.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SettingError> {
        match key {
            "loss" => self.loss = chance("loss", value)?,
            "duplicate" => self.duplicate = chance("duplicate", value)?,
            "reorder" => self.reorder = chance("reorder", value)?,
            "corrupt" => self.corrupt = chance("corrupt", value)?,
            "delay" => self.delay = duration("delay", value)?,
            "jitter" => self.jitter = duration("jitter", value)?,
            "hold" => self.hold = duration("hold", value)?,
            "rate" => self.rate = rate(value)?,
            "queue" => self.queue = queue(value)?,
            "lose_text" => self.lose_text = pattern(value)?,
            _ => return Err(SettingError::UnknownKey(key.into())),
        }
        Ok(())
    }
}

impl FromStr for LinkSettings {
    type Err = SettingError;

    fn from_str(words: &str) -> Result<Self, SettingError> {
        Self::default().merge(words)
    }
}

/// The settings that differ from a clean wire, or `none`. It parses back to the same value unless
/// `lose_text` holds what is no single word of UTF-8, which is shown escaped.
impl fmt::Display for LinkSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clear = Self::default();
        let mut words = Vec::new();
        let chances = [
            ("loss", self.loss),
            ("duplicate", self.duplicate),
            ("reorder", self.reorder),
            ("corrupt", self.corrupt),
        ];
        words.extend(chances.iter().filter(|(_, c)| *c != Chance::NEVER).map(|(k, c)| format!("{k}={c}")));
        let durations = [
            ("delay", self.delay, clear.delay),
            ("jitter", self.jitter, clear.jitter),
            ("hold", self.hold, clear.hold),
        ];
        words.extend(
            durations.iter().filter(|(_, is, was)| is != was).map(|(k, is, _)| format!("{k}={is:?}")),
        );
        words.extend(self.rate.map(|bits| format!("rate={}", Rate(bits))));
        if self.queue != clear.queue {
            words.push(format!("queue={}", self.queue));
        }
        if let Some(bytes) = &self.lose_text {
            words.push(format!("lose_text={}", bytes.escape_ascii()));
        }
        if words.is_empty() {
            words.push("none".into());
        }
        f.write_str(&words.join(" "))
    }
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

fn pattern(value: &str) -> Result<Option<Vec<u8>>, SettingError> {
    match value {
        "" => Ok(None),
        text if text.len() <= MAX_PATTERN => Ok(Some(text.as_bytes().to_vec())),
        _ => Err(bad("lose_text", value, "it takes at most 256 bytes; nothing switches it off")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_wrong_setting_is_named() {
        for (words, says) in [
            ("loss", "'loss' is not a link setting"),
            ("los=5%", "a link has no setting 'los'"),
            ("delay=1s loss=5", "loss cannot be '5'"),
            ("loss=101%", "from 0% to 100%"),
            ("loss=%", "loss cannot be '%'"),
            ("delay=-1s", "delay cannot be '-1s'"),
            ("delay=61s", "up to 60s"),
            ("delay=5", "delay cannot be '5'"),
            ("rate=0mbit", "rate cannot be"),
            ("queue=0", "from 1 to 100000"),
            ("loss=\u{1b}[2J", "loss cannot be '\\u{1b}[2J'"),
        ] {
            let error = words.parse::<LinkSettings>().expect_err(words).to_string();
            assert!(error.contains(says), "{words}: {error}");
        }
    }

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
    fn none_forgets_what_was_set_before_it() {
        let way: LinkSettings = "loss=5% rate=10mbit queue=7".parse().expect("valid");
        assert_eq!(way.merge("none delay=1ms").expect("valid").to_string(), "delay=1ms");
        assert_eq!(way.merge("none").expect("valid").to_string(), "none");
        assert!("".parse::<LinkSettings>().expect("valid").is_clean());
        assert!(!way.is_clean());
    }

    proptest! {
        #[test]
        fn what_display_writes_parses_back(
            chances in proptest::array::uniform4(0u32..=1_000_000), delay in 0u64..=60_000_000_000, jitter in 0u64..1_000_000,
            hold in 0u64..1_000_000_000, rate in proptest::option::of(1_000u64..=100_000_000_000), queue in 1usize..=MAX_QUEUE,
            text in proptest::option::of("[a-z0-9=%]{1,20}"),
        ) {
            let [loss, duplicate, reorder, corrupt] = chances.map(Chance::per_million);
            let way = LinkSettings {
                loss, duplicate, reorder, corrupt, rate, queue,
                delay: Duration::from_nanos(delay),
                jitter: Duration::from_nanos(jitter),
                hold: Duration::from_nanos(hold),
                lose_text: text.map(String::into_bytes),
            };
            prop_assert_eq!(way.to_string().parse::<LinkSettings>(), Ok(way));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in ".{0,60}") {
            let _ = text.parse::<LinkSettings>();
        }
    }
}
