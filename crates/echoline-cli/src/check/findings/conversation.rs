//! What was said on the connection that stood.

use super::{Scheme, Word, mark};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// What happened on the connection that stood.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::check) struct Conversation {
    #[serde(serialize_with = "mark::address")]
    pub(in crate::check) with: SocketAddr,
    /// What the other side said before it was asked, escaped; cut after 200 bytes.
    #[serde(serialize_with = "mark::foreign")]
    pub(in crate::check) greeting: Option<String>,
    pub(in crate::check) recognised: Option<Word>,
    /// Of `--expect connect`: how the connection ended while nothing was sent.
    pub(in crate::check) broke: Option<Broke>,
    /// Of `--expect echo`, in this order, up to the first that did not come back identical.
    pub(in crate::check) exchanges: Vec<Exchange>,
    pub(in crate::check) took_us: u64,
}

impl Conversation {
    /// Of `--expect connect`: did the other side do what was expected of it?
    pub(in crate::check) fn fits(&self, scheme: Option<Scheme>) -> bool {
        match (scheme, &self.greeting) {
            (Some(Scheme::Http), _) => self.recognised.as_deref() == Some("HTTP"),
            // Of TLS, it is the client that begins (RFC 8446 section 2).
            (Some(Scheme::Https), Some(_)) => self.recognised.as_deref() == Some("TLS"),
            (_, None) => self.broke.is_none(),
            (None, Some(_)) => true,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::check) enum Broke {
    Closed,
    Reset,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::check) struct Exchange {
    pub(in crate::check) what: What,
    pub(in crate::check) sent_bytes: usize,
    pub(in crate::check) got_bytes: usize,
    /// In how many pieces the answer came.
    pub(in crate::check) reads: u32,
    pub(in crate::check) result: Answer,
    /// Of line endings that came back changed: how, where it has a name.
    pub(in crate::check) line_ends: Option<LineEnds>,
    /// What came back instead, escaped; cut after 200 bytes.
    #[serde(serialize_with = "mark::foreign")]
    pub(in crate::check) got: Option<String>,
    pub(in crate::check) took_us: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::check) enum What {
    Line,
    LongLine,
    BinaryLine,
    /// A CR alone, and CR LF at the end.
    CrLf,
    /// One line, sent in two pieces.
    Pieces,
    /// Two lines, sent at once.
    Pair,
    /// An unfinished line, then the end of our output: it must come back, then their end.
    HalfClose,
}

impl Exchange {
    /// All of it came back, whatever came of it then.
    pub(in crate::check) fn is_whole(&self) -> bool {
        self.got_bytes >= self.sent_bytes
    }

    /// The other side left the end of the conversation to itself: lines come back all the same.
    pub(in crate::check) fn is_only_the_end(&self) -> bool {
        let unechoed = matches!(self.result, Answer::Silent { .. } | Answer::Closed | Answer::Reset);
        self.what == What::HalfClose && unechoed
    }
}

impl What {
    pub(in crate::check) fn words(self) -> &'static str {
        match self {
            Self::Line => "a line",
            Self::LongLine => "a long line",
            Self::BinaryLine => "a line of all byte values",
            Self::CrLf => "a line that ends with CR LF",
            Self::Pieces => "a line in two pieces",
            Self::Pair => "two lines at once",
            Self::HalfClose => "an unfinished line at the end",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::check) enum Answer {
    Identical,
    /// The same but for CR before LF, or LF itself.
    LineEndings,
    /// Recognisably what was sent, with this first byte changed.
    Altered {
        at: usize,
    },
    /// All of what was sent, and so many bytes more; `at` is where the answer first differs.
    Added {
        at: usize,
        bytes: usize,
    },
    /// Something else altogether.
    Different,
    /// Nothing in time; whether the other side acknowledged (TCP) what was sent.
    Silent {
        acknowledged: Option<bool>,
    },
    Closed,
    Reset,
}

/// A conversion of line endings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::check) enum LineEnds {
    LfToCrLf,
    CrLfToLf,
    CrToLf,
    CrLost,
}

impl LineEnds {
    /// What a line came back with.
    pub(in crate::check) fn words(ends: Option<Self>) -> &'static str {
        match ends {
            Some(Self::LfToCrLf) => "CR LF in place of LF",
            Some(Self::CrLfToLf) => "LF in place of CR LF",
            Some(Self::CrToLf) => "LF in place of CR",
            Some(Self::CrLost) => "no CR",
            None => "other ends of line",
        }
    }
}

/// Round trips of short lines, and the kernel's own view of the connection.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::check) struct Timing {
    pub(in crate::check) round_trips: usize,
    pub(in crate::check) min_us: Option<u64>,
    pub(in crate::check) p50_us: Option<u64>,
    pub(in crate::check) p99_us: Option<u64>,
    /// The mean difference between one round trip and the next.
    pub(in crate::check) jitter_us: Option<u64>,
    /// The kernel's smoothed round-trip time (RFC 6298).
    pub(in crate::check) kernel_rtt_us: u64,
    pub(in crate::check) segments_sent_again: u32,
    pub(in crate::check) took_us: u64,
}
