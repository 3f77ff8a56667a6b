//! Opens the listeners, and says why one cannot be had.

use super::target::Target;
use crate::failure::{Fact, Failure};
use crate::holder::{Hold, Holder, holder_of};
use crate::place::Place;
use echoline::{Code, Endpoint, Error, Listener, Socket};
use echoline_server::ServiceKind;
use if_addrs::get_if_addrs;
use std::net::SocketAddr;

/// Everything that `serve` listens on.
pub(super) struct Opened {
    /// In the order asked for, IPv4 before IPv6.
    pub(super) listeners: Vec<(ServiceKind, Listener)>,
    /// The family that this machine lacks, where both were asked for.
    pub(super) missing_family: Option<&'static str>,
}

pub(super) fn open(targets: &[Target]) -> Result<Opened, Failure> {
    let mut opened = Opened { listeners: Vec::new(), missing_family: None };
    for target in targets {
        let mut listeners = open_one(&target.place).map_err(|error| refused(&error, &opened))?;
        listeners.sort_by_key(|listener| listener.local().is_ipv6());
        if let ([only], Place::Loopbacks(_) | Place::Everywhere(_)) = (listeners.as_slice(), &target.place) {
            opened.missing_family = Some(if only.local().is_ipv4() { "IPv6" } else { "IPv4" });
        }
        opened.listeners.extend(listeners.into_iter().map(|listener| (target.service, listener)));
    }
    Ok(opened)
}

fn open_one(place: &Place) -> Result<Vec<Listener>, Error> {
    match place {
        Place::Loopbacks(port) => Socket::new().listen_all(&Endpoint::try_from(("localhost", port.get()))?),
        Place::Everywhere(port) => Socket::new().listen_everywhere(*port),
        Place::At(endpoint) => Socket::new().listen_all(endpoint),
    }
}

/// Says what this machine knows of the reason, in place of what is true in general.
fn refused(error: &Error, opened: &Opened) -> Failure {
    let failure = Failure::from(error);
    let ip = error.endpoint().and_then(|endpoint| endpoint.host().ip());
    let (Some(ip), Some(port)) = (ip, error.endpoint().map(|endpoint| endpoint.port().get())) else {
        return failure;
    };
    let address = SocketAddr::new(ip, port);
    match error.code() {
        Code::AddressInUse if opened.listeners.iter().any(|(_, held)| held.local() == address) => {
            let message = format!("{address} is asked for twice");
            Failure { message, facts: Vec::new(), next: Vec::new(), ..failure }
        }
        Code::AddressInUse => in_use(failure, holder_of(address)),
        Code::PermissionDenied => match unprivileged_from() {
            Some(first) if port < first => reserved(failure, first),
            _ => failure,
        },
        Code::AddressNotAvailable => {
            let own = get_if_addrs().unwrap_or_default().into_iter().map(|interface| interface.ip());
            let own: Vec<_> =
                own.filter(|own| own.is_ipv4() == ip.is_ipv4()).map(|own| own.to_string()).collect();
            if own.is_empty() { failure } else { failure.fact("have", own.join(", ")) }
        }
        _ => failure,
    }
}

fn in_use(failure: Failure, holder: Option<Holder>) -> Failure {
    let (held, free) = match holder {
        Some(Holder { how: Hold::Ended(peer), .. }) => (
            format!("by a connection to {peer} that has ended; the system keeps its port for a minute"),
            Some("or wait for a minute".to_owned()),
        ),
        Some(Holder { address, how, process: Some(process), .. }) => (
            format!("by {} (process {}), {}", process.name, process.pid, doing(how, address)),
            Some(format!("or end that program: kill {}", process.pid)),
        ),
        Some(Holder { address, how, uid, process: None }) => (
            format!("by a process of user {uid}, {}; only root sees which one", doing(how, address)),
            Some(format!("or find that program: sudo ss -tanp 'sport = {}'", address.port())),
        ),
        None => (
            "by a socket that the system does not list: one that is bound and does not listen".to_owned(),
            None,
        ),
    };
    let other = "echoline serve 0 picks a free port".to_owned();
    Failure {
        facts: vec![Fact::new("held", held)],
        next: [Some(other), free].into_iter().flatten().collect(),
        ..failure
    }
}

fn doing(how: Hold, address: SocketAddr) -> String {
    match how {
        Hold::Listens => format!("which listens on {address}"),
        Hold::Connected(peer) | Hold::Ended(peer) => format!("whose connection to {peer} has this port"),
    }
}

fn reserved(failure: Failure, first: u16) -> Failure {
    let so =
        format!("ports below {first} need the capability CAP_NET_BIND_SERVICE, which this process has not");
    let next = vec![
        format!("use a port from {first} up: echoline serve 5151"),
        "or give it the right: sudo setcap cap_net_bind_service=+ep \"$(command -v echoline)\"".to_owned(),
        format!("or lower net.ipv4.ip_unprivileged_port_start, which is {first} here (sysctl)"),
    ];
    Failure { facts: vec![Fact::new("so", so)], next, ..failure }
}

/// The lowest port that needs no right; `None` where the system has no such setting.
fn unprivileged_from() -> Option<u16> {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").ok()?.trim().parse().ok()
}
