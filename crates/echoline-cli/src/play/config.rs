//! What `play` will do: the flags, and what they mean together.

use std::time::Duration;

use echoline::{Endpoint, Family, Port, Socket};
use echoline_diagnosis::Diagnosis;
use echoline_server::connect_four::{PORT, Size};

use super::args::Args;
use crate::destination::elsewhere;

/// Whom to play against and how.
pub(super) struct Config {
    /// `None`: a server of our own.
    pub(super) target: Option<Endpoint>,
    pub(super) socket: Socket,
    pub(super) family: Family,
    pub(super) size: Size,
    pub(super) name: String,
    pub(super) seed: Option<u64>,
    pub(super) wait: Duration,
}

impl Config {
    pub(super) fn resolve(args: &Args) -> Result<Self, Diagnosis> {
        let target = elsewhere(args.host.as_deref(), args.port.as_deref(), Port::from(PORT))?;
        let family = args.families.family();
        let socket = Socket::new().family(family).connect_timeout(args.connect_timeout.0);
        let (size, name, seed, wait) = (args.size, args.name.clone(), args.seed, args.wait.0);
        Ok(Self { target, socket, family, size, name, seed, wait })
    }
}
