//! Codes that a newer version wrote into a document.

#[cfg(feature = "serde")]
use std::sync::{Mutex, PoisonError};

/// What is said of such a code.
pub(crate) const PAGE: &str = include_str!("newer.txt");

/// So many are kept, of so many bytes at most: a document can hold anything.
#[cfg(feature = "serde")]
const MOST: usize = 256;
#[cfg(feature = "serde")]
const LONGEST: usize = 64;

/// They are kept for good, since a code is a word of the program everywhere else.
#[cfg(feature = "serde")]
static KNOWN: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());

/// `text` for good, if it looks like a code.
#[cfg(feature = "serde")]
pub(crate) fn kept(text: &str) -> Option<&'static str> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if text.is_empty() || text.len() > LONGEST || !text.bytes().all(fits) {
        return None;
    }
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(same) = known.iter().find(|same| **same == text) {
        return Some(same);
    }
    if known.len() >= MOST {
        return None;
    }
    let kept: &'static str = Box::leak(text.to_owned().into_boxed_str());
    known.push(kept);
    Some(kept)
}

#[cfg(all(test, feature = "serde"))]
mod tests {
    use super::*;

    #[test]
    fn the_same_word_is_kept_once() {
        let first = kept("kept-once").unwrap();
        assert!(std::ptr::eq(first, kept("kept-once").unwrap()));
    }

    #[test]
    fn what_looks_like_no_code_is_none() {
        for text in ["", "Refused", "a b", "\u{1b}[2J", &"x".repeat(65)] {
            assert_eq!(kept(text), None);
        }
    }
}
