//! What each code means, in plain words.

use crate::code::Code;

/// The text for one code.
#[derive(Debug)]
#[non_exhaustive]
pub struct Page {
    /// What to do, one step a line, the first one first.
    pub next: &'static [&'static str],
}

/// The page of a code.
pub fn explain(_code: Code) -> &'static Page {
    &Page { next: &["look at what the operating system said"] }
}
