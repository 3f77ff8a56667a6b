//! Exact, bounded, well-explained sockets and line protocols.
//!
//! A [`Socket`] holds options and connects to, or listens on, an [`Endpoint`]. A [`Connection`] is an input stream
//! and an output stream. A [`line::Framer`] cuts a byte stream into lines. An [`Error`] says what was tried, on
//! which endpoint, what happened and what to do next, and [`Code::page`] explains its code at length.
//!
//! ```
//! use echoline::{Endpoint, Socket};
//!
//! # let listener = Socket::new().listen(&"127.0.0.1:0".parse()?)?;
//! # let endpoint = Endpoint::from(listener.local());
//! # let server = std::thread::spawn(move || -> Result<(), echoline::Error> {
//! #     let mut connection = listener.accept()?;
//! #     while let Some(line) = connection.recv_line()? { connection.send_line(&line)?; }
//! #     Ok(())
//! # });
//! let mut connection = Socket::new().connect(&endpoint)?; // or &"localhost:5151".parse()?
//! connection.send_line("hello")?;
//! assert_eq!(connection.recv_line()?.as_deref(), Some("hello"));
//! connection.finish()?; // ends our output; the input stays open
//! assert_eq!(connection.recv_line()?, None); // the other side has finished too
//! # server.join().unwrap()?;
//! # Ok::<(), echoline::Error>(())
//! ```
//!
//! Everything blocks the calling thread; there is no runtime and no thread, but for names: `getaddrinfo` cannot be
//! interrupted, so it runs on a thread that is abandoned at the deadline.
#![forbid(unsafe_code)]

pub mod attempt;
pub mod code;
pub mod line;

mod connection;
mod endpoint;
mod error;
mod resolve;
mod socket;

pub use echoline_diagnosis::{Code, Diagnosis as Error, Operation, Target, escape};

pub use connection::{Connection, Input, Output};
pub use endpoint::{AddressKind, Endpoint, Host, Name, Port, Zone};
pub use resolve::{Family, resolve};
pub use socket::{ConnectEvent, Keepalive, Listener, Socket};

/// The README's example, so that it compiles and runs.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
