//! What the sentences of verdicts and steps have in common.

use std::time::Duration;

use echoline_diagnosis::units::human_time;
use echoline_diagnosis::{Part, Text, foreign, plain};

/// What somebody else said, in quotation marks; those inside are escaped, as the rest is already.
pub(super) fn quoted(escaped: &str) -> Text {
    foreign(format!("\"{}\"", escaped.replace('"', "\\\"")))
}

/// A time of evidence for a person.
pub(super) fn time(us: u64) -> Text {
    plain(human_time(Duration::from_micros(us)))
}

/// A time that may be very short.
pub(super) fn short_time(us: u64) -> Text {
    if us < 10 { plain(format!("{us} us")) } else { time(us) }
}

/// A time that may be long: in minutes from two on.
pub(super) fn long_time(us: u64) -> Text {
    let long = Duration::from_micros(us);
    if long < Duration::from_secs(120) {
        return time(us);
    }
    plain(format!("{:.1} min", long.as_secs_f64() / 60.0))
}

/// A list that others decide the length of: its beginning, and how many more there are.
pub(super) fn few<T: Clone + Into<Text>>(items: &[T], shown: usize) -> Text {
    let list = Text::join(items.iter().take(shown).cloned().map(Into::into), ", ");
    match items.len().saturating_sub(shown) {
        0 => list,
        more => list.and(plain(format!(" and {more} more"))),
    }
}

/// A message as a sentence: with a capital letter, and a full stop.
///
/// What was typed stays as it is: only a plain word of ours begins with a capital.
pub(super) fn sentence(message: &Text) -> Text {
    let mut is_first = true;
    let capital = message.map(|part| match part {
        Part::Plain(words) if std::mem::take(&mut is_first) => Part::Plain(capitalised(words).into()),
        other => {
            is_first = false;
            other.clone()
        }
    });
    if message.to_string().ends_with('.') { capital } else { capital.and(".") }
}

/// With a capital, if it begins with a whole word in lower case.
fn capitalised(words: &str) -> String {
    let word = words.split(' ').next().unwrap_or_default();
    if word.is_empty() || !word.bytes().all(|letter| letter.is_ascii_lowercase()) {
        return words.to_owned();
    }
    let (first, rest) = words.split_at(1);
    first.to_ascii_uppercase() + rest
}

#[cfg(test)]
mod tests {
    use echoline_diagnosis::{host, text};

    use super::*;

    #[test]
    fn a_quotation_escapes_the_marks_inside() {
        assert_eq!(quoted(r#"say "a b" \n"#).to_string(), r#""say \"a b\" \n""#);
    }

    #[test]
    fn a_sentence_begins_with_a_capital_unless_that_changes_what_somebody_typed() {
        let of = |message: Text| sentence(&message).to_string();
        assert_eq!(of(text!("port {} is no port", 0_u8)), "Port 0 is no port.");
        assert_eq!(of(text!("{} is no address", host("nope"))), "nope is no address.");
        assert_eq!(of(text!("{} {}", foreign("words"), "of others.")), "words of others.");
        assert_eq!(of(text!("echoline's port")), "echoline's port.");
        assert_eq!(of(Text::default()), ".");
    }

    #[test]
    fn a_long_list_is_named_by_its_beginning() {
        let items = ["a", "b", "c"];
        let named: Vec<_> = (1..=3).map(|many| few(&items[..many], 2).to_string()).collect();
        assert_eq!(named, ["a", "a, b", "a, b and 1 more"]);
    }
}
