//! What the other side said, as part of a sentence.

use echoline_diagnosis::{Text, text};

use crate::evidence::Conversation;
use crate::words::quoted;

pub(super) const WHOSE_RESET: &str = "A reset does not prove who sent it.";

/// The protocol that it speaks, where that is known.
pub(super) fn speaks(conversation: &Conversation) -> Option<Text> {
    conversation.recognised.as_ref().map(|name| text!(" It speaks {}.", name.clone()))
}

/// What it said, unless that is too long for a sentence: then it stands with the step.
pub(super) fn said(escaped: Option<&str>) -> Option<Text> {
    const MAX_SHOWN: usize = 60;
    let short = escaped.filter(|text| text.len() <= MAX_SHOWN);
    short.map(|text| text!(" It sent: {}.", quoted(text)))
}
