//! What to look at.

use std::net::IpAddr;
use std::time::Duration;

use echoline::{Endpoint, Family, Port};
use echoline_diagnosis::Diagnosis;

use crate::evidence::{Expect, Scheme};
use crate::place::Place;

/// How long finding the name and connecting may take together, unless something else is said.
const TIMEOUT: Duration = Duration::from_secs(5);

/// What to look at.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Options {
    /// Why can this host not be reached?
    Host(HostOptions),
    /// Can others reach this port of this machine?
    Listen(ListenOptions),
}

/// Of a host.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HostOptions {
    /// Where to. An error is reported as what cannot be read.
    pub endpoint: Result<Endpoint, Diagnosis>,
    /// The host as it was written.
    pub asked: String,
    /// What the other side should do. By default, an echo on port 5151, and a connection elsewhere.
    pub expect: Expect,
    /// Of a URL that promises a protocol.
    pub scheme: Option<Scheme>,
    /// Which addresses of a name are tried.
    pub family: Family,
    /// How long finding the name and connecting may take together; then again for each answer.
    pub timeout: Duration,
    /// The local address to connect from.
    pub source: Option<IpAddr>,
    /// Connect to other ports of the host where that would tell more.
    pub controls: bool,
    /// Ask the routers on the way, also when all is well.
    pub hops: bool,
    /// Ask the service `whoami` of the same server, on this port, what it sees of this machine.
    pub whoami: Option<u16>,
    /// On how many connections to ask `whoami` which instance answers.
    pub backends: Option<usize>,
    /// If all is well, hold connections silent for so long at most, and see when and how they end.
    pub idle: Option<Duration>,
}

/// Of a port of this machine.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ListenOptions {
    /// As it was written.
    pub asked: String,
    /// Where it should be reached. An error is reported as what cannot be read.
    pub place: Result<Place, Diagnosis>,
    /// Which addresses of this machine.
    pub family: Family,
    /// How long a connection to this machine itself may take.
    pub timeout: Duration,
}

impl Options {
    /// Asks why `endpoint` cannot be reached.
    pub fn host(endpoint: Endpoint) -> Self {
        Self::Host(HostOptions::new(endpoint))
    }

    /// Asks whether others can reach `port` of this machine.
    pub fn listen(port: Port) -> Self {
        Self::Listen(ListenOptions::new(format!(":{port}"), Ok(Place::Everywhere(port))))
    }
}

impl HostOptions {
    /// With 5 seconds, all addresses, and no more than what tells the cause.
    pub fn new(endpoint: Endpoint) -> Self {
        let expect = if endpoint.port() == Port::DEFAULT { Expect::Echo } else { Expect::Connect };
        Self { expect, ..Self::written(endpoint.host().to_string(), Ok(endpoint)) }
    }

    /// Of an endpoint as it was `written`, which could not be read because of `error`: the report
    /// will say so.
    pub fn unreadable(written: impl Into<String>, error: Diagnosis) -> Self {
        Self::written(written.into(), Err(error))
    }

    fn written(asked: String, endpoint: Result<Endpoint, Diagnosis>) -> Self {
        Self {
            endpoint,
            asked,
            expect: Expect::Connect,
            scheme: None,
            family: Family::Any,
            timeout: TIMEOUT,
            source: None,
            controls: true,
            hops: false,
            whoami: None,
            backends: None,
            idle: None,
        }
    }
}

impl ListenOptions {
    /// Of a place as it was `written`, with 5 seconds and both families.
    pub fn new(written: impl Into<String>, place: Result<Place, Diagnosis>) -> Self {
        Self { asked: written.into(), place, family: Family::Any, timeout: TIMEOUT }
    }
}
