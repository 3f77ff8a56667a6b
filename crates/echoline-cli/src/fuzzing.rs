//! For the fuzz targets alone: what is private and reads bytes of others. No part of the interface.

use crate::units::{Size, Span};

pub use crate::bench::fuzzing::faults as bench;
pub use crate::connect::fuzzing::differences as connect;

/// What people write behind `serve` and its flags. A size or a time writes what reads back to it.
pub fn argument(text: &str) {
    let _ = crate::serve::is_target(text);
    if let Ok(size) = text.parse::<Size>() {
        assert_eq!(size.to_string().parse(), Ok(size));
    }
    if let Ok(span) = text.parse::<Span>() {
        assert_eq!(span.to_string().parse(), Ok(span));
    }
}
