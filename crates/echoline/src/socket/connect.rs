//! Connecting: to every address of an endpoint, with every attempt on record.

use std::io;
use std::net::SocketAddr;
use std::time::Instant;

use echoline_diagnosis::{Code, Diagnosis as Error, Operation, Text, foreign, host as quoted, text};

use super::Socket;
use super::event::ConnectEvent;
use super::race::Race;
use crate::attempt::{Attempt, Outcome, STAGGER, Schedule};
use crate::code;
use crate::connection::Connection;
use crate::endpoint::{Endpoint, Host};
use crate::error::{deadline, error, span};
use crate::resolve::{Family, resolve};

const ANOTHER_SOURCE: &str = "give a source address of the same IP version as the host's, or leave it out";

impl Socket {
    /// Opens a connection. Several addresses are tried by Happy Eyeballs (RFC 8305 sections 4 and 5).
    ///
    /// # Errors
    ///
    /// Those of [`Endpoint::can_be_connected_to`] and [`resolve`](crate::resolve()); and, with every attempt in [`Error::attempts`], `refused`,
    /// `no-answer`, `no-route`, `host-unreachable`, `no-local-port`, `address-not-available` (the source),
    /// `permission-denied`, `reset`, `too-many-open-files`, `system`. If the attempts ended differently, the error
    /// has the code that says most: an answer before silence, silence before no way to get there.
    pub fn connect(&self, endpoint: &Endpoint) -> Result<Connection, Error> {
        self.connect_with(endpoint, &mut |_| ())
    }

    /// As [`connect`](Self::connect), and tells what happens as it happens.
    ///
    /// # Errors
    ///
    /// Those of [`connect`](Self::connect).
    pub fn connect_with(
        &self,
        endpoint: &Endpoint,
        observe: &mut dyn FnMut(ConnectEvent<'_>),
    ) -> Result<Connection, Error> {
        endpoint.can_be_connected_to()?;
        let begin = Instant::now();
        let deadline = deadline(begin, self.connect_timeout);
        let addresses = resolve(endpoint, self.connect_family(endpoint)?, self.connect_timeout)
            .map_err(|error| self.of_the_source(error))?;
        let schedule = Schedule::new(addresses, STAGGER, deadline);
        observe(ConnectEvent::Resolved { addresses: schedule.addresses(), took: begin.elapsed() });
        let (winner, attempts) = Race::new(self, begin, observe).run(schedule);
        match winner {
            Some(stream) => Connection::connected(stream, attempts),
            None => Err(self.failed(endpoint, attempts)),
        }
    }

    /// The families that both the caller and the source address allow.
    fn connect_family(&self, endpoint: &Endpoint) -> Result<Family, Error> {
        let of_source = match self.source {
            Some(ip) if ip.is_ipv4() => Family::V4,
            Some(_) => Family::V6,
            None => Family::Any,
        };
        match (self.family, of_source) {
            (Family::Any, family) | (family, Family::Any) => Ok(family),
            (asked, of_source) if asked == of_source => Ok(asked),
            (asked, of_source) => {
                let sentence = text!(
                    "an {} source address cannot reach {} over {}",
                    of_source.as_str(),
                    quoted(endpoint),
                    asked.as_str()
                );
                Err(error(code::NO_ADDRESS_OF_FAMILY, Operation::Connect, sentence)
                    .on(endpoint)
                    .next(ANOTHER_SOURCE))
            }
        }
    }

    /// That there is no address of a family, where the source address is why it was asked for.
    fn of_the_source(&self, error: Error) -> Error {
        let narrowed = error.code() == code::NO_ADDRESS_OF_FAMILY && self.family == Family::Any;
        let Some(source) = self.source.filter(|_| narrowed) else { return error };
        let sentence = text!("{}, and the source address {} is one", error.sentence(), source);
        error.with_sentence(sentence).with_next(vec![ANOTHER_SOURCE.into()])
    }

    /// The error of a race without a winner.
    fn failed(&self, endpoint: &Endpoint, attempts: Vec<Attempt>) -> Error {
        let codes = attempts.iter().filter_map(|attempt| match attempt.outcome {
            Outcome::Failed { code, os_error } => Some((code, os_error)),
            Outcome::Connected | Outcome::Abandoned => None,
        });
        // With no attempt at all, the lookup used up the time.
        let (code, os_error) = codes.max_by_key(|(code, _)| says(*code)).unwrap_or((code::NO_ANSWER, None));
        let sentence = self.sentence(code, endpoint, &attempts);
        let route = attempts.first().map(|attempt| {
            text!("see which route is used: ip route get {}", route_to(endpoint, attempt.address))
        });
        let mut failed = error(code, Operation::Connect, sentence).on(endpoint).with_attempts(attempts);
        if let (code::NO_ROUTE | code::PERMISSION_DENIED, Some(route)) = (code, route) {
            failed = failed.next(route);
        }
        match os_error.map(io::Error::from_raw_os_error) {
            Some(source) if code == code::SYSTEM => failed.caused_by(source),
            Some(source) => failed.with_source(source),
            None => failed,
        }
    }

    fn sentence(&self, code: Code, endpoint: &Endpoint, attempts: &[Attempt]) -> Text {
        let whom = match attempts {
            [one] if endpoint.host().ip().is_none() => {
                text!("{} ({})", quoted(endpoint), one.address.ip())
            }
            [_, _, ..] => text!("{} ({} addresses tried)", quoted(endpoint), attempts.len()),
            _ => quoted(endpoint),
        };
        let time =
            span(attempts.iter().map(|a| a.started_after + a.took).max().unwrap_or(self.connect_timeout));
        match code {
            code::REFUSED => text!("{} refused the connection", whom),
            code::NO_ANSWER => text!("{} did not answer in {}", whom, time),
            code::NO_ROUTE => text!("there is no route to {}", whom),
            code::HOST_UNREACHABLE => {
                text!("{} is unreachable: a router, or this machine, cannot find the host", whom)
            }
            code::PERMISSION_DENIED => text!("this machine does not allow a connection to {}", whom),
            code::RESET => text!("{} broke the connection off while it was opened", whom),
            code::NO_LOCAL_PORT => text!("no local port is free for a connection to {}", whom),
            code::ADDRESS_NOT_AVAILABLE => match self.source {
                Some(source) => {
                    text!("{} is no address of this machine, so {} cannot be reached from it", source, whom)
                }
                None => text!("{} cannot be reached: it is no address to connect to", whom),
            },
            code::TOO_MANY_OPEN_FILES => text!("no file descriptor is left for a connection to {}", whom),
            _ => text!("the connection to {} failed", whom),
        }
    }
}

/// How much a code says about the other side: what answered, then what stayed silent, then what never left.
fn says(code: Code) -> u8 {
    match code {
        code::REFUSED => 9,
        code::RESET => 8,
        code::HOST_UNREACHABLE => 7,
        code::NO_ANSWER => 6,
        code::PERMISSION_DENIED => 5,
        code::TOO_MANY_OPEN_FILES => 4,
        code::NO_LOCAL_PORT | code::ADDRESS_NOT_AVAILABLE => 3,
        code::SYSTEM => 2,
        _ => 1,
    }
}

/// The address as ip(8) takes it: a link-local one leads somewhere by its interface only.
fn route_to(endpoint: &Endpoint, address: SocketAddr) -> Text {
    let ip = address.ip();
    match (endpoint.host(), address) {
        (Host::Scoped(_, zone), _) if zone.as_str().parse::<u32>().is_err() => {
            text!("{} oif {}", ip, foreign(zone.as_str()))
        }
        (_, SocketAddr::V6(v6)) if v6.scope_id() != 0 => text!("{} oif if{}", ip, v6.scope_id()),
        _ => ip.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn attempt(address: &str, code: Code, os_error: Option<i32>) -> Attempt {
        let took = Duration::from_millis(1500);
        let outcome = Outcome::Failed { code, os_error };
        Attempt { address: address.parse().unwrap(), source: None, started_after: took, took, outcome }
    }

    fn failed(attempts: Vec<Attempt>) -> Error {
        Socket::new().failed(&"host.test:7".parse().unwrap(), attempts)
    }

    #[test]
    fn the_attempt_that_says_most_about_the_other_side_names_the_failure() {
        let no_route = attempt("[2001:db8::1]:7", code::NO_ROUTE, Some(101));
        let no_answer = attempt("192.0.2.1:7", code::NO_ANSWER, None);
        let refused = attempt("192.0.2.2:7", code::REFUSED, Some(111));

        let error = failed(vec![no_route.clone(), no_answer.clone()]);
        assert_eq!(error.to_string(), "host.test:7 (2 addresses tried) did not answer in 3.0 s");
        assert_eq!(error.code(), code::NO_ANSWER);
        assert!(std::error::Error::source(&error).is_none());

        let error = failed(vec![refused, no_answer, no_route.clone()]);
        assert_eq!(error.to_string(), "host.test:7 (3 addresses tried) refused the connection");
        assert_eq!(error.attempts().len(), 3);

        let error = failed(vec![no_route]);
        assert_eq!(error.to_string(), "there is no route to host.test:7 (2001:db8::1)");
        assert_eq!(error.remedy(), "see which route is used: ip route get 2001:db8::1");

        let link = "[fe80::1%3]:7";
        for (zone, asked) in [("eth0", "oif eth0"), ("3", "oif if3")] {
            let endpoint: Endpoint = format!("[fe80::1%{zone}]:7").parse().unwrap();
            let error = Socket::new().failed(&endpoint, vec![attempt(link, code::NO_ROUTE, Some(101))]);
            assert_eq!(error.remedy(), format!("see which route is used: ip route get fe80::1 {asked}"));
        }
    }

    #[test]
    fn an_error_without_a_code_of_its_own_quotes_the_system() {
        let error = failed(vec![attempt("192.0.2.1:7", code::SYSTEM, Some(105))]);
        let said = io::Error::from_raw_os_error(105).to_string();
        assert_eq!(format!("{error:#}"), format!("the connection to host.test:7 (192.0.2.1) failed: {said}"));
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), said);
    }
}
