//! What `connect` will do: the flags, and what they mean together.

use std::num::NonZeroUsize;
use std::time::Duration;

use echoline::{Endpoint, Family, Port, Socket};
use echoline_diagnosis::Diagnosis;

use super::args::Args;
use super::conversation::Options;
use super::trace::Trace;
use crate::destination::elsewhere;
use crate::talk::Talk;

/// What to connect to and how.
pub(super) struct Config {
    /// `None`: a server of our own.
    pub(super) target: Option<Endpoint>,
    pub(super) family: Family,
    pub(super) socket: Socket,
    pub(super) options: Options,
}

impl Config {
    pub(super) fn resolve(args: &Args, talk: Talk) -> Result<Self, Diagnosis> {
        let target = elsewhere(args.host.as_deref(), args.port.as_deref(), Port::DEFAULT)?;
        let family = args.families.family();
        let mut socket = Socket::new().family(family).connect_timeout(args.connect_timeout.0);
        if let Some(source) = args.source {
            socket = socket.source(source);
        }
        let window = usize::try_from(args.window.0).unwrap_or(usize::MAX);
        let options = Options {
            verify: !args.no_verify,
            crlf: args.crlf,
            wait: args.wait.0.max(Duration::from_millis(1)),
            window: NonZeroUsize::new(window).unwrap_or(NonZeroUsize::MIN),
            trace: Trace::new(args.trace, talk),
        };
        Ok(Self { target, family, socket, options })
    }
}
