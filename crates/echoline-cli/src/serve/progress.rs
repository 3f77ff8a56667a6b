//! `--min-progress` as people write it: `1KiB/1m`, or `0` for none.

use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use echoline_diagnosis::units::{Size, Span, UnitError};
use echoline_server::MinProgress;

/// So many bytes in so much time; `None` is as slowly as the client likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Progress(pub(super) Option<MinProgress>);

impl FromStr for Progress {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        if text == "0" {
            return Ok(Self(None));
        }
        let shape =
            || UnitError::new("progress looks like 1KiB/1m: so many bytes in so much time; 0 asks for none");
        let (bytes, interval) = text.split_once('/').ok_or_else(shape)?;
        let (bytes, interval) = (bytes.parse::<Size>()?.0, interval.parse::<Span>()?.0);
        match NonZeroU64::new(bytes) {
            Some(bytes) if !interval.is_zero() => Ok(Self(Some(MinProgress { bytes, interval }))),
            _ => Err(shape()),
        }
    }
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("0"),
            Some(MinProgress { bytes, interval }) => write!(f, "{}/{}", Size(bytes.get()), Span(interval)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_is_what_is_parsed() {
        for text in ["1KiB/1m", "1B/500ms", "0"] {
            assert_eq!(text.parse::<Progress>().unwrap().to_string(), text);
        }
        assert_eq!(Progress(Some(MinProgress::default())).to_string(), "1KiB/1m");
    }

    #[test]
    fn half_of_it_is_refused_with_an_example() {
        for text in ["", "1KiB", "1KiB/", "/1m", "0/1m", "1KiB/0", "1KiB/60", "1KiB/1m/2"] {
            let error = text.parse::<Progress>().unwrap_err().to_string();
            assert!(error.contains("like") || error.contains("unit"), "{text}: {error}");
        }
    }
}
