//! Opens the listeners, and says why one cannot be had.

use super::holder::{Holder, holder_of};
use super::target::{Place, Target};
use crate::failure::Failure;
use echoline::{Code, Endpoint, Error, Listener, Socket};
use echoline_server::ServiceKind;
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

/// Adds what this machine knows of the reason.
fn refused(error: &Error, opened: &Opened) -> Failure {
    let failure = Failure::from(error);
    let address = error
        .endpoint()
        .and_then(|endpoint| Some(SocketAddr::new(endpoint.host().ip()?, endpoint.port().get())));
    match (error.code(), address) {
        (Code::AddressInUse, Some(address))
            if opened.listeners.iter().any(|(_, held)| held.local() == address) =>
        {
            failure.fact("held", "by this command itself: it asks for the address twice").only_next([])
        }
        (Code::AddressInUse, Some(address)) => in_use(failure, holder_of(address)),
        (Code::PermissionDenied, Some(address)) => match unprivileged_from() {
            Some(first) if address.port() < first => reserved(failure, first),
            _ => failure,
        },
        _ => failure,
    }
}

fn in_use(failure: Failure, holder: Option<Holder>) -> Failure {
    let free = "echoline serve 0 picks a free port".to_owned();
    match holder {
        Some(Holder { address, process: Some(process), .. }) => failure
            .fact(
                "held",
                format!("by {} (process {}), which listens on {address}", process.name, process.pid),
            )
            .only_next([free, format!("or end that program: kill {}", process.pid)]),
        Some(Holder { address, uid, process: None }) => failure
            .fact(
                "held",
                format!("by a process of user {uid}, which listens on {address}; only root sees which one"),
            )
            .only_next([free, format!("or find that program: sudo ss -ltnp 'sport = {}'", address.port())]),
        None => failure
            .fact("held", "by a socket that the system does not list: one that is bound and does not listen")
            .only_next([free]),
    }
}

fn reserved(failure: Failure, first: u16) -> Failure {
    failure
        .fact(
            "so",
            format!(
                "ports below {first} need the capability CAP_NET_BIND_SERVICE, which this process has not"
            ),
        )
        .only_next([
            "use a port from 1024 up: echoline serve 5151".to_owned(),
            "or give it the right: sudo setcap cap_net_bind_service=+ep \"$(command -v echoline)\""
                .to_owned(),
            format!("or lower net.ipv4.ip_unprivileged_port_start, which is {first} here (ip-sysctl)"),
        ])
}

/// The lowest port that needs no right; `None` where the system has no such setting.
fn unprivileged_from() -> Option<u16> {
    std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").ok()?.trim().parse().ok()
}
