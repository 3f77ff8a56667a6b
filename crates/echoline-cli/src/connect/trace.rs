//! `--trace`: the calls on the socket, as a learner would write them down.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use echoline_diagnosis::units::{count, human_time};

use crate::talk::Talk;

/// A call on the socket, with its result where there is one.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call<'a> {
    Connected { to: SocketAddr, from: SocketAddr, took: Duration },
    NotConnected { to: SocketAddr, outcome: &'a str, took: Duration },
    Send(usize),
    Received { max: usize, bytes: usize },
    TimedOut { max: usize },
    Broken { max: usize, error: &'a std::io::Error },
    Finish,
    Close,
}

impl fmt::Display for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = |number: usize| count(number as u64, "byte");
        match *self {
            Self::Connected { to, from, took } => {
                write!(f, "connect({to}) -> connected, from {from}, in {}", human_time(took))
            }
            Self::NotConnected { to, outcome, took } => {
                write!(f, "connect({to}) -> {outcome} after {}", human_time(took))
            }
            Self::Send(number) => write!(f, "send {}", bytes(number)),
            Self::Received { max, bytes: 0 } => write!(f, "recv({max}) -> 0: the other side has finished"),
            Self::Received { max, bytes: number } => write!(f, "recv({max}) -> {}", bytes(number)),
            Self::TimedOut { max } => write!(f, "recv({max}) -> nothing in time"),
            Self::Broken { max, error } => write!(f, "recv({max}) -> {error}"),
            Self::Finish => f.write_str("shutdown(write): our side has finished"),
            Self::Close => f.write_str("close"),
        }
    }
}

/// Writes calls to standard error, or does nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trace(Option<Talk>);

impl Trace {
    /// What a learner's program would ask for.
    const RECV_MAX: usize = 4096;

    pub(super) fn new(on: bool, talk: Talk) -> Self {
        Self(on.then_some(talk))
    }

    pub(super) fn call(self, call: Call<'_>) {
        if let Some(talk) = self.0 {
            talk.say(call);
        }
    }

    /// The call as a line, for who cannot write to standard error now.
    pub(super) fn text(self, call: Call<'_>) -> Vec<String> {
        self.0.map(|_| format!("{call}\n")).into_iter().collect()
    }

    pub(super) fn is_on(self) -> bool {
        self.0.is_some()
    }

    /// How many bytes to ask for at once: `usual`, or few enough to watch.
    pub(super) fn recv_max(self, usual: usize) -> usize {
        if self.is_on() { Self::RECV_MAX } else { usual }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_read_as_a_learner_writes_them() {
        let shown = |call: Call<'_>| call.to_string();
        assert_eq!(shown(Call::Send(6)), "send 6 bytes");
        assert_eq!(shown(Call::Received { max: 4096, bytes: 6 }), "recv(4096) -> 6 bytes");
        assert_eq!(shown(Call::Received { max: 4096, bytes: 1 }), "recv(4096) -> 1 byte");
        assert_eq!(
            shown(Call::Received { max: 4096, bytes: 0 }),
            "recv(4096) -> 0: the other side has finished"
        );
    }
}
