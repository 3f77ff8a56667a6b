//! What is asked of every server.

use clap::ValueEnum;

/// One shape of load. Sizes count the LF.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Workload {
    /// 64 connections, lines of 64 bytes, one in flight each
    Ping,
    /// 2,000 connections, lines of 64 bytes, one in flight each
    Many,
    /// 50 connections, lines of 64 bytes, 16 in flight each
    Pipe,
    /// 4 connections, lines of 1 MiB, one in flight each
    Bulk1m,
    /// 4 connections, lines of 60 KiB, one in flight each
    Bulk60k,
    /// 16 connections at a time: connect, one line of 64 bytes, close
    Churn,
    /// 10,000 connections that say nothing (Go 5,000, a process each 500): what each costs in memory
    Idle,
}

/// The numbers behind a load of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) connections: usize,
    pub(crate) size: usize,
    pub(crate) depth: usize,
    pub(crate) churn: bool,
}

impl Workload {
    pub(crate) const QUICK: &[Self] = &[Self::Ping, Self::Many, Self::Pipe];

    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    pub(crate) fn sentence(self) -> String {
        let help = self.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }

    /// `None` for the workload that sends no line.
    pub(crate) fn shape(self) -> Option<Shape> {
        let (connections, size, depth, churn) = match self {
            Self::Ping => (64, 64, 1, false),
            Self::Many => (2_000, 64, 1, false),
            Self::Pipe => (50, 64, 16, false),
            Self::Bulk1m => (4, 1 << 20, 1, false),
            Self::Bulk60k => (4, 60 << 10, 1, false),
            Self::Churn => (16, 64, 1, true),
            Self::Idle => return None,
        };
        Some(Shape { connections, size, depth, churn })
    }
}
