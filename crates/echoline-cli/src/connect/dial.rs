//! The connection, and what there is to tell about how it came to be.

use super::args::Config;
use super::trace::{Call, Trace};
use crate::descriptors::{make_room_for, room_for};
use crate::failure::Stop;
use crate::shortage::no_server;
use crate::talk::Talk;
use crate::units::{few, human_time};
use echoline::attempt::{Attempt, Outcome};
use echoline::{ConnectEvent, Endpoint, Family};
use echoline_server::{Server, ServiceKind};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A connection, ready for a conversation.
pub(super) struct Dialled {
    pub(super) stream: Arc<TcpStream>,
    /// What was asked for, as a failure names it.
    pub(super) endpoint: Endpoint,
    pub(super) client: SocketAddr,
    pub(super) server: SocketAddr,
    pub(super) took: Duration,
    pub(super) attempts: Vec<Attempt>,
    /// Serves until it is dropped.
    pub(super) embedded: Option<Server>,
}

/// Connects to the target, or to a server that it starts in this process.
pub(super) fn dial(config: &Config, talk: Talk) -> Result<Dialled, Stop> {
    let (endpoint, embedded) = match &config.target {
        Some(endpoint) => (endpoint.clone(), None),
        None => {
            let (address, server) = start_server(config.family)?;
            talk.say("No host given: started an echo server in this process.");
            (Endpoint::from(address), Some(server))
        }
    };
    let begin = Instant::now();
    let trace = config.exchange.trace;
    let mut observe = |event: ConnectEvent<'_>| tell(event, &endpoint, talk, trace);
    let connection = config.socket.connect_with(&endpoint, &mut observe).map_err(Stop::from)?;
    let took = begin.elapsed();
    let (client, server) = (connection.local(), connection.peer());
    talk.say(format_args!("Connected {client} (client) -> {server} (server) in {}", human_time(took)));
    let attempts = connection.attempts().to_vec();
    // Nothing was received yet, so the second part is empty.
    let (stream, _) = connection.into_stream();
    Ok(Dialled { stream: Arc::new(stream), endpoint, client, server, took, attempts, embedded })
}

/// That a conversation takes beside its server: both ends of the connection, and two that wait for signals.
const FILES: usize = 4;

fn start_server(family: Family) -> Result<(SocketAddr, Server), Stop> {
    let failed = |error: &(dyn Error + 'static)| {
        no_server(error).next("echoline connect HOST connects to a server elsewhere")
    };
    let loopback: IpAddr = match family {
        Family::V6 => Ipv6Addr::LOCALHOST.into(),
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    // What is short all the same is seen once the server has taken what it needs.
    let _ = make_room_for(FILES);
    let listener = TcpListener::bind((loopback, 0)).map_err(|error| failed(&error))?;
    let address = listener.local_addr().map_err(|error| failed(&error))?;
    // One connection needs one worker; and it may think for as long as its user does.
    let config = echoline_server::Config {
        workers: NonZeroUsize::MIN,
        idle_timeout: None,
        ..echoline_server::Config::default()
    };
    let server = Server::builder(config)
        .listen(ServiceKind::Echo, listener)
        .start()
        .map_err(|error| failed(&error))?;
    room_for(FILES).map_err(|error| failed(&error))?;
    Ok((address, server))
}

fn tell(event: ConnectEvent<'_>, endpoint: &Endpoint, talk: Talk, trace: Trace) {
    match event {
        ConnectEvent::Resolved { addresses, took } if endpoint.host().ip().is_none() => {
            const SHOWN: usize = 8;
            let addresses: Vec<_> = addresses.iter().map(SocketAddr::ip).collect();
            talk.detail(format_args!(
                "{} is {} (found in {})",
                endpoint.host(),
                few(&addresses, SHOWN),
                human_time(took)
            ));
        }
        ConnectEvent::Started(to) => talk.detail(format_args!("Trying {to}")),
        ConnectEvent::Ended(attempt) => ended(attempt, talk, trace),
        _ => {}
    }
}

fn ended(attempt: &Attempt, talk: Talk, trace: Trace) {
    let Attempt { address: to, took, source, .. } = *attempt;
    match (attempt.outcome, source) {
        (Outcome::Connected, Some(from)) => trace.call(Call::Connected { to, from, took }),
        (Outcome::Connected, None) => {}
        (other, _) => {
            let outcome = outcome_text(other);
            talk.detail(format_args!("{to}: {outcome} after {}", human_time(took)));
            trace.call(Call::NotConnected { to, outcome, took });
        }
    }
}

pub(super) fn outcome_text(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Connected => "connected",
        Outcome::Failed { code, .. } => code.as_str(),
        _ => "abandoned",
    }
}
