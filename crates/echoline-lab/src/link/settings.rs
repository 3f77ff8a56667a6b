//! What a link does to the frames of one way, as a value that reads and writes like `tc netem`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use echoline_diagnosis::units::Rate;

use super::setting::{Chance, Setting, SettingError, Value};

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
            merged.apply(&word.parse()?);
        }
        Ok(merged)
    }

    /// Changes what one word names.
    pub fn apply(&mut self, setting: &Setting) {
        match setting.0.clone() {
            Value::Clean => *self = Self::default(),
            Value::Loss(chance) => self.loss = chance,
            Value::Duplicate(chance) => self.duplicate = chance,
            Value::Reorder(chance) => self.reorder = chance,
            Value::Corrupt(chance) => self.corrupt = chance,
            Value::Delay(time) => self.delay = time,
            Value::Jitter(time) => self.jitter = time,
            Value::Hold(time) => self.hold = time,
            Value::Rate(bits) => self.rate = bits,
            Value::Queue(frames) => self.queue = frames,
            Value::LoseText(text) => self.lose_text = text.map(String::into_bytes),
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::setting::MAX_QUEUE;
    use super::*;

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
