//! `[SERVICE=]LISTEN`: what to serve where.

use echoline::Port;
use echoline_check::Place;
use echoline_diagnosis::{Diagnosis, code};
use echoline_server::{ServiceKind, connect_four};

use crate::failure::Stop;

/// One argument of `serve`, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) service: ServiceKind,
    pub(super) place: Place,
}

impl Target {
    /// What is served when nothing is asked for.
    pub(super) const DEFAULT: Self =
        Self { service: ServiceKind::Echo, place: Place::Loopbacks(Port::DEFAULT) };

    pub(super) fn parse(text: &str) -> Result<Self, Stop> {
        let (service, listen) = match text.split_once('=') {
            Some((name, listen)) => (service(name)?, listen),
            None => match text.parse() {
                Ok(service) => return Ok(Self { service, place: Place::Loopbacks(usual_port(service)) }),
                Err(_) => (ServiceKind::Echo, text),
            },
        };
        Ok(Self { service, place: Place::parse(listen, usual_port(service))? })
    }
}

/// The port of a service where none is given.
fn usual_port(service: ServiceKind) -> Port {
    match service {
        ServiceKind::ConnectFour => connect_four::PORT.into(),
        _ => Port::DEFAULT,
    }
}

/// The names of all of them.
pub(super) fn services() -> String {
    ServiceKind::ALL.map(ServiceKind::as_str).join(", ")
}

fn service(name: &str) -> Result<ServiceKind, Diagnosis> {
    name.parse().map_err(|_| {
        Diagnosis::new(code::USAGE, format!("there is no service \"{name}\""))
            .evidence("have", services())
            .next("echoline serve echo=5151")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(text: &str) -> Place {
        Target::parse(text).unwrap().place
    }

    #[test]
    fn every_form_of_listen_is_read() {
        assert_eq!(place("5151"), Place::Loopbacks(5151.into()));
        assert_eq!(place("localhost:0"), Place::Loopbacks(0.into()));
        assert_eq!(place("localhost"), Place::Loopbacks(5151.into()));
        assert_eq!(place(":80"), Place::Everywhere(80.into()));
        for (text, endpoint) in [
            ("192.0.2.7:80", "192.0.2.7:80"),
            ("192.0.2.7", "192.0.2.7:5151"),
            ("0.0.0.0:80", "0.0.0.0:80"),
            ("[::]:80", "[::]:80"),
            ("::1", "[::1]:5151"),
            ("[fe80::1%eth0]:80", "[fe80::1%eth0]:80"),
            ("host.example:80", "host.example:80"),
        ] {
            assert_eq!(place(text), Place::At(endpoint.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_service_may_stand_before_each_form() {
        let service = |text| Target::parse(text).unwrap().service;
        assert_eq!(service("5151"), ServiceKind::Echo);
        assert_eq!(service("echo=:5151"), ServiceKind::Echo);
        assert_eq!(service("echo-bytes=[::1]:7"), ServiceKind::EchoBytes);
        assert_eq!(service("connect-four=:4444"), ServiceKind::ConnectFour);
    }

    #[test]
    fn a_service_has_its_usual_port() {
        assert_eq!(place("echo"), Place::Loopbacks(5151.into()));
        assert_eq!(place("connect-four"), Place::Loopbacks(4444.into()));
        assert_eq!(place("connect-four=localhost"), Place::Loopbacks(4444.into()));
        assert_eq!(place("connect-four=192.0.2.7"), Place::At("192.0.2.7:4444".parse().unwrap()));
    }

    #[test]
    fn what_is_no_place_is_an_error() {
        for text in [
            "",
            "=",
            "echo=",
            "nothing=5151",
            ":",
            ":http",
            "65536",
            ":65536",
            "1.2.3.256:80",
            "a b:80",
            "h:-1",
        ] {
            assert!(Target::parse(text).is_err(), "{text:?}");
        }
    }
}
