//! Sentences that remember what they are made of, so that a rendering can escape a peer's words and
//! hide names and addresses without searching finished text.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use crate::escape::escape;

/// A sentence as its parts, in order.
///
/// Build it from a literal, or with [`text!`](crate::text) from a literal and values:
///
/// ```
/// use echoline_diagnosis::{Text, text};
///
/// let ip: std::net::IpAddr = "192.0.2.7".parse()?;
/// let sentence = text!("the host {} refused port {}", ip, 5151_u16);
/// assert_eq!(sentence.to_string(), "the host 192.0.2.7 refused port 5151");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
///
/// `Display` escapes whatever does not come from this program: nothing in it steers a terminal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Text {
    parts: Vec<Part>,
}

/// One part of a [`Text`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Words and numbers of this program.
    Plain(Cow<'static, str>),
    /// An IP address.
    Address(IpAddr),
    /// An IP address with its port, and its zone if it has one.
    Socket(SocketAddr),
    /// A host as it was written: a name, or an address that could be read or not.
    Host(String),
    /// Words of somebody else: a peer, another program, the operating system. They can contain
    /// names and addresses.
    Foreign(String),
}

/// Words that this program made at run time, such as a time with its unit.
pub fn plain(words: impl Into<String>) -> Text {
    Text::from(Part::Plain(Cow::Owned(words.into())))
}

/// A host as it was written or resolved.
#[expect(clippy::needless_pass_by_value, reason = "called with &str, names and endpoints alike")]
pub fn host(host: impl ToString) -> Text {
    Text::from(Part::Host(host.to_string()))
}

/// Words of somebody else.
#[expect(clippy::needless_pass_by_value, reason = "called with &str and errors alike")]
pub fn foreign(words: impl ToString) -> Text {
    Text::from(Part::Foreign(words.to_string()))
}

/// Makes a [`Text`] from a literal and one value for each `{}` in it.
///
/// A value is a literal, a number, an address, another `Text`, or one of
/// [`plain`](crate::plain), [`host`](crate::host) and [`foreign`](crate::foreign).
#[macro_export]
macro_rules! text {
    ($template:literal $(, $value:expr)* $(,)?) => {
        $crate::Text::fill($template, [$($crate::Text::from($value)),*])
    };
}

impl Text {
    /// The parts, in order.
    pub fn parts(&self) -> &[Part] {
        &self.parts
    }

    /// True if there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.to_string().is_empty()
    }

    /// Adds `more` at the end.
    pub fn push(&mut self, more: impl Into<Self>) {
        self.parts.extend(more.into().parts);
    }

    /// This text with `more` at its end.
    #[must_use]
    pub fn and(mut self, more: impl Into<Self>) -> Self {
        self.push(more);
        self
    }

    /// `texts` with `separator` between them.
    pub fn join(texts: impl IntoIterator<Item = Self>, separator: &'static str) -> Self {
        let mut joined = Self::default();
        for (number, text) in texts.into_iter().enumerate() {
            if number > 0 {
                joined.push(separator);
            }
            joined.push(text);
        }
        joined
    }

    /// The same text with each part replaced by what `change` makes of it.
    #[must_use]
    pub fn map(&self, change: impl FnMut(&Part) -> Part) -> Self {
        Self { parts: self.parts.iter().map(change).collect() }
    }

    /// `template` with the values in place of its `{}`: what [`text!`](crate::text) calls.
    ///
    /// # Panics
    ///
    /// If there are not as many values as places.
    #[doc(hidden)]
    pub fn fill(template: &'static str, values: impl IntoIterator<Item = Self>) -> Self {
        let mut filled = Self::default();
        let mut values = values.into_iter();
        for (number, words) in template.split("{}").enumerate() {
            if number > 0 {
                filled.push(values.next().expect("a value for each {} of the template"));
            }
            if !words.is_empty() {
                filled.push(words);
            }
        }
        assert!(values.next().is_none(), "a {{}} for each value of the template");
        filled
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| part.fmt(f))
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(words) => f.write_str(words),
            Self::Address(ip) => ip.fmt(f),
            Self::Socket(address) => address.fmt(f),
            Self::Host(words) | Self::Foreign(words) => {
                escape(words.as_bytes()).with_plain_backslash().fmt(f)
            }
        }
    }
}

impl From<Part> for Text {
    fn from(part: Part) -> Self {
        Self { parts: vec![part] }
    }
}

impl From<&'static str> for Text {
    fn from(words: &'static str) -> Self {
        Part::Plain(Cow::Borrowed(words)).into()
    }
}

/// Words of ours that need not be known when it is compiled.
impl From<Cow<'static, str>> for Text {
    fn from(words: Cow<'static, str>) -> Self {
        Part::Plain(words).into()
    }
}

/// A string made at run time may contain anything: it counts as foreign. See [`plain`].
impl From<String> for Text {
    fn from(words: String) -> Self {
        Part::Foreign(words).into()
    }
}

impl From<&Text> for Text {
    fn from(text: &Text) -> Self {
        text.clone()
    }
}

/// Nothing, or the text.
impl From<Option<Text>> for Text {
    fn from(text: Option<Text>) -> Self {
        text.unwrap_or_default()
    }
}

impl From<IpAddr> for Text {
    fn from(ip: IpAddr) -> Self {
        Part::Address(ip).into()
    }
}

impl From<SocketAddr> for Text {
    fn from(address: SocketAddr) -> Self {
        Part::Socket(address).into()
    }
}

impl From<&IpAddr> for Text {
    fn from(ip: &IpAddr) -> Self {
        Part::Address(*ip).into()
    }
}

impl From<SocketAddrV6> for Text {
    fn from(address: SocketAddrV6) -> Self {
        Part::Socket(address.into()).into()
    }
}

macro_rules! from_numbers {
    ($($number:ty),*) => {
        $(impl From<$number> for Text {
            fn from(number: $number) -> Self {
                plain(number.to_string())
            }
        })*
    };
}

from_numbers!(u8, u16, u32, u64, usize, i32);

#[cfg(feature = "serde")]
impl serde::Serialize for Text {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What was written is read as foreign words: its parts are not in the document.
#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_keeps_what_its_values_are() {
        let address: SocketAddr = "[2001:db8::1]:80".parse().unwrap();
        let sentence = text!("{} is {}; {}", host("exist"), address, plain("0.05 ms"));
        assert_eq!(sentence.to_string(), "exist is [2001:db8::1]:80; 0.05 ms");
        let hidden = sentence.map(|part| match part {
            Part::Host(_) => Part::Plain("name-1".into()),
            other => other.clone(),
        });
        assert_eq!(hidden.to_string(), "name-1 is [2001:db8::1]:80; 0.05 ms");
    }

    #[test]
    fn what_others_say_is_escaped_and_a_template_is_not() {
        let said = text!("it said {}", foreign("a\u{1b}[2J\n\\n"));
        assert_eq!(said.to_string(), "it said a\\x1b[2J\\n\\n");
        assert_eq!(text!("no value").to_string(), "no value");
        assert_eq!(text!("{}{}", 1_u8, "a").to_string(), "1a");
    }

    #[test]
    #[should_panic(expected = "a value for each {}")]
    fn a_template_without_a_value_for_each_place_is_a_mistake_of_ours() {
        let _ = Text::fill("{} and {}", [Text::from("one")]);
    }
}
