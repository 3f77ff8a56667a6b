//! Opens the listeners, and says why one cannot be had.

use super::target::{Target, services};
use crate::exit::ExitStatus;
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

impl Opened {
    /// The own listener because of which there can be none at `wanted`. Those for IPv6 leave IPv4 alone.
    fn keeps(&self, wanted: SocketAddr) -> Option<SocketAddr> {
        let collides = |held: &SocketAddr| {
            let any = held.ip().is_unspecified() || wanted.ip().is_unspecified();
            held.port() == wanted.port()
                && (held.ip() == wanted.ip() || any && held.is_ipv4() == wanted.is_ipv4())
        };
        self.listeners.iter().map(|(_, listener)| listener.local()).find(collides)
    }
}

pub(super) fn open(targets: &[Target]) -> Result<Opened, Failure> {
    let mut opened = Opened { listeners: Vec::new(), missing_family: None };
    for target in targets {
        let mut listeners =
            open_one(&target.place).map_err(|error| refused(&error, &target.place, &opened))?;
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
fn refused(error: &Error, place: &Place, opened: &Opened) -> Failure {
    let mut failure = Failure::from(error);
    let not_found = matches!(
        error.code(),
        Code::NameNotFound | Code::NameLookupFailed | Code::NameLookupTimedOut | Code::NoAddressOfFamily
    );
    if let Place::At(endpoint) = place
        && not_found
        && !endpoint.host().to_string().contains('.')
    {
        // Before the line that explains the code.
        let services = format!("if a service is meant, there are {}", services());
        failure.next.insert(failure.next.len().saturating_sub(1), services);
    }
    let ip = error.endpoint().and_then(|endpoint| endpoint.host().ip());
    let (Some(ip), Some(port)) = (ip, error.endpoint().map(|endpoint| endpoint.port().get())) else {
        return failure;
    };
    let address = SocketAddr::new(ip, port);
    match error.code() {
        Code::AddressInUse => match opened.keeps(address) {
            Some(held) => asked_for_twice(address, held),
            None => in_use(failure, holder_of(address)),
        },
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

fn asked_for_twice(address: SocketAddr, held: SocketAddr) -> Failure {
    Failure::new(Code::AddressInUse, ExitStatus::Usage, format!("{address} is asked for twice"))
        .fact("held", format!("by this very command, which listens on {held} already"))
        .next("leave one of them out, or give it another port")
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
