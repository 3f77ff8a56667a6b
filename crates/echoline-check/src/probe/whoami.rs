//! The other end's view, from `echoline serve whoami=PORT`: who it sees, and whether a line reached its echo service.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use echoline::{Connection, Socket};
use echoline_diagnosis::{Text, text};
use serde::Deserialize;

use super::time::micros;
use crate::cancel::Cancel;
use crate::evidence::{Backends, Whoami};

/// The first line of the service, schema 1.
#[derive(Deserialize)]
struct Seen {
    schema: u32,
    instance: String,
    connection: u64,
    peer: SocketAddr,
}

/// The answer to a nonce.
#[derive(Deserialize)]
struct Reached {
    instance: String,
    reached_echo: Option<bool>,
}

/// What is said of a question that was not waited for.
const ENDED_EARLY: &str = "the question was not asked to its end";
/// Longer than its lines are.
const MAX_LINE: NonZeroUsize = NonZeroUsize::new(4096).unwrap();

/// Asks on two connections: where two instances answer, neither speaks for the other.
pub(crate) fn ask(address: SocketAddr, nonce: u64, patience: Duration, cancel: &Cancel) -> Whoami {
    let begin = Instant::now();
    let mut found = Whoami {
        address,
        sent_from: None,
        seen_as: None,
        instance: None,
        connection: None,
        instances: 0,
        reached_echo: None,
        problem: None,
        took_us: 0,
    };
    let mut instances: Vec<String> = Vec::new();
    let mut answers: Vec<Option<bool>> = Vec::new();
    for _ in 0..2 {
        let asked = cancel.ask(patience * 3, move || one(address, nonce, patience));
        match asked.unwrap_or_else(|| Err(ENDED_EARLY.into())) {
            Ok((local, seen, reached)) => {
                // Where connections are dealt by another machine, the answers come from the instances that they name.
                instances.extend([seen.instance.clone(), reached.instance]);
                answers.push(reached.reached_echo);
                (found.sent_from, found.seen_as) = (Some(local), Some(seen.peer));
                (found.instance, found.connection) = (Some(seen.instance), Some(seen.connection));
            }
            Err(problem) => {
                found.problem = Some(problem);
                break;
            }
        }
    }
    instances.sort();
    instances.dedup();
    found.instances = instances.len();
    found.reached_echo = conclude(instances.len(), &answers);
    found.took_us = micros(begin.elapsed());
    found
}

/// A yes of anybody is a yes; a no counts only where one instance answers for all.
fn conclude(instances: usize, answers: &[Option<bool>]) -> Option<bool> {
    match answers {
        _ if answers.contains(&Some(true)) => Some(true),
        [first, rest @ ..] if instances == 1 && rest.iter().all(|answer| answer == first) => *first,
        _ => None,
    }
}

/// Asks on so many connections, one after the other, who answers.
pub(crate) fn ask_backends(
    address: SocketAddr,
    asked: usize,
    patience: Duration,
    cancel: &Cancel,
) -> Backends {
    let begin = Instant::now();
    let mut backends = Backends { asked, order: Vec::new(), source_kept: 0, problem: None, took_us: 0 };
    while backends.order.len() < asked {
        let seen = cancel.ask(patience * 2, move || see(address, patience));
        match seen.unwrap_or_else(|| Err(ENDED_EARLY.into())) {
            Ok((connection, seen)) => {
                backends.source_kept += usize::from(connection.local().ip() == seen.peer.ip());
                backends.order.push(seen.instance);
            }
            Err(problem) => {
                backends.problem = Some(problem);
                break;
            }
        }
    }
    backends.took_us = micros(begin.elapsed());
    backends
}

fn one(address: SocketAddr, nonce: u64, patience: Duration) -> Result<(SocketAddr, Seen, Reached), Text> {
    let (mut connection, seen) = see(address, patience)?;
    connection.send_line(&format!("nonce {nonce:016x}")).map_err(told)?;
    Ok((connection.local(), seen, line(&mut connection, patience)?))
}

/// Connects and takes the first line.
fn see(address: SocketAddr, patience: Duration) -> Result<(Connection, Seen), Text> {
    let mut connection = Socket::new().connect_timeout(patience).connect(&address.into()).map_err(told)?;
    let seen: Seen = line(&mut connection, patience)?;
    if seen.schema != 1 {
        return Err(text!("it speaks schema {}, this program schema 1", seen.schema));
    }
    Ok((connection, seen))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn told(error: echoline::Error) -> Text {
    error.sentence().clone()
}

fn line<T: for<'a> Deserialize<'a>>(connection: &mut Connection, patience: Duration) -> Result<T, Text> {
    let line = connection.recv_line_until(MAX_LINE, Instant::now() + patience).map_err(told)?;
    let line = line.ok_or("it closed the connection without a word")?;
    serde_json::from_str(&line).map_err(|_| "what answers there is no whoami service".into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_service_that_drips_is_waited_for_no_longer_than_one_line_may_take() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let dripping = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // A line of 10 seconds, if anybody stays for it.
            for _ in 0..100 {
                std::thread::sleep(Duration::from_millis(100));
                if stream.write_all(b"{").is_err() {
                    return;
                }
            }
        });
        let found = ask(address, 1, Duration::from_millis(500), &Cancel::new());
        assert!(found.took_us < 5_000_000, "{found:?}");
        assert!(found.problem.unwrap().to_string().ends_with("sent no whole line in time"));
        dripping.join().unwrap();
    }

    #[test]
    fn a_no_counts_only_from_the_one_instance_and_a_yes_from_any() {
        assert_eq!(conclude(1, &[Some(false), Some(false)]), Some(false));
        assert_eq!(conclude(1, &[Some(true), Some(true)]), Some(true));
        assert_eq!(conclude(2, &[Some(false), Some(false)]), None);
        assert_eq!(conclude(2, &[Some(false), Some(true)]), Some(true));
        assert_eq!(conclude(1, &[None, None]), None);
        assert_eq!(conclude(0, &[]), None);
    }
}
