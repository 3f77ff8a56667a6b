//! Servers that are loaded, each for any number of connections, and the load.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use serde_json::Value;

use super::{Ended, echoline};

/// Serves every connection with `serve`, on a thread each, until the test ends; returns the port.
pub(crate) fn server(serve: impl Fn(TcpStream, usize) + Clone + Send + 'static) -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().enumerate() {
            let (serve, stream) = (serve.clone(), stream.unwrap());
            thread::spawn(move || serve(stream, number));
        }
    });
    port
}

/// A server that answers each line with what `answer` makes of it and of its number on the connection.
pub(crate) fn line_server(answer: impl Fn(usize, &[u8]) -> Vec<u8> + Clone + Send + 'static) -> String {
    server(move |stream, _| {
        let mut out = stream.try_clone().unwrap();
        let mut input = BufReader::new(stream);
        let mut line = Vec::new();
        for number in 0.. {
            line.clear();
            // The client may leave at any time.
            let Ok(1..) = input.read_until(b'\n', &mut line) else { return };
            if out.write_all(&answer(number, &line)).is_err() {
                return;
            }
        }
    })
}

/// Runs `bench` against that port; the report.
pub(crate) fn bench(port: &str, flags: &[&str]) -> (Ended, Value) {
    let ended = echoline(&[&["bench", "127.0.0.1", port, "--json"], flags].concat());
    let report = serde_json::from_slice(&ended.stdout).unwrap_or_else(|_| panic!("no document: {ended:?}"));
    (ended, report)
}
