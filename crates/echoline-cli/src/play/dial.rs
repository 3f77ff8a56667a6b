//! The connection to a server elsewhere, or to one in this process.

use echoline::{Connection, Endpoint};
use echoline_server::connect_four::{ConnectFour, Effort, MAX_LINE};
use echoline_server::{Lines, Peer, Server};

use super::config::Config;
use crate::destination::here;
use crate::failure::Stop;
use crate::talk::Talk;

/// The connection, and the server that serves until it is dropped, if it is ours.
pub(super) fn dial(config: &Config, talk: Talk) -> Result<(Connection, Option<Server>), Stop> {
    let (endpoint, embedded) = match &config.target {
        Some(endpoint) => (endpoint.clone(), None),
        None => {
            let seed = config.seed.unwrap_or_else(|| fastrand::u64(..));
            let game = move |_: &Peer| Lines::new(MAX_LINE, ConnectFour::new(Effort::DEFAULT, seed));
            let (address, server) =
                here(config.family, |server, listener| server.listen_service("connect-four", game, listener))
                    .map_err(|failure| failure.next("echoline play HOST plays against a server elsewhere"))?;
            talk.say("No host given: started a Connect Four server in this process.");
            (Endpoint::from(address), Some(server))
        }
    };
    let connection = config.socket.connect(&endpoint)?;
    connection.set_write_timeout(Some(config.wait))?;
    talk.say(format_args!("Connected {} (client) -> {} (server)", connection.local(), connection.peer()));
    Ok((connection, embedded))
}
