//! The connection to a server elsewhere, or to one in this process.

use super::args::Config;
use crate::descriptors::{make_room_for, room_for};
use crate::failure::{Failure, Stop};
use crate::shortage::no_server;
use crate::talk::Talk;
use echoline::{Connection, Endpoint, Family};
use echoline_server::connect_four::{ConnectFour, Effort, MAX_LINE};
use echoline_server::{Lines, Server};
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::num::NonZeroUsize;

/// The connection, and the server that serves until it is dropped, if it is ours.
pub(super) fn dial(config: &Config, talk: Talk) -> Result<(Connection, Option<Server>), Stop> {
    let (endpoint, embedded) = match &config.target {
        Some(endpoint) => (endpoint.clone(), None),
        None => {
            let (address, server) = start_server(config)?;
            talk.say("No host given: started a Connect Four server in this process.");
            (Endpoint::from(address), Some(server))
        }
    };
    let connection = config.socket.connect(&endpoint)?;
    connection.set_write_timeout(Some(config.wait))?;
    talk.say(format_args!("Connected {} (client) -> {} (server)", connection.local(), connection.peer()));
    Ok((connection, embedded))
}

/// That a conversation takes beside its server: both ends of the connection, and two that wait for signals.
const FILES: usize = 4;

fn start_server(config: &Config) -> Result<(SocketAddr, Server), Failure> {
    let failed = |error: &(dyn Error + 'static)| {
        no_server(error).next("echoline play HOST plays against a server elsewhere")
    };
    let loopback: IpAddr = match config.family {
        Family::V6 => Ipv6Addr::LOCALHOST.into(),
        _ => Ipv4Addr::LOCALHOST.into(),
    };
    // What is short all the same is seen once the server has taken what it needs.
    let _ = make_room_for(FILES);
    let listener = TcpListener::bind((loopback, 0)).map_err(|error| failed(&error))?;
    let address = listener.local_addr().map_err(|error| failed(&error))?;
    // One connection needs one worker; and it may think for as long as its user does.
    let limits = echoline_server::Config {
        workers: NonZeroUsize::MIN,
        idle_timeout: None,
        ..echoline_server::Config::default()
    };
    let seed = config.seed.unwrap_or_else(|| fastrand::u64(..));
    let server = Server::builder(limits)
        .listen_service(
            "connect-four",
            move |_| Lines::new(MAX_LINE, ConnectFour::new(Effort::DEFAULT, seed)),
            listener,
        )
        .start()
        .map_err(|error| failed(&error))?;
    room_for(FILES).map_err(|error| failed(&error))?;
    Ok((address, server))
}
