//! Somebody's own line service: answers every line in capitals.
//!
//! ```console
//! $ cargo run -q -p echoline-server --example line_server -- 127.0.0.1:5200
//! shout=127.0.0.1:5200
//! $ printf 'hello\nthere\n' | nc -N 127.0.0.1 5200
//! HELLO
//! THERE
//! ```

use std::error::Error;
use std::net::TcpListener;

use echoline_server::{Config, LineService, Lines, Out, Server, ServerError};

struct Shout;

impl LineService for Shout {
    fn on_line(&mut self, line: &[u8], out: &mut Out<'_>) {
        out.write(&line.to_ascii_uppercase());
    }
}

/// The framing, the limits, slow clients and the end of a conversation are the server's business.
pub fn serve(listener: TcpListener) -> Result<Server, ServerError> {
    let config = Config::default();
    let max_line = config.max_line;
    Server::builder(config).listen_service("shout", move |_| Lines::new(max_line, Shout), listener).start()
}

fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let server =
        serve(TcpListener::bind(&address).map_err(|error| format!("cannot listen on {address}: {error}"))?)?;
    println!("shout={}", server.endpoints()[0].address);
    server.wait()?;
    Ok(())
}
