//! The example does what it says.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};

#[path = "../examples/line_server.rs"]
#[expect(dead_code, unreachable_pub, reason = "its main is for who runs it")]
mod line_server;

#[test]
fn the_line_server_answers_every_line_in_capitals() {
    let server = line_server::serve(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let mut client = TcpStream::connect(server.endpoints()[0].address).unwrap();
    client.write_all(b"hel").unwrap();
    client.write_all(b"lo\r\n\nand \xff bytes\nno end").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"HELLO\r\n\nAND \xff BYTES\nNO END");
}

#[test]
fn a_line_longer_than_the_limit_ends_the_conversation() {
    let server = line_server::serve(TcpListener::bind("127.0.0.1:0").unwrap()).unwrap();
    let mut client = TcpStream::connect(server.endpoints()[0].address).unwrap();
    client.write_all(b"short\n").unwrap();
    client.write_all(&vec![b'x'; 70_000]).unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).unwrap();
    assert_eq!(answer, b"SHORT\n");
}
