//! What systems, languages and programs call the things that have a code here: `ECONNREFUSED`,
//! `ConnectionRefusedError`, `curl: (7)`, "connection refused".
//!
//! [`find`] reads a name, or a whole line that somebody copied from a terminal or a log. One name
//! may stand for several codes, since most interfaces say less than happened: `ETIMEDOUT` comes from
//! connect and from an open connection. Then all of them are given, the likeliest first.

mod errno;
mod languages;
mod lookup;
mod number;
mod programs;

use std::cmp::Reverse;

use crate::code::{self, Code};

/// How many words of a text are looked at.
const MAX_WORDS: usize = 4096;

/// A name and what it stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alias {
    /// The name as its owner writes it, such as `ECONNREFUSED` or `Connection refused`. Three dots
    /// stand for any words between.
    pub name: String,
    /// Whose name it is, as the rest of a sentence: `an exception of Python`.
    pub what: String,
    /// The codes that it can mean, the likeliest first. Empty if the name is well known and has
    /// nothing to do with the network.
    pub codes: Vec<Code>,
}

impl Alias {
    fn new(name: impl Into<String>, what: impl Into<String>, codes: &[Code]) -> Self {
        Self { name: name.into(), what: what.into(), codes: codes.to_vec() }
    }
}

/// Names of one kind with their codes, as the tables have them.
struct Group {
    what: &'static str,
    names: &'static [(&'static str, &'static [Code])],
}

/// Every name that [`find`] knows, without the bare numbers of errors.
pub fn all() -> impl Iterator<Item = Alias> {
    let grouped = languages::GROUPS
        .iter()
        .chain(programs::GROUPS)
        .flat_map(|group| group.names.iter().map(|&(name, codes)| Alias::new(name, group.what, codes)));
    let errnos = errno::ERRNOS.iter().flat_map(errno::Errno::names);
    errnos.chain(lookup::LOOKUPS.iter().flat_map(lookup::Lookup::names)).chain(grouped)
}

/// The most specific name in `text`: one that stands for fewest codes, then the longest, then the
/// last, since the cause of an error stands behind it. A name inside a longer one does not count.
/// Case, quotes, brackets and other punctuation do not matter.
///
/// Words such as `listen` or `read` beside the name order its codes.
///
/// ```
/// use echoline_diagnosis::{alias, code};
///
/// let found = alias::find("OSError: [Errno 98] Address already in use").unwrap();
/// assert_eq!(found.name, "Address already in use");
/// assert_eq!(found.codes[0], code::ADDRESS_IN_USE);
/// ```
pub fn find(text: &str) -> Option<Alias> {
    let words = words(text);
    let named = all().filter_map(|alias| Some((place(&words, &alias.name)?, alias)));
    let found: Vec<_> = named.chain(number::find(&words)).collect();
    let outermost = |(place, _): &&(Place, Alias)| !found.iter().any(|(other, _)| other.covers(place));
    let (_, best) = found
        .iter()
        .filter(outermost)
        .min_by_key(|(place, alias)| (alias.codes.len(), Reverse(place.words), Reverse(place.from)))?;
    let mut best = best.clone();
    if let Some(stage) = stage_of_words(&words) {
        best.codes.sort_by_key(|&code| stage_of_code(code) != Some(stage));
    }
    Some(best)
}

/// Where a name stands in a text, counted in words.
struct Place {
    from: usize,
    to: usize,
    /// How many words the name has itself, between its first and its last.
    words: usize,
}

impl Place {
    /// Whether `other` is a part of this name.
    fn covers(&self, other: &Self) -> bool {
        let has_no_gap = self.words == self.to - self.from;
        has_no_gap && self.words > other.words && self.from <= other.from && other.to <= self.to
    }
}

/// The words of a text in lower case. Underscores belong to a word, apostrophes vanish, a minus
/// before a number stays.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut rest = text.chars().peekable();
    while let Some(char) = rest.next() {
        let is_minus = char == '-' && word.is_empty() && rest.peek().is_some_and(char::is_ascii_digit);
        if char.is_alphanumeric() || char == '_' || is_minus {
            word.extend(char.to_lowercase());
        } else if !matches!(char, '\'' | '\u{2019}') && !word.is_empty() {
            words.push(std::mem::take(&mut word));
            if words.len() == MAX_WORDS {
                return words;
            }
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// Where `name` stands last in the text; its parts between `...` follow each other.
fn place(text: &[String], name: &str) -> Option<Place> {
    let mut place = Place { from: text.len(), to: 0, words: 0 };
    for part in name.rsplit("...").map(words) {
        let last = place.from.checked_sub(part.len())?;
        place.from = (0..=last).rev().find(|&at| text[at..].starts_with(&part))?;
        place.to = place.to.max(place.from + part.len());
        place.words += part.len();
    }
    Some(place)
}

/// What a program was doing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Connect,
    Listen,
    Talk,
}

/// The last word that says what the program was doing: `connect ETIMEDOUT`, `bind: ...`.
fn stage_of_words(words: &[String]) -> Option<Stage> {
    words.iter().rev().find_map(|word| match word.as_str() {
        "connect" | "connecting" | "connectex" | "dial" => Some(Stage::Connect),
        "bind" | "binding" | "listen" | "listening" => Some(Stage::Listen),
        "read" | "reading" | "recv" | "wsarecv" | "receive" | "receiving" | "write" | "writing" | "send"
        | "wsasend" | "sending" => Some(Stage::Talk),
        _ => None,
    })
}

/// When a failure with this code arises, as far as that tells the codes of one name apart.
fn stage_of_code(code: Code) -> Option<Stage> {
    match code {
        code::REFUSED | code::NO_ANSWER | code::NO_ROUTE | code::HOST_UNREACHABLE | code::NO_LOCAL_PORT => {
            Some(Stage::Connect)
        }
        code::ADDRESS_IN_USE | code::ADDRESS_NOT_AVAILABLE => Some(Stage::Listen),
        code::RESET | code::TIMED_OUT | code::CLOSED_EARLY => Some(Stage::Talk),
        _ => None,
    }
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
