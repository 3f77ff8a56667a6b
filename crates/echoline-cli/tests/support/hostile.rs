//! Servers that answer as they should not, each for one connection, on a loopback port that the system picks.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::time::Duration;

use socket2::SockRef;

pub(crate) struct Server {
    address: SocketAddr,
}

impl Server {
    fn new(serve: impl FnOnce(TcpStream) + Send + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        // It ends with its one connection, at the latest when the client is gone.
        std::thread::spawn(move || serve(listener.accept().unwrap().0));
        Self { address }
    }

    /// Reads all, says what `answer` makes of it, and finishes.
    pub(crate) fn answering(answer: impl FnOnce(String) -> String + Send + 'static) -> Self {
        Self::new(move |mut stream| {
            let mut text = String::new();
            stream.read_to_string(&mut text).unwrap();
            // The client may leave at the first difference.
            let _ = stream.write_all(answer(text).as_bytes());
        })
    }

    /// Answers each piece that it reads with what `answer` makes of it.
    pub(crate) fn replying(mut answer: impl FnMut(String) -> String + Send + 'static) -> Self {
        Self::new(move |mut stream| {
            let mut piece = [0; 4096];
            while let Ok(length @ 1..) = stream.read(&mut piece) {
                let text = String::from_utf8(piece[..length].to_vec()).unwrap();
                if stream.write_all(answer(text).as_bytes()).is_err() {
                    return;
                }
            }
        })
    }

    /// Says this before it is asked, then reads to the end.
    pub(crate) fn speaking_first(text: &'static str) -> Self {
        Self::new(move |mut stream| {
            stream.write_all(text.as_bytes()).unwrap();
            let _ = stream.read_to_end(&mut Vec::new());
        })
    }

    /// Answers one piece as an echo, and finishes when it is told to.
    pub(crate) fn leaving_after_one(told: Receiver<()>) -> Self {
        Self::new(move |mut stream| {
            let mut piece = [0; 4096];
            let length = stream.read(&mut piece).unwrap();
            stream.write_all(&piece[..length]).unwrap();
            told.recv().unwrap();
        })
    }

    /// Reads all and says nothing, and keeps the connection.
    pub(crate) fn silent() -> Self {
        Self::new(|mut stream| {
            let _ = stream.read_to_end(&mut Vec::new());
            // Open until the test ends: a thread that is parked forever holds it.
            loop {
                std::thread::park();
            }
        })
    }

    /// Resets the connection once something has arrived.
    pub(crate) fn resetting() -> Self {
        Self::new(|stream| {
            stream.peek(&mut [0]).unwrap();
            SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
        })
    }

    /// Echoes the first piece, and then says more, at least so many bytes and then until nobody listens.
    pub(crate) fn endless(at_least: u64) -> Self {
        Self::new(move |mut stream| {
            let mut piece = vec![0; 64 * 1024];
            let length = stream.read(&mut piece).unwrap();
            stream.write_all(&piece[..length]).unwrap();
            piece.fill(b'a');
            let mut said = 0;
            while stream.write_all(&piece).is_ok() {
                said += piece.len() as u64;
            }
            assert!(said >= at_least, "the client left after {said} bytes");
        })
    }

    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }
}

/// The text with this server as `SERVER` and the time of a wait as `TIME`: both differ from run to run.
pub(crate) fn settled(text: &str, server: &Server) -> String {
    let text = text.replace(&server.address(), "SERVER");
    match text.split_once("answer in ") {
        Some((before, rest)) => {
            let (_, rest) = rest.split_once('s').unwrap();
            format!("{before}answer in TIME{rest}")
        }
        None => text,
    }
}
