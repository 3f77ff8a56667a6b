//! Sizes, times, rates, shares and numbers as people write them: `64KiB`, `500ms`, `10mbit`, `5%`,
//! `16`. What these types print they also parse, to the same value. All arithmetic is exact, in
//! whole numbers.

mod bounds;
mod chance;
mod decimal;
mod parse;
mod show;

use std::fmt;
use std::time::Duration;

pub use bounds::{SOME, number, patience, room};
pub use chance::Chance;
pub use show::{count, few, grouped, human_size, human_time};

/// A number of bytes: `512`, `512B`, `64KiB`, `1MiB`, `2GiB`; `64K` means `64KiB` and `64kB` is
/// 64,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// A time: `250us`, `500ms`, `10s`, `1.5s`, `5m`, `2h`. A bare number is refused: its unit would be
/// a guess. Only zero needs none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// Bits a second, as `tc` writes them: `9600bit`, `64kbit`, `10mbit`, `1gbit`. Their steps are
/// thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate(pub u64);

/// Why a text is no size, time, rate or share; says what would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitError(String);

impl std::error::Error for UnitError {}

impl UnitError {
    /// An error of another parser, in the same form: says what the text should look like.
    pub fn new(what_it_looks_like: &str) -> Self {
        Self(what_it_looks_like.to_owned())
    }
}

impl fmt::Display for UnitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A unit's name, and how many of the smallest unit it has.
type Unit = (&'static str, u64);
