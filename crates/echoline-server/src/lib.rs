//! The Echoline server as a library: sessions without I/O behind exchangeable engines.
//!
//! A [`Server`] is a value. It is built from a [`Config`] and listeners that are bound already, started, asked
//! for its endpoints and counters, and drained or stopped:
//!
//! ```
//! use echoline_server::{Config, Server, ServiceKind};
//! use std::io::{Read, Write};
//! use std::net::{TcpListener, TcpStream};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let listener = TcpListener::bind("127.0.0.1:0")?;
//! let server = Server::builder(Config::default()).listen(ServiceKind::Echo, listener).start()?;
//!
//! let mut client = TcpStream::connect(server.endpoints()[0].address)?;
//! client.write_all(b"hello\n")?;
//! let mut copy = [0; 6];
//! client.read_exact(&mut copy)?;
//! assert_eq!(&copy, b"hello\n");
//!
//! drop(client);
//! let drained = server.drain(std::time::Duration::from_secs(1));
//! assert_eq!(drained.cut_off, 0); // the client had left
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | `config` | limits and choices, with safe defaults |
//! | `server` | the value above: start, wait, drain, stop |
//! | `service` | what is said: the [`Service`] trait, the line adapter, the echoes, Connect Four |
//! | `session` | one connection's state, without I/O or clock |
//! | `engine` | moves bytes between kernel and sessions |
//! | `worker`, `shared` | what the sessions of one thread, and all threads, have in common |
//! | `accept` | what a failed accept means and when to try again |
//! | `sources`, `pace`, `pressure` | limits: connections a source, progress a client, memory for all |
//! | `burst` | one line of the log for many of the same |
//! | `descriptors` | room for connections in the kernel's table, made ahead |
//! | `compute` | threads for work that would delay other conversations |
//! | `slots`, `timers` | tables of connections and of their deadlines |
//! | `stats` | counters and endings |

mod accept;
mod burst;
mod compute;
mod config;
mod descriptors;
mod engine;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod pace;
mod pressure;
mod server;
mod service;
mod session;
mod shared;
mod slots;
mod sources;
mod stats;
mod timers;
mod worker;

pub use compute::Job;
pub use config::{Config, EngineChoice, LongLines, MinProgress, UnknownName};
pub use engine::Unavailable;
pub use server::{Bound, Builder, Drained, EngineReport, Server, ServerError};
pub use service::connect_four;
pub use service::{LineService, Lines, Out, Peer, Service, ServiceKind};
pub use stats::{Ending, Stats};
