//! The connection, and what there is to tell about how it came to be.

use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use echoline::attempt::{Attempt, Outcome};
use echoline::{ConnectEvent, Endpoint};
use echoline_diagnosis::units::{few, human_time};
use echoline_server::{Server, ServiceKind};

use super::config::Config;
use super::trace::{Call, Trace};
use crate::destination::here;
use crate::failure::Stop;
use crate::talk::Talk;

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
            let (address, server) =
                here(config.family, |server, listener| server.listen(ServiceKind::Echo, listener)).map_err(
                    |failure| failure.next("echoline connect HOST connects to a server elsewhere"),
                )?;
            talk.say("No host given: started an echo server in this process.");
            (Endpoint::from(address), Some(server))
        }
    };
    let begin = Instant::now();
    let trace = config.options.trace;
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
