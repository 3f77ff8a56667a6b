//! What was said on the connection that stood.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::mark;
use super::target::Scheme;
use super::word::Word;

/// What happened on the connection that stood.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Conversation {
    /// The address of the other side.
    #[serde(serialize_with = "mark::address")]
    pub with: SocketAddr,
    /// What the other side said before it was asked, escaped; cut after 200 bytes.
    #[serde(serialize_with = "mark::foreign")]
    pub greeting: Option<String>,
    /// The protocol that it speaks, where its first bytes leave little doubt.
    pub recognised: Option<Word>,
    /// Of `--expect connect`: how the connection ended while nothing was sent.
    pub broke: Option<Broke>,
    /// Of `--expect echo`, in this order, up to the first that did not come back identical.
    pub exchanges: Vec<Exchange>,
    /// How long it took, without the round trips.
    pub took_us: u64,
}

impl Conversation {
    /// Of `--expect connect`: did the other side do what was expected of it?
    pub fn fits(&self, scheme: Option<Scheme>) -> bool {
        match (scheme, &self.greeting) {
            (Some(Scheme::Http), _) => self.recognised.as_deref() == Some("HTTP"),
            // Of TLS, it is the client that begins (RFC 8446 section 2).
            (Some(Scheme::Https), Some(_)) => self.recognised.as_deref() == Some("TLS"),
            (_, None) => self.broke.is_none(),
            (None, Some(_)) => true,
        }
    }
}

/// How the other side ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Broke {
    /// In order (FIN).
    Closed,
    /// By a reset (RST).
    Reset,
}

/// One thing that was sent, and what came back.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Exchange {
    /// What was sent.
    pub what: What,
    /// How many bytes that is.
    pub sent_bytes: usize,
    /// How many bytes came back.
    pub got_bytes: usize,
    /// In how many pieces the answer came.
    pub reads: u32,
    /// What came back.
    pub result: Answer,
    /// Of line endings that came back changed: how, where it has a name.
    pub line_ends: Option<LineEnds>,
    /// What came back instead, escaped; cut after 200 bytes.
    #[serde(serialize_with = "mark::foreign")]
    pub got: Option<String>,
    /// How long it took.
    pub took_us: u64,
}

/// What is sent to an echo service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// A short line.
    Line,
    /// A line longer than a packet.
    LongLine,
    /// A line of every byte value but LF.
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
    pub fn is_whole(&self) -> bool {
        self.got_bytes >= self.sent_bytes
    }

    /// The other side left the end of the conversation to itself: lines come back all the same.
    pub fn is_only_the_end(&self) -> bool {
        let unechoed = matches!(self.result, Answer::Silent { .. } | Answer::Closed | Answer::Reset);
        self.what == What::HalfClose && unechoed
    }
}

impl What {
    /// In words: `a long line`.
    pub fn words(self) -> &'static str {
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

/// What came back of what was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// All of it, unchanged.
    Identical,
    /// The same but for CR before LF, or LF itself.
    LineEndings,
    /// Recognisably what was sent, with this first byte changed.
    Altered {
        /// The first byte that differs, from 0 on.
        at: usize,
    },
    /// All of what was sent, and so many bytes more; `at` is where the answer first differs.
    Added {
        /// Where the answer first differs, from 0 on.
        at: usize,
        /// How many bytes nobody sent.
        bytes: usize,
    },
    /// Something else altogether.
    Different,
    /// Nothing in time; whether the other side acknowledged (TCP) what was sent.
    Silent {
        /// The other machine acknowledged what was sent (TCP); `None`: not known.
        acknowledged: Option<bool>,
    },
    /// The other side finished (FIN) before it had all come back.
    Closed,
    /// A reset came (RST).
    Reset,
}

/// A conversion of line endings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum LineEnds {
    /// LF became CR LF.
    LfToCrLf,
    /// CR LF became LF.
    CrLfToLf,
    /// CR became LF.
    CrToLf,
    /// CR was lost.
    CrLost,
}

impl LineEnds {
    /// What a line came back with.
    pub fn words(ends: Option<Self>) -> &'static str {
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
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timing {
    /// How many.
    pub round_trips: usize,
    /// The shortest.
    pub min_us: Option<u64>,
    /// The median.
    pub p50_us: Option<u64>,
    /// The 99th percentile.
    pub p99_us: Option<u64>,
    /// The mean difference between one round trip and the next.
    pub jitter_us: Option<u64>,
    /// The kernel's smoothed round-trip time (RFC 6298).
    pub kernel_rtt_us: u64,
    /// Segments that were sent again.
    pub segments_sent_again: u32,
    /// How long all of them took.
    pub took_us: u64,
}
