//! The classic first client: asks for a host and a port, connects, then sends each message and shows the response.
//!
//! Run it beside an echo server: `cargo run -p echoline --example echo_client`. An empty message ends it.

use std::io::{self, Write};
use std::process::ExitCode;

use echoline::escape::escape;
use echoline::{Connection, Endpoint, Error, Host, Port, Socket};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let Some(host) = ask_until::<Host>("Host: ")? else { return Ok(()) };
    let Some(port) = ask_until::<Port>("Port: ")? else { return Ok(()) };
    let endpoint = Endpoint::new(host, port);
    let mut connection =
        Socket::new().connect(&endpoint).map_err(|error| format!("{error}\nTry this: {}", error.remedy()))?;
    println!("Connected to {endpoint}. An empty message ends.");
    converse(&mut connection)
}

/// Sends each message as a line, and shows the line that comes back.
fn converse(connection: &mut Connection) -> Result<(), Box<dyn std::error::Error>> {
    while let Some(message) = ask("Message: ")?.filter(|message| !message.is_empty()) {
        connection.send_line(&message)?;
        let Some(response) = connection.recv_line()? else {
            return Err("the other side has finished".into());
        };
        // What a peer sends may steer the terminal: never print it as it is.
        println!("Response: {}", escape(response.as_bytes()).with_plain_backslash());
    }
    Ok(())
}

/// Asks until the answer can be read as a `T`. `None` at the end of input.
fn ask_until<T: std::str::FromStr<Err = Error>>(prompt: &str) -> io::Result<Option<T>> {
    while let Some(answer) = ask(prompt)? {
        match answer.trim().parse() {
            Ok(value) => return Ok(Some(value)),
            Err(error) => println!("{error}"),
        }
    }
    Ok(None)
}

/// Asks once. `None` at the end of input.
fn ask(prompt: &str) -> io::Result<Option<String>> {
    print!("{prompt}");
    io::stdout().flush()?;
    let mut answer = String::new();
    let read = io::stdin().read_line(&mut answer)?;
    Ok((read > 0).then(|| answer.trim_end_matches(['\r', '\n']).to_owned()))
}
