//! Words of ours in a document.

use std::borrow::Cow;

/// A word of ours; of a document that was read, whatever stands there.
pub type Word = Cow<'static, str>;
